/**
 * Calls for the golden table of scopes: one or more of every route that people use, about things
 * that exist, all of them of the fleet `shops` of the product `acme`. What a call could use up is
 * made anew for each.
 */
import { addAccountKey } from '@seaworthy/api/account-keys'
import { createFleet } from '@seaworthy/api/fleets'
import { createForeignDevice, createGatewayToken } from '@seaworthy/api/foreign-devices'
import { createFleetLockKey } from '@seaworthy/api/reboot-locks'
import { createInvitation } from '@seaworthy/api/invitations'
import { createRole } from '@seaworthy/api/roles'
import { createRollout } from '@seaworthy/api/rollouts'
import { listSecrets, setSecret } from '@seaworthy/api/secrets'
import { createToken } from '@seaworthy/api/tokens'
import { setVariable } from '@seaworthy/api/variables'
import { base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import type { Signer } from '@seaworthy/trust/keys'
import type { ProposalIntent } from '@seaworthy/trust/tuf'
import { formatProposal } from '@seaworthy/trust/tuf'
import type { TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  createTestBrowser,
  makeSshKey,
  fillFleet,
  makeProvisioningKey,
  policyOf,
  propose,
  publishAll,
  report,
  publishIntent,
  pushRelease,
  submit,
} from '../testing/index.ts'
import { makeCaseCalls } from './case-calls.fixture.ts'
import {
  makeVexStatements,
  newDevice,
  storeCredential,
  takeSlot,
  askForApproval,
  newName,
} from './scoped-things.fixture.ts'
import { makeVulnerabilityCalls } from './vulnerability-calls.fixture.ts'

export interface ScopedCall {
  /** What distinguishes this call from others of the same route. */
  readonly about?: string
  readonly params?: Readonly<Record<string, string>>
  readonly query?: string
  readonly body?: unknown
}

type MakeCall = () => ScopedCall | Promise<ScopedCall>

/** The calls by the name of the route. */
export type ScopedCalls = ReadonlyMap<string, readonly MakeCall[]>

interface ListedScope {
  products?: string[]
  fleets?: string[]
}

const listedScopes: Readonly<Record<string, ListedScope>> = {
  'without a scope': {},
  'for acme': { products: ['acme'] },
  'for shops': { products: ['acme'], fleets: ['shops'] },
}

export async function makeScopedCalls(
  server: TestServer,
  client: TestClient,
  signers: readonly Signer[],
): Promise<ScopedCalls> {
  const [release] = await publishAll(client, server.adminToken, signers, ['1.0.0'])
  const pushed = await pushRelease(client, server.adminToken, '2.0.0')
  const [device] = await fillFleet(client, server.url, 1)
  await client.api.call(createFleet, {
    body: { name: 'elsewhere', product: 'acme', channel: 'stable' },
  })
  const { id: rolloutId } = await client.api.call(createRollout, {
    body: { fleet: 'shops', version: '1.0.0', policy: policyOf() },
  })
  const publishing = await propose(client, publishIntent(pushed))
  await submit(client, publishing)
  const growing = await propose(client, {
    kind: 'product-create',
    product: 'harbour',
    authority: { keys: signers.map(({ key }) => key), threshold: 2 },
  })
  await submit(client, growing)

  const vulnerabilityCalls = await makeVulnerabilityCalls(server, client)
  const vex = await makeVexStatements(client, server.adminToken)
  const flawed = { product: 'acme', version: vex.body.version, sha256: vex.sha256, counter: 1 }
  await report(client, device!, { sequence: 1, running: flawed }, true)
  const leaseId = await storeCredential(server)
  const stored = { credential: 'vault' }
  const fleet = { fleet: 'shops' }
  const deviceId = { deviceId: device!.id }
  let variables = 0
  const nextSecret = async () => {
    const { nextVersion } = await client.api.call(listSecrets, { params: fleet })
    return {
      version: nextVersion,
      holderKey: base64Encode(new Uint8Array(32)),
      holderCopy: base64Encode(new Uint8Array(50)),
    }
  }
  const foreign = async () => {
    const body = { protocol: 'ddi', externalId: newName(), platform: 'linux/amd64' } as const
    return (await client.api.call(createForeignDevice, { params: fleet, body })).device.id
  }
  const makeToken = async (scope: { products?: string[]; fleets?: string[] }) => {
    const body = { name: 'clerk', role: 'viewer', lifetimeSeconds: 3600, ...scope } as const
    return (await client.api.call(createToken, { body })).view.id
  }
  const makeProposal = async (intent: ProposalIntent) => {
    const text = utf8Decode(formatProposal(await propose(client, intent)))
    return { proposal: JSON.parse(text) as unknown }
  }
  const ofProposals = (body: unknown): MakeCall[] => [
    () => ({ about: 'of a channel', params: { proposalId: publishing.id }, body }),
    () => ({ about: 'of all products', params: { proposalId: growing.id }, body }),
  ]
  const invite = (scope: ListedScope) =>
    client.api.call(createInvitation, { body: { role: 'viewer', ...structuredClone(scope) } })
  const join = async (scope: ListedScope) => {
    const { link } = await invite(scope)
    return acceptLink(createTestBrowser(server, client), link, 'Peter Person')
  }
  const joinWithKey = async (scope: ListedScope, isNamed: boolean) => {
    const { link } = await invite(scope)
    const browser = createTestBrowser(server, client)
    const { person } = await acceptLink(browser, link, 'Kay Keyholder')
    const body = { name: 'laptop', publicKey: makeSshKey() }
    const { id } = await browser.api.call(addAccountKey, { body })
    return { personId: person.id, ...(isNamed ? { accountKeyId: id } : {}) }
  }
  const ofScopes = (make: (scope: ListedScope) => ScopedCall | Promise<ScopedCall>): MakeCall[] =>
    Object.entries(listedScopes).map(([about, scope]) => async () => ({
      about,
      ...(await make(scope)),
    }))
  const ofPeople = (body?: unknown) =>
    ofScopes(async (scope) => ({ params: { personId: (await join(scope)).person.id }, body }))
  const ofTokens = ofScopes(async (scope) => ({ params: { tokenId: await makeToken(scope) } }))
  const rules = { purpose: 'a test', allows: ['device:read'], denies: ['device:write'] }
  const makeRole = async () => {
    const name = `role-${newName()}`
    await client.api.call(createRole, { body: { name, ...rules } })
    return { role: name }
  }
  const newToken = { name: 'clerk', role: 'viewer', lifetimeSeconds: 3600 }
  const ofRelease = { product: 'acme', version: '1.0.0' }
  const registered = {
    version: '1.0.0',
    digest: `sha256:${release!.sha256}`,
  }
  return new Map<string, readonly MakeCall[]>([
    ['server.whoami', [() => ({})]],
    ['certificate.show', [() => ({})]],
    ['certificate.request', [() => ({})]],
    ['certificate.add-name', [() => ({ params: { name: `${newName()}.example` } })]],
    ['server-key.show', [() => ({})]],
    ['server-key.announce', [() => ({ body: {} })]],
    ['server-key.use-next', [() => ({ body: { pin: `sha256:${'A'.repeat(43)}` } })]],
    ['certificate.remove-name', [() => ({ params: { name: 'absent.example' } })]],
    ['token.create', ofScopes((scope) => ({ body: { ...newToken, ...scope } }))],
    ['token.list', [() => ({})]],
    ['token.show', ofTokens],
    ['token.revoke', ofTokens],
    // This route is about the token of the request, which it ends.
    ['token.refresh', []],
    [
      'session.list',
      [
        async () => {
          await join({ products: ['acme'], fleets: ['shops'] })
          return {}
        },
      ],
    ],
    [
      'session.revoke',
      ofScopes(async (scope) => ({ params: { sessionId: (await join(scope)).session.id } })),
    ],
    ['account-key.list', [() => ({})]],
    ['account-key.create', [() => ({ body: { name: 'laptop', publicKey: 'no key' } })]],
    ['account-key.remove', [() => ({ params: { accountKeyId: `accountkey_${'0'.repeat(26)}` } })]],
    ['sign-in-policy.show', [() => ({})]],
    [
      'sign-in-policy.set',
      [() => ({ body: { passkeyRoles: ['owner', 'admin', 'releaser'] }, query: 'dryRun=yes' })],
    ],
    ['person.list', [() => ({})]],
    ['person.show', ofPeople()],
    ['person.keys', ofScopes(async (scope) => ({ params: await joinWithKey(scope, false) }))],
    ['person.remove-key', ofScopes(async (scope) => ({ params: await joinWithKey(scope, true) }))],
    ['person.set', ofPeople({ name: 'Another Name' })],
    ['person.disable', ofPeople()],
    ['person.enable', ofPeople()],
    ['person.reinvite', ofPeople()],
    ['invitation.create', ofScopes((scope) => ({ body: { role: 'viewer', ...scope } }))],
    ['invitation.list', [() => ({})]],
    [
      'invitation.revoke',
      ofScopes(async (scope) => ({ params: { invitationId: (await invite(scope)).view.id } })),
    ],
    ['role.list', [() => ({})]],
    ['role.show', [async () => ({ params: await makeRole() })]],
    ['role.create', [() => ({ body: { name: `role-${newName()}`, ...rules } })]],
    ['role.change', [async () => ({ params: await makeRole(), body: { ...rules, version: 1 } })]],
    ['role.remove', [async () => ({ params: await makeRole() })]],
    ['grant.list', [() => ({})]],
    ['access-review.changes', [() => ({})]],
    // What is reviewed is compared with what was shown only within the scope.
    ['access-review.create', [() => ({ body: { grantsSha256: '0'.repeat(64) } })]],
    [
      'approval.list',
      [
        async () => {
          await askForApproval(server)
          return {}
        },
      ],
    ],
    ['approval-policy.show', [() => ({})]],
    ['approval.show', [async () => ({ params: { approvalId: await askForApproval(server) } })]],
    [
      'approval.reject',
      [
        async () => ({
          params: { approvalId: await askForApproval(server) },
          body: { reason: 'a test' },
        }),
      ],
    ],
    // Withdrawing is for whoever asked, whatever the scope.
    ['approval.withdraw', []],
    ['trust.create-online-key', [() => ({ params: { role: 'snapshot' } })]],
    ['trust.online-keys', [() => ({})]],
    ['trust.status', [() => ({})]],
    ['proposal.sign', ofProposals({ signatures: {} })],
    ['proposal.apply', ofProposals(undefined)],
    [
      'proposal.create',
      [
        async () => ({ about: 'of a channel', body: await makeProposal(publishIntent(pushed)) }),
        async () => ({
          about: 'of all products',
          body: await makeProposal({
            kind: 'product-create',
            product: 'pier',
            authority: { keys: signers.map(({ key }) => key), threshold: 2 },
          }),
        }),
      ],
    ],
    ['proposal.list', [() => ({})]],
    ['proposal.show', ofProposals(undefined)],
    ['proposal.changes', ofProposals(undefined)],
    ['proposal.reject', ofProposals({ reason: 'a test' })],
    ['product.list', [() => ({})]],
    ['product.show', [() => ({ params: { product: 'acme' } })]],
    ['product.dependents', [() => ({ params: { product: 'acme' } })]],
    ['release.create', [() => ({ params: { product: 'acme' }, body: registered })]],
    ['release.list', [() => ({ params: { product: 'acme' } })]],
    ['release.show', [() => ({ params: ofRelease })]],
    ['release.vulnerabilities', [() => ({ params: ofRelease })]],
    ['vex.set', [() => ({ body: vex.body })]],
    ['vex.import', [() => ({ body: vex.imported })]],
    [
      'release.vex-statements',
      [() => ({ params: { product: 'acme', version: vex.body.version } })],
    ],
    ['vex.list', [() => ({})]],
    ['vex.show', [async () => ({ params: await vex.make() })]],
    ['vex.withdraw', [async () => ({ params: await vex.make() })]],
    ['release.files', [() => ({ params: ofRelease, query: 'platform=linux/amd64' })]],
    ['release.packages', [() => ({ params: ofRelease, query: 'platform=linux/amd64' })]],
    ['release.changes', [() => ({ params: ofRelease, query: `from=${ofRelease.version}` })]],
    [
      'fleet.create',
      [() => ({ body: { name: `fleet-${newName()}`, product: 'acme', channel: 'stable' } })],
    ],
    ['fleet.list', [() => ({})]],
    ['fleet.show', [() => ({ params: fleet })]],
    ['fleet.dependents', [() => ({ params: fleet })]],
    ['fleet.remove', [() => ({ params: fleet })]],
    ['fleet.set', [() => ({ params: fleet, body: { pollSeconds: 60 } })]],
    ['fleet.versions', [() => ({ params: fleet })]],
    [
      'provisioning-key.create',
      [() => ({ params: fleet, body: { uses: 1, lifetimeSeconds: 3600 } })],
    ],
    ['provisioning-key.list', [() => ({ params: fleet })]],
    [
      'provisioning-key.revoke',
      [
        async () => {
          const [, id] = (await makeProvisioningKey(client, 1)).split('_')
          return { params: { provisioningKeyId: `provisioning_${id}` } }
        },
      ],
    ],
    ['fleetlock-key.create', [() => ({ params: fleet })]],
    ['fleetlock-key.list', [() => ({ params: fleet })]],
    [
      'fleetlock-key.revoke',
      [
        async () => {
          const { view } = await client.api.call(createFleetLockKey, { params: fleet })
          return { params: { fleetLockKeyId: view.id } }
        },
      ],
    ],
    [
      'reboot-lock.list',
      [
        async () => {
          await takeSlot(server)
          return { params: fleet }
        },
      ],
    ],
    [
      'reboot-lock.release',
      [
        async () => ({
          params: { rebootLockId: await takeSlot(server) },
          body: { reason: 'a test' },
        }),
      ],
    ],
    ['product.set-quota', [() => ({ params: { product: 'acme' }, body: { quotaBytes: 2 ** 40 } })]],
    ['omaha-app.set', [() => ({ params: { product: 'acme' }, body: { appId: 'acme-app' } })]],
    ['devices.list', [() => ({})]],
    ['devices.count', [() => ({})]],
    [
      'variable.list',
      [
        async () => {
          const params = { ...fleet, variable: 'COLOUR' }
          await client.api.call(setVariable, { params, body: { value: 'red' } })
          return { params: fleet }
        },
      ],
    ],
    [
      'variable.set',
      [() => ({ params: { ...fleet, variable: 'COLOUR' }, body: { value: 'red' } })],
    ],
    [
      'variable.remove',
      [
        async () => {
          const variable = `V${(variables += 1)}`
          await client.api.call(setVariable, {
            params: { fleet: fleet.fleet, variable },
            body: { value: 'red' },
          })
          return { params: { ...fleet, variable } }
        },
      ],
    ],
    [
      'secret.list',
      [
        async () => {
          const params = { ...fleet, secret: 'TOKEN' }
          await client.api.call(setSecret, { params, body: await nextSecret() })
          return { params: fleet }
        },
      ],
    ],
    [
      'secret.set-held',
      [() => ({ params: { ...fleet, secret: 'HELD' }, body: { product: 'acme', value: 'AAAA' } })],
    ],
    [
      'secret.set',
      [async () => ({ params: { ...fleet, secret: 'TOKEN' }, body: await nextSecret() })],
    ],
    [
      'secret.seal',
      [
        async () => {
          const { version } = await client.api.call(setSecret, {
            params: { fleet: fleet.fleet, secret: 'SEALED' },
            body: await nextSecret(),
          })
          const seals = [{ ...deviceId, sealed: base64Encode(new Uint8Array(50)) }]
          return { params: { ...fleet, secret: 'SEALED' }, body: { version, seals } }
        },
      ],
    ],
    [
      'secret.remove',
      [
        async () => {
          await client.api.call(setSecret, {
            params: { fleet: fleet.fleet, secret: 'GONE' },
            body: await nextSecret(),
          })
          return { params: { ...fleet, secret: 'GONE' } }
        },
      ],
    ],
    ['stored-credential.list', [() => ({})]],
    ['stored-credential.show', [() => ({ params: stored })]],
    [
      'stored-credential.add',
      [() => ({ body: { name: `credential-${newName()}`, kind: 'value', value: 'AAAA' } })],
    ],
    ['stored-credential.replace', [() => ({ params: stored, body: { value: 'AAAA' } })]],
    ['stored-credential.remove', [() => ({ params: stored })]],
    ...(await makeCaseCalls(client)),
    ...vulnerabilityCalls,
    ['lease.list', [() => ({})]],
    ['lease.request', [() => ({ body: { ...stored, reason: 'a test', seconds: 60 } })]],
    ['lease.open', [() => ({ params: { leaseId } })]],
    ['lease.end', [() => ({ params: { leaseId } })]],
    ['devices.show', [() => ({ params: deviceId })]],
    ['devices.enrolments', [() => ({ params: fleet })]],
    [
      'devices.set',
      [
        () => ({ about: 'its name', params: deviceId, body: { name: 'till' } }),
        async () => ({
          about: 'into another fleet of acme',
          params: { deviceId: await newDevice(server, client) },
          body: { fleet: 'elsewhere' },
        }),
      ],
    ],
    [
      'devices.move',
      [
        async () => ({
          about: 'into another fleet of acme',
          params: fleet,
          body: { deviceIds: [await newDevice(server, client)], toFleet: 'elsewhere' },
        }),
      ],
    ],
    ['devices.remove', [async () => ({ params: { deviceId: await newDevice(server, client) } })]],
    ['device.why', [() => ({ params: deviceId })]],
    ['device.updates', [() => ({ params: deviceId })]],
    ['device.vulnerabilities', [() => ({ params: deviceId })]],
    [
      'rollout.create',
      [() => ({ body: { fleet: 'shops', version: '1.0.0', policy: policyOf() } })],
    ],
    ['rollout.check', [() => ({ body: { fleet: 'shops', version: '1.0.0', policy: policyOf() } })]],
    ['rollout.list', [() => ({})]],
    ['rollout.show', [() => ({ params: { rolloutId } })]],
    ['rollout.history', [() => ({ params: { rolloutId } })]],
    ['rollout.updates', [() => ({ params: { rolloutId } })]],
    ['rollout.why', [() => ({ params: { rolloutId, ...deviceId } })]],
    ['rollout.approve', [() => ({ params: { rolloutId }, body: { wave: 1 } })]],
    [
      'rollout.edit',
      [() => ({ params: { rolloutId }, body: { policy: policyOf(), policyVersion: 1 } })],
    ],
    ['rollout.pause', [() => ({ params: { rolloutId }, body: {} })]],
    ['rollout.resume', [() => ({ params: { rolloutId }, body: {} })]],
    ['rollout.abort', [() => ({ params: { rolloutId }, body: {} })]],
    [
      'foreign-device.create',
      [
        () => ({
          params: fleet,
          body: { protocol: 'ddi', externalId: newName(), platform: 'linux/amd64' },
        }),
      ],
    ],
    ['foreign-device.show', [async () => ({ params: { deviceId: await foreign() } })]],
    ['foreign-device.cancel', [async () => ({ params: { deviceId: await foreign() }, body: {} })]],
    ['foreign-device.rotate', [async () => ({ params: { deviceId: await foreign() }, body: {} })]],
    [
      'gateway-token.create',
      [() => ({ params: fleet, body: { uses: 1, platform: 'linux/amd64' } })],
    ],
    ['gateway-token.list', [() => ({ params: fleet })]],
    [
      'gateway-token.revoke',
      [
        async () => {
          const body = { uses: 1, platform: 'linux/amd64' }
          const { view } = await client.api.call(createGatewayToken, { params: fleet, body })
          return { params: { gatewayTokenId: view.id } }
        },
      ],
    ],
  ])
}
