/**
 * One secret of every kind that a server gives out, is given or keeps, used as people and devices
 * use it.
 */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addServerName, removeServerName, showCertificate } from '@seaworthy/api/certificates'
import { readCredential } from '@seaworthy/api/credentials'
import { createDeviceToken, readOwnSettings } from '@seaworthy/api/device-self'
import { createGatewayToken } from '@seaworthy/api/foreign-devices'
import {
  askProviderSignIn,
  setIdentityProvider,
  signInByProvider,
} from '@seaworthy/api/identity-providers'
import { createInvitation } from '@seaworthy/api/invitations'
import { approvePairing, beginPairing, fetchPairing, readPairing } from '@seaworthy/api/pairings'
import { createRecoveryCodes } from '@seaworthy/api/passkeys'
import { askPassword, setPassword, signInByPassword } from '@seaworthy/api/passwords'
import { createFleetLockKey } from '@seaworthy/api/reboot-locks'
import { openLease, requestLease } from '@seaworthy/api/leases'
import { setHeldSecret } from '@seaworthy/api/secrets'
import { addStoredCredential } from '@seaworthy/api/stored-credentials'
import { announceServerKey } from '@seaworthy/api/server-keys'
import { createToken, refreshToken } from '@seaworthy/api/tokens'
import { base64Encode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { PlantedSecrets } from '@seaworthy/std/testing/leaks'
import { waitUntil } from '@seaworthy/std/testing'
import { createTotpApp } from '@seaworthy/std/testing/totp'
import { systemClock } from '@seaworthy/std/time'
import { enrol, signProvisioningKey } from '@seaworthy/trust/enrolment'
import { generateReceivingKey } from '@seaworthy/trust/hpke'
import type { Signer } from '@seaworthy/trust/keys'
import { generateKeyPair, keyId, signerFromPkcs8 } from '@seaworthy/trust/keys'
import type { SecretName } from '../config/master-key.ts'
import { secretPurposes } from '../config/master-key.ts'
import type { TestBrowser, TestClient, TestIdentityProvider, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  addForeignDevice,
  createTestBrowser,
  makeAssertion,
  makeProvisioningKey,
  register,
} from '../testing/index.ts'
import { openSecret } from '../testing/tokens.ts'

const params = { provider: 'harbour' }

/** Where the provider of `plantSecrets` sends people back to. */
export const redirectUriOf = (owner: TestBrowser) => `${owner.origin}/sign-in-return/harbour`

export async function plantSecrets(
  server: TestServer,
  client: TestClient,
  owner: TestBrowser,
  provider: TestIdentityProvider,
  signers: readonly Signer[],
): Promise<PlantedSecrets> {
  const planted: Record<string, string | Uint8Array> = {}
  const plantCredential = (what: string, text: string) => {
    const read = readCredential(text)
    assert.ok(typeof read === 'object', `${what} is a credential`)
    // What comes before the secret stands in the database, so that a leaked one can be found.
    planted[what] = read.secret
    planted[`${what}, raw`] = Buffer.from(read.secret, 'hex')
  }
  const plantCookies = (whose: string, { cookies }: TestBrowser) => {
    for (const [name, value] of cookies) planted[`cookie ${name} of ${whose}`] = value.slice(-24)
  }
  const codeOf = (link: string) => new URL(link).hash.slice(-24)
  const fleet = { fleet: 'shops' }

  plantCredential('first token', server.adminToken)
  planted["first owner's link"] = codeOf(server.ownerLink)
  plantCookies('the owner', owner)
  const { token } = await client.api.call(createToken, {
    body: { name: 'planted', role: 'viewer', lifetimeSeconds: 3600 },
  })
  plantCredential('token', token)
  plantCredential('refreshed token', (await client.as(token).call(refreshToken, {})).token)
  const enrolmentPair = await generateKeyPair('ed25519')
  const enrolmentKeyId = await keyId(enrolmentPair.key)
  const provisioningKey = await makeProvisioningKey(client, 1, 'shops', enrolmentKeyId)
  plantCredential('provisioning key', provisioningKey)
  const held = 'a mole under nine gantries'
  planted['secret that the server holds'] = held
  await client.api.call(setHeldSecret, {
    params: { ...fleet, secret: 'HELD' },
    body: { product: 'acme', value: base64Encode(utf8Encode(held)) },
  })
  const device = await enrolDevice(client, provisioningKey, { made: enrolmentPair, signers })
  for (const [name, pkcs8] of Object.entries(device.keys)) planted[name] = pkcs8.slice(-32)
  const assertion = await makeAssertion(device.signer, device.id, server.url)
  planted["device's assertion"] = assertion.slice(-60)
  const { accessToken } = await client.api.call(createDeviceToken, { body: { assertion } })
  planted["device's access token"] = accessToken.slice(-60)
  const { entries } = await client.as(accessToken).call(readOwnSettings, {})
  assert.ok(
    entries.some(({ name }) => name === 'HELD'),
    'the server has opened what it holds',
  )
  plantCredential(
    'DDI token',
    (await addForeignDevice(client, { protocol: 'ddi', externalId: 'planted' })).token,
  )
  const gateway = { uses: 1, platform: 'linux/amd64' } as const
  plantCredential(
    'gateway token',
    (await client.api.call(createGatewayToken, { params: fleet, body: gateway })).token,
  )
  plantCredential(
    'FleetLock key',
    (await client.api.call(createFleetLockKey, { params: fleet })).key,
  )

  const invite = async () =>
    (await owner.api.call(createInvitation, { body: { role: 'viewer' } })).link
  planted['open invitation'] = codeOf(await invite())
  const used = await invite()
  planted['used invitation'] = codeOf(used)
  const viewer = createTestBrowser(server, client)
  await acceptLink(viewer, used, 'A viewer')
  const password = 'mauve gantry wobbles 7 noons'
  const { secret } = await viewer.api.call(askPassword, {})
  const app = createTotpApp(secret)
  planted['password'] = password
  planted['secret of an authenticator'] = secret
  planted['secret of an authenticator, raw'] = app.key
  const code = app.codeAt(systemClock.now())
  await viewer.api.call(setPassword, { body: { name: 'planted', password, code } })
  const { codes } = await viewer.api.call(createRecoveryCodes, {})
  for (const [i, text] of codes.entries()) {
    // The database finds a code by 40 of its 140 bits.
    planted[`recovery code ${i}`] = text.slice(-24)
    planted[`recovery code ${i}, without hyphens`] = text.slice(-24).replaceAll('-', '')
  }
  const byPassword = createTestBrowser(server, client)
  await byPassword.api.call(signInByPassword, {
    body: { name: 'planted', password, code: codes[0]! },
  })
  plantCookies('the viewer', viewer)
  plantCookies('the viewer, by password', byPassword)

  const begun = await client.api.call(beginPairing, {
    body: { machine: 'laptop', lifetimeSeconds: 3600 },
  })
  planted['code of a pairing'] = begun.deviceCode.slice(-24)
  const { userCode } = begun
  const { id } = await viewer.api.call(readPairing, { body: { userCode } })
  await viewer.api.call(approvePairing, {
    body: { pairingId: id, userCode, role: 'viewer' },
  })
  await waitUntil('the command line has its token', async () => {
    const { deviceCode } = begun
    const answer = await client.api.call(fetchPairing, { body: { deviceCode } })
    if (answer.state === 'paired') plantCredential("command line's token", answer.token)
    return answer.state === 'paired'
  })

  planted['client secret'] = provider.clientSecret
  await owner.api.call(setIdentityProvider, {
    params,
    body: {
      ...{ title: 'Harbour', issuer: provider.issuer, clientId: provider.clientId },
      ...{ clientSecret: provider.clientSecret, caPem: provider.caPem, groupsClaim: 'groups' },
      grants: [{ group: 'guests', role: 'viewer' }],
    },
  })
  provider.accounts.set('planted', ['guests'])
  const guest = createTestBrowser(server, client)
  const { url } = await guest.api.call(askProviderSignIn, { params })
  const { searchParams } = await provider.visit(url, 'planted')
  const answer = { code: searchParams.get('code')!, state: searchParams.get('state')! }
  const iss = searchParams.get('iss')
  planted["provider's code"] = answer.code
  await guest.api.call(signInByProvider, {
    body: { provider: 'harbour', ...answer, ...(iss === null ? {} : { iss }) },
  })
  plantCookies('the guest', guest)
  // An authority is asked only once there is a name for it, and the account's key is made before.
  const named = { params: { name: 'planted.example' } }
  await client.api.call(addServerName, named)
  await waitUntil('the account of an ACME authority has its key', async () =>
    openSecret(server, 'acme-account-key').then(
      () => true,
      () => false,
    ),
  )
  await client.api.call(removeServerName, named)
  await waitUntil('nothing is ordered any more', async () => {
    const { problem } = await client.api.call(showCertificate, {})
    return problem?.startsWith('no authority makes a certificate') === true
  })
  const report = new URLSearchParams({
    title: 'bilge pump answers without a password',
    text: 'sluice overflow behind the ninth bollard',
  })
  const received = await client.send('POST', '/report', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: report.toString(),
  })
  planted['title of a report'] = report.get('title')!
  planted['text of a report'] = report.get('text')!
  planted['link of a report'] = /\/report\/([A-Za-z0-9_-]{43})/.exec(
    utf8Decode(received.bytes),
  )![1]!
  const stored = 'postern latch of the fourth quay'
  planted['stored credential'] = stored
  await owner.stepUp()
  await owner.api.call(addStoredCredential, {
    body: { name: 'quay', kind: 'value', value: base64Encode(utf8Encode(stored)) },
  })
  const lease = await owner.api.call(requestLease, {
    body: { credential: 'quay', reason: 'the gate is shut', seconds: 86_400 },
  })
  const { value } = await owner.api.call(openLease, { params: { leaseId: lease.id } })
  assert.equal(value, base64Encode(utf8Encode(stored)))
  // The server keeps its next key, beside the present one, once it is announced.
  await client.api.call(announceServerKey, { body: {} })
  return { ...planted, ...(await readOwnSecrets(server)) }
}

/** A device that holders have enrolled, and the private keys with which it was. */
async function enrolDevice(
  client: TestClient,
  provisioningKey: string,
  by: {
    readonly made: Awaited<ReturnType<typeof generateKeyPair>>
    readonly signers: readonly Signer[]
  },
): Promise<{ id: string; signer: Signer; keys: Readonly<Record<string, Uint8Array>> }> {
  const { made, signers } = by
  const own = await generateKeyPair('ed25519')
  const { pkcs8: receiving, publicKey } = await generateReceivingKey()
  const place = { product: 'acme', fleet: 'shops', publicKey: made.key }
  const certificate = await signProvisioningKey(place, signers)
  const enrolment = await enrol(
    { certificate, pkcs8: base64Encode(made.pkcs8) },
    { publicKey: own.key, receivingKey: base64Encode(publicKey) },
  )
  const signer = await signerFromPkcs8(own.key, own.pkcs8)
  const signatures = [...certificate.signatures]
  const { deviceId } = await register(client, provisioningKey, signer, {
    enrolment: { ...enrolment, certificate: { ...certificate, signatures } },
  })
  return {
    ...{ id: deviceId, signer },
    keys: {
      "device's key": own.pkcs8,
      "device's receiving key": receiving,
      'enrolment key': made.pkcs8,
    },
  }
}

/** What the server keeps for itself: the master key, and what is sealed under it. */
async function readOwnSecrets(server: TestServer): Promise<PlantedSecrets> {
  const master = (await readFile(join(server.dataDir, 'master.key'), 'utf8')).trim()
  const secrets: Record<string, string | Uint8Array> = {
    'master key': master,
    'master key, raw': Buffer.from(master, 'hex'),
  }
  for (const name of Object.keys(secretPurposes) as SecretName[]) {
    // The anchor is a hash of what everybody may read; the others have their own rows.
    if (
      [
        'trust-anchor',
        'totp-secret',
        'client-secret',
        'held-secret',
        'case-text',
        'advisory-text',
      ].includes(name)
    )
      continue
    const bytes = await openSecret(server, name)
    secrets[name] = bytes
    const key = readPrivateKey(bytes)
    const scalar = key?.export({ format: 'jwk' }).d
    if (scalar !== undefined) secrets[`${name}, its number`] = Buffer.from(scalar, 'base64url')
    // A file of PEM has its Base64 in lines.
    const pem = key?.export({ format: 'pem', type: 'pkcs8' }).toString().split('\n')[1]
    if (pem !== undefined) secrets[`${name} in PEM`] = pem
  }
  return secrets
}

function readPrivateKey(bytes: Uint8Array): KeyObject | undefined {
  for (const form of [
    { key: Buffer.from(bytes), format: 'pem' },
    { key: Buffer.from(bytes), format: 'der', type: 'pkcs8' },
  ] as const) {
    try {
      return createPrivateKey(form)
    } catch {
      // It is of another form, or no key of a pair.
    }
  }
  return undefined
}
