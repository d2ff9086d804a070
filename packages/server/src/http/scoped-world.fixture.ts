/**
 * One record of every kind that belongs to a product or a fleet, for the walk that compares what
 * readers of one product see before and after another has records, too.
 */
import { createHash } from 'node:crypto'
import { addAccountKey } from '@seaworthy/api/account-keys'
import { setDevice } from '@seaworthy/api/devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { createForeignDevice, createGatewayToken } from '@seaworthy/api/foreign-devices'
import { createInvitation } from '@seaworthy/api/invitations'
import { createFleetLockKey } from '@seaworthy/api/reboot-locks'
import { createRollout } from '@seaworthy/api/rollouts'
import { listSecrets, setSecret } from '@seaworthy/api/secrets'
import { createToken } from '@seaworthy/api/tokens'
import { setVariable } from '@seaworthy/api/variables'
import { base64Encode } from '@seaworthy/std/bytes'
import type { Signer } from '@seaworthy/trust/keys'
import type { ProposalIntent } from '@seaworthy/trust/tuf'
import { pushReleaseOf } from '../app/vulnerabilities/pushed-sboms.fixture.ts'
import type { TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  addDevice,
  carryOut,
  createTestBrowser,
  makeProvisioningKey,
  makeSshKey,
  policyOf,
  propose,
  report,
  submit,
} from '../testing/index.ts'
import { askForApproval, makeVexStatements, takeSlot } from './scoped-things.fixture.ts'

interface On {
  readonly server: TestServer
  readonly client: TestClient
  readonly signers: readonly Signer[]
}

/** The parameters of paths that lead to records of one product, or one fleet. */
type PathParams = Readonly<Record<string, string>>

/** Makes the product with its channel. */
export async function makeProduct({ client, signers }: On, product: string): Promise<void> {
  const authority = { keys: signers.map(({ key }) => key), threshold: 2 }
  await carryOut(client, { kind: 'product-create', product, authority }, signers)
  await carryOut(client, { kind: 'channel-create', product, channel: 'stable', authority }, signers)
}

/** Publishes a release of the product, proposes another, and states something of a third. */
export async function fillProduct(on: On, product: string): Promise<PathParams> {
  const { server, client, signers } = on
  const first = await pushOf(on, product, '1.0.0')
  await carryOut(client, first, signers)
  const publishing = await propose(client, await pushOf(on, product, '2.0.0'))
  await submit(client, publishing)
  const vex = await makeVexStatements(client, server.adminToken, product)
  const { statementId } = await vex.make()
  await shareWith(on, { products: [product] })
  const { version, sha256 } = first.content
  return { product, version, sha256, statementId, proposalId: publishing.id }
}

/** Makes a fleet with whatever a fleet can have: devices, a rollout, settings, keys, requests. */
export async function fillFleet(
  on: On,
  { product, version, sha256 }: { product: string; version: string; sha256: string },
  fleet: string,
): Promise<PathParams> {
  const { server, client } = on
  const { api } = client
  const params = { fleet }
  await api.call(createFleet, {
    body: { name: fleet, product, channel: 'stable', follow: 'rollouts' },
  })
  const reboot = { strategy: 'coordinated', slots: 2, ttlSeconds: null } as const
  await api.call(setFleet, { params, body: { reboot } })
  const key = await makeProvisioningKey(client, 2, fleet)
  const device = await addDevice(client, server.url, key)
  const running = { product, version, sha256, counter: 1 }
  await report(client, device, { sequence: 1, running }, true)
  const updating = await addDevice(client, server.url, key)
  const platform = 'linux/amd64'
  const foreign = await api.call(createForeignDevice, {
    params,
    body: { protocol: 'ddi', externalId: `till-${fleet}`, platform },
  })
  // The rollout comes last: the server counts later members only now and then.
  const rollout = await api.call(createRollout, { body: { fleet, version, policy: policyOf() } })
  await report(client, updating)
  const update = { state: 'downloading' as const, sha256 }
  await report(client, updating, { sequence: 1, update }, true)

  const tags = { region: fleet }
  await api.call(setDevice, { params: { deviceId: device.id }, body: { tags } })
  const variable = { params: { fleet, variable: 'COLOUR' } }
  await api.call(setVariable, { ...variable, body: { value: 'red' } })
  await api.call(setVariable, { ...variable, body: { value: 'blue', deviceId: device.id } })
  const { nextVersion } = await api.call(listSecrets, { params })
  await api.call(setSecret, {
    params: { fleet, secret: 'TOKEN' },
    body: {
      version: nextVersion,
      holderKey: base64Encode(new Uint8Array(32)),
      holderCopy: base64Encode(new Uint8Array(50)),
    },
  })
  await api.call(createFleetLockKey, { params })
  await api.call(createGatewayToken, { params, body: { uses: 1, platform } })
  await takeSlot(server, fleet)
  const approvalId = await askForApproval(server, { product, name: fleet })
  return {
    ...{ fleet, deviceId: device.id, foreignId: foreign.device.id, rolloutId: rollout.id },
    ...{ approvalId, ...(await shareWith(on, { products: [product], fleets: [fleet] })) },
  }
}

/** Gives rights that do not go beyond the scope: by a token, an invitation, and to a person. */
async function shareWith(
  { server, client }: On,
  scope: { products: string[]; fleets?: string[] },
): Promise<PathParams> {
  const grant = { role: 'viewer', ...scope }
  const body = { name: 'clerk', lifetimeSeconds: 3600, ...grant }
  const { view } = await client.api.call(createToken, { body })
  await client.api.call(createInvitation, { body: grant })
  const { link } = await client.api.call(createInvitation, { body: grant })
  const browser = createTestBrowser(server, client)
  const { person } = await acceptLink(browser, link, 'Peter Person')
  await browser.api.call(addAccountKey, { body: { name: 'laptop', publicKey: makeSshKey() } })
  return { tokenId: view.id, personId: person.id }
}

/** Pushes a release with one package that has a flaw; answers how it is published. */
async function pushOf({ server, client }: On, product: string, version: string) {
  const token = server.adminToken
  const purls = ['pkg:npm/tide@1.0.0', `pkg:npm/of-${product}@1.0.0`]
  const sha256 = await pushReleaseOf(client, token, { product, version, purls })
  const path = `/v2/${product}/manifests/sha256:${sha256}`
  const { bytes } = await client.send('GET', path, { token })
  return {
    kind: 'publish',
    content: {
      ...{ product, channel: 'stable', version, kind: 'bundle', platforms: ['linux/amd64'] },
      ...{ hardware: [], security: false, floor: 0, length: bytes.length, sha256 },
      sha512: createHash('sha512').update(bytes).digest('hex'),
    },
  } as const satisfies ProposalIntent
}
