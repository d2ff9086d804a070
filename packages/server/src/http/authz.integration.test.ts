/**
 * The golden tables of who may call what (A4, V4), made by really calling. The first has every kind
 * of credential × every route: where a credential is let through, the answer is about the request
 * (`pass`), otherwise it is 401 or 403. The owner of the column `unconfirmed` has not
 * confirmed with a passkey lately. The second has admins with a scope × every route, about
 * things of one product and fleet that exist: so every 403 is due to the scope.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { formatPath } from '@seaworthy/api/client'
import type { Route } from '@seaworthy/api/route'
import { routes } from '@seaworthy/api/routes'
import { setDevice } from '@seaworthy/api/devices'
import type { ProblemError } from '@seaworthy/api/problems'
import { createInvitation } from '@seaworthy/api/invitations'
import { createRole } from '@seaworthy/api/roles'
import { createToken, getToken, listTokens, revokeToken } from '@seaworthy/api/tokens'
import { tokenRoles } from '@seaworthy/fleet/access'
import { utf8Decode } from '@seaworthy/std/bytes'
import { skipWithout } from '@seaworthy/std/testing/programs'
import type { Signer } from '@seaworthy/trust/keys'
import { expectGolden } from '../../../../tools/golden.ts'
import type { TestBrowser, TestClient, TestServer } from '../testing/index.ts'
import type { ScopedCall } from './scoped-calls.fixture.ts'
import { makeScopedCalls } from './scoped-calls.fixture.ts'
import {
  acceptLink,
  addDevice,
  becomeOwner,
  createTestBrowser,
  createTestClient,
  makeProvisioningKey,
  requireListed,
  runGoClient,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

/** Nothing with these names exists, so that a call that is let through changes nothing. */
const params: Readonly<Record<string, string>> = {
  tokenId: `token_${'0'.repeat(26)}`,
  proposalId: `proposal_${'0'.repeat(26)}`,
  provisioningKeyId: `provisioning_${'0'.repeat(26)}`,
  rolloutId: `rollout_${'0'.repeat(26)}`,
  rebootLockId: `lock_${'0'.repeat(26)}`,
  fleetLockKeyId: `fleetlock_${'0'.repeat(26)}`,
  gatewayTokenId: `gateway_${'0'.repeat(26)}`,
  deviceId: `device_${'0'.repeat(26)}`,
  product: 'absent',
  version: '0.0.0',
  fleet: 'absent',
  variable: 'ABSENT',
  secret: 'ABSENT',
  vulnerability: 'CVE-1999-1',
  statementId: `statement_${'0'.repeat(26)}`,
  role: 'absent',
  personId: `person_${'0'.repeat(26)}`,
  sessionId: `session_${'0'.repeat(26)}`,
  accountKeyId: `accountkey_${'0'.repeat(26)}`,
  passkeyId: `passkey_${'0'.repeat(26)}`,
  provider: 'absent',
  invitationId: `invitation_${'0'.repeat(26)}`,
  approvalId: `approval_${'0'.repeat(26)}`,
  name: 'no_name_of_a_server',
  credential: 'absent',
  caseId: `case_${'0'.repeat(26)}`,
  advisoryId: `advisory_${'0'.repeat(26)}`,
  reader: `person_${'0'.repeat(26)}`,
  leaseId: `lease_${'0'.repeat(26)}`,
}

/**
 * Paths that are not routes of the contract, with the way each answers when it lets a request
 * through.
 */
const rawPaths = [
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/ca.crt'],
  ['GET', '/openapi.json'],
  ['GET', '/metrics'],
  ['GET', '/report'],
  ['GET', '/tuf/timestamp.json'],
  ['GET', '/log/checkpoint'],
  ['GET', '/log/tile/0/000.p/1'],
  ['GET', '/log/tile/entries/000.p/1'],
  ['GET', '/odata/v1/devices'],
  ['GET', '/odata/v1/fleetVariables'],
  ['GET', '/odata/pine/v1/products'],
  ['DELETE', "/odata/v1/devices?dryRun=true&$filter=id%20eq%20'x'"],
  ['GET', '/v2/'],
  ['GET', '/v2/acme/tags/list'],
  ['GET', '/v2/other/tags/list'],
  ['POST', '/v2/acme/blobs/uploads/'],
  ['DELETE', `/v2/acme/manifests/sha256:${'0'.repeat(64)}`],
] as const

/** Roles that people make: one that allows and denies, one that only denies. */
const ownRoles = [
  {
    name: 'dispatcher',
    allows: ['fleet:read', 'device:read', 'device:write', 'token:read', 'token:write'],
    denies: ['secret:write', 'rollout:write'],
  },
  {
    name: 'no-grants',
    allows: ['secret:write'],
    denies: ['person:write', 'token:write', 'role:write', 'log:read', 'registry:delete'],
  },
]
const ownGrants = {
  dispatcher: { role: 'dispatcher' },
  'dispatcher-limited': { role: 'dispatcher', deniedBy: ['no-grants'] },
  'admin-limited': { role: 'admin', deniedBy: ['no-grants'] },
  'operator-limited': { role: 'operator', deniedBy: ['dispatcher'] },
} as const

interface Row {
  readonly name: string
  readonly answers: readonly string[]
}

let server: TestServer
let client: TestClient
let signers: readonly Signer[]

before(async () => {
  server = await startTestServer({ args: ['--report-form'] })
  client = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
})
after(async () => {
  client.close()
  await server.stop()
})

test('A4 V4 every credential on every route answers as the golden table says', async () => {
  const principals = await makePrincipals(server, client)
  const rows: Row[] = []
  for (const route of routes) {
    const answers = []
    for (const headers of principals.values()) {
      answers.push(await callRoute(client, route, { ...ofOurPage(server), ...headers }))
    }
    rows.push({ name: route.name, answers })
  }
  for (const [method, path] of rawPaths) {
    const answers = []
    for (const credential of principals.values()) {
      const headers = { ...ofOurPage(server), ...credential }
      answers.push(classify(await client.send(method, path, { headers })))
    }
    rows.push({ name: `${method} ${path.slice(0, 40)}`, answers })
  }
  // A route that no credential passes is one that this table says nothing about.
  const uncovered = rows.filter(({ answers }) => !answers.includes('pass'))
  assert.deepEqual(uncovered, [])
  expectGolden(new URL('./authz.golden.txt', import.meta.url), format([...principals.keys()], rows))
})

/** The things that calls are about are of the product `acme` and its fleet `shops`. */
const scopes = {
  'product acme': { products: ['acme'] },
  'product other': { products: ['other'] },
  'fleet shops': { fleets: ['shops'] },
  'fleet other': { fleets: ['other'] },
} as const

test('A3 A4 attack: an admin with a scope does nothing beyond it, on any route: the golden table of scopes', async () => {
  const calls = await makeScopedCalls(server, client, signers)
  const ofPeople = routes.filter(({ auth }) => auth === 'actor')
  assert.deepEqual([...calls.keys()].toSorted(), ofPeople.map(({ name }) => name).toSorted())
  const tokens: string[] = []
  for (const [scope, lists] of Object.entries(scopes)) {
    const name = scope.replace(' ', '-')
    const { token } = await client.api.call(createToken, {
      body: { name, role: 'admin', lifetimeSeconds: 3600, ...lists },
    })
    tokens.push(token)
  }
  const rows: Row[] = []
  for (const route of ofPeople) {
    for (const make of calls.get(route.name)!) {
      const answers = []
      let about = ''
      for (const token of tokens) {
        const call = await make()
        about = call.about === undefined ? '' : `, ${call.about}`
        answers.push(await callWithin(route, call, token))
      }
      rows.push({ name: route.name + about, answers })
    }
  }
  for (const [method, path] of rawPaths) {
    const answers = []
    for (const token of tokens) {
      answers.push(classify(await client.send(method, path, { token })))
    }
    rows.push({ name: `${method} ${path.slice(0, 40)}`, answers })
  }
  expectGolden(
    new URL('./authz-scopes.golden.txt', import.meta.url),
    format(Object.keys(scopes), rows),
  )
})

test('A3 attack: an admin of one product neither sees nor revokes the tokens of others', async () => {
  const admin = await client.api.call(createToken, {
    body: { name: 'branch', role: 'admin', products: ['acme'], lifetimeSeconds: 3600 },
  })
  const branch = client.as(admin.token)
  const own = await branch.call(createToken, {
    body: { name: 'clerk', role: 'viewer', products: ['acme'], lifetimeSeconds: 3600 },
  })
  const others = [
    {},
    { products: ['other'] },
    { products: ['acme', 'other'] },
    { fleets: ['shops'] },
  ]
  for (const scope of others) {
    const { view } = await client.api.call(createToken, {
      body: { name: 'stranger', role: 'viewer', lifetimeSeconds: 3600, ...scope },
    })
    const { items } = await branch.call(listTokens, { query: { limit: 1000 } })
    assert.ok(!items.some(({ id }) => id === view.id))
    for (const route of [getToken, revokeToken]) {
      await assert.rejects(
        branch.call(route, { params: { tokenId: view.id } }),
        ({ code }: ProblemError) => code === 'out_of_scope',
      )
    }
  }
  const { items } = await branch.call(listTokens, { query: { limit: 1000 } })
  assert.ok(items.every(({ products }) => products?.every((name) => name === 'acme') === true))
  assert.ok(items.some(({ id }) => id === own.view.id))
  for (const { id } of items) await branch.call(getToken, { params: { tokenId: id } })
  await branch.call(revokeToken, { params: { tokenId: own.view.id } })
  const auditor = await client.api.call(createToken, {
    body: { name: 'auditor', role: 'auditor', lifetimeSeconds: 3600 },
  })
  const body = { params: { tokenId: admin.view.id } }
  const seen = await client.as(auditor.token).call(getToken, body)
  assert.equal(seen.role, 'admin', 'whoever reads the list reads one of it, too')
})

test('V4 A3 a client in Go that a generator made of openapi.json compiles, calls the server and reads by which code it is refused', async (t) => {
  if (skipWithout(t, 'openapi-client')) return
  const body = { name: 'go-viewer', role: 'viewer', lifetimeSeconds: 3600 } as const
  const { token } = await client.api.call(createToken, { body })
  const { id: deviceId } = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await client.api.call(setDevice, { params: { deviceId }, body: { name: 'till-go' } })
  const output = await runGoClient({
    document: (await client.send('GET', '/openapi.json')).bytes,
    authority: (await client.send('GET', '/ca.crt')).bytes,
    env: { SERVER: server.url, ADMIN_TOKEN: server.adminToken, VIEWER_TOKEN: token },
  })
  assert.deepEqual(
    output
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('device ') || line.includes('till-go')),
    [
      'device till-go in shops',
      'made harbour, which follows newest',
      'refused: fleet_exists',
      'refused: permission_denied',
    ],
  )
})

/** Headers that a browser sends with the requests of our own pages; they are no credential. */
function ofOurPage({ url }: TestServer): Record<string, string> {
  return { origin: url, 'sec-fetch-site': 'same-origin' }
}

/** Credentials as headers, by the name of who has them. */
async function makePrincipals(
  server: TestServer,
  client: TestClient,
): Promise<Map<string, Record<string, string>>> {
  const principals = new Map<string, Record<string, string>>([['anonymous', {}]])
  const addToken = (name: string, token: string) =>
    principals.set(name, { authorization: `Bearer ${token}` })
  for (const role of tokenRoles) {
    const { token } = await client.api.call(createToken, {
      body: { name: `as-${role}`, role, lifetimeSeconds: 3600 },
    })
    addToken(role, token)
  }
  for (const { name, ...rules } of ownRoles) {
    await client.api.call(createRole, { body: { name, purpose: 'the table', ...rules } })
  }
  for (const [name, grant] of Object.entries(ownGrants)) {
    const { token } = await client.api.call(createToken, {
      body: { name, ...grant, lifetimeSeconds: 3600 },
    })
    addToken(name, token)
  }
  assert.ok(server.adminToken.startsWith('sw_'))
  const { accessToken } = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  addToken('device', accessToken)
  addToken('provisioning', await makeProvisioningKey(client, 1))
  const addPerson = (name: string, browser: TestBrowser) =>
    principals.set(name, { cookie: `__Host-seaworthy=${browser.cookies.get('__Host-seaworthy')}` })
  const owner = createTestBrowser(server, client)
  await becomeOwner(server, owner)
  addPerson('person-owner', owner)
  const viewer = createTestBrowser(server, client)
  const { link } = await owner.api.call(createInvitation, { body: { role: 'viewer' } })
  await acceptLink(viewer, link, 'Vera Viewer')
  addPerson('person-viewer', viewer)
  const unconfirmed = createTestBrowser(server, client, { authenticator: owner.authenticator })
  const { session } = await unconfirmed.signIn()
  const db = server.openDatabase()
  await db.write(
    ({ sql }) => sql`update sessions set stepped_up_at = null where id = ${session.id}`,
  )
  await db.close()
  addPerson('unconfirmed', unconfirmed)
  return principals
}

/** Calls that would end the credential of the request are sent with a body that is refused. */
const ending = ['token.refresh', 'session.end']

async function callRoute(
  client: TestClient,
  route: Route,
  headers: Record<string, string>,
): Promise<string> {
  const path = formatPath(route.path, params)
  const hasBody =
    ending.includes(route.name) || (route.method !== 'GET' && route.method !== 'DELETE')
  const type = { 'content-type': 'application/json' }
  const answer = await client.send(route.method, path, {
    headers: hasBody ? { ...headers, ...type } : headers,
    ...(hasBody ? { body: '{}' } : {}),
  })
  await requireListedProblem(route, answer)
  return classify(answer)
}

async function callWithin(route: Route, call: ScopedCall, token: string): Promise<string> {
  const path = formatPath(route.path, call.params ?? {})
  const asked = route.method === 'GET' && call.query !== undefined ? `?${call.query}` : ''
  const answer = await client.send(route.method, `${path}${asked}`, {
    token,
    ...(call.body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(call.body) }),
  })
  await requireListedProblem(route, answer)
  // Something that does not exist would tell nothing about scopes.
  assert.notEqual(answer.status, 404, `${route.name}: ${utf8Decode(answer.bytes)}`)
  assert.notEqual(answer.status, 400, `${route.name}: ${utf8Decode(answer.bytes)}`)
  const { code, items } = (answer.status === 204 ? {} : answer.json()) as {
    code?: string
    items?: readonly unknown[]
  }
  // A role that may do everything is refused only because of its scope, and these tokens have no
  // person whose keys there were.
  const refused = route.name.startsWith('account-key.') ? 'permission_denied' : 'out_of_scope'
  if (answer.status === 403)
    assert.ok([refused, 'grant_exceeds_own'].includes(code ?? ''), code ?? '')
  if (answer.status !== 200 || items === undefined) return classify(answer)
  return items.length === 0 ? 'none' : 'some'
}

async function requireListedProblem(
  route: Route,
  { status, json }: { status: number; json: () => unknown },
): Promise<void> {
  if (status >= 400) await requireListed(route, (json() as { code: string }).code)
}

function classify({ status }: { status: number }): string {
  assert.notEqual(status, 500)
  assert.notEqual(status, 429)
  return status === 401 || status === 403 ? String(status) : 'pass'
}

function format(principals: readonly string[], rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length))
  const line = (name: string, cells: readonly string[]) =>
    `${name.padEnd(width)}  ${cells.map((cell, i) => cell.padEnd(principals[i]!.length)).join('  ')}`.trimEnd()
  return `${[line('', principals), ...rows.map(({ name, answers }) => line(name, answers))].join('\n')}\n`
}
