/**
 * The golden table of who may call what (A4, V4), made by really calling: every kind of credential × every route. Where
 * a credential is let through, the answer is about the request (`pass`), otherwise 401 or 403.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPath } from '@seaworthy/api/client'
import type { Route } from '@seaworthy/api/route'
import { routes } from '@seaworthy/api/routes'
import { createToken } from '@seaworthy/api/tokens'
import { roles } from '@seaworthy/fleet/access'
import { expectGolden } from '../../../../tools/golden.ts'
import type { TestClient } from '../testing/index.ts'
import {
  addDevice,
  createTestClient,
  makeProvisioningKey,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

/** No such things exist, so that a call that is let through changes nothing. */
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
  role: 'absent',
}

/** What is not a route of the contract, with the way it answers when it lets a request through. */
const rawPaths = [
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/ca.crt'],
  ['GET', '/openapi.json'],
  ['GET', '/metrics'],
  ['GET', '/tuf/timestamp.json'],
  ['GET', '/log/checkpoint'],
  ['GET', '/log/tile/0/000.p/1'],
  ['GET', '/log/tile/entries/000.p/1'],
  ['GET', '/v2/'],
  ['GET', '/v2/acme/tags/list'],
  ['GET', '/v2/other/tags/list'],
  ['POST', '/v2/acme/blobs/uploads/'],
  ['DELETE', `/v2/acme/manifests/sha256:${'0'.repeat(64)}`],
] as const

interface Row {
  readonly name: string
  readonly answers: readonly string[]
}

test('A4 V4 every credential on every route answers as the golden table says', async () => {
  const server = await startTestServer()
  const client = createTestClient(server)
  try {
    const principals = await makePrincipals(client, server.url, server.adminToken)
    const rows: Row[] = []
    for (const route of routes) {
      const answers = []
      for (const token of principals.values()) answers.push(await callRoute(client, route, token))
      rows.push({ name: route.name, answers })
    }
    for (const [method, path] of rawPaths) {
      const answers = []
      for (const token of principals.values()) {
        answers.push(classify(await client.send(method, path, token === null ? {} : { token })))
      }
      rows.push({ name: `${method} ${path.slice(0, 40)}`, answers })
    }
    // A route that nobody passes is one that this table says nothing about.
    const uncovered = rows.filter(({ answers }) => !answers.includes('pass'))
    assert.deepEqual(uncovered, [])
    expectGolden(
      new URL('./authz.golden.txt', import.meta.url),
      format([...principals.keys()], rows),
    )
  } finally {
    client.close()
    await server.stop()
  }
})

async function makePrincipals(
  client: TestClient,
  url: string,
  adminToken: string,
): Promise<Map<string, string | null>> {
  await setUpTrust(client)
  const principals = new Map<string, string | null>([['anonymous', null]])
  for (const role of roles) {
    const { token } = await client.api.call(createToken, {
      body: { name: `as-${role}`, role, lifetimeSeconds: 3600 },
    })
    principals.set(role, token)
  }
  assert.ok(adminToken.startsWith('sw_'))
  principals.set(
    'device',
    (await addDevice(client, url, await makeProvisioningKey(client, 1))).accessToken,
  )
  principals.set('provisioning', await makeProvisioningKey(client, 1))
  return principals
}

async function callRoute(client: TestClient, route: Route, token: string | null): Promise<string> {
  // The refresh would end the token that the other routes are called with.
  if (route.name === 'token.refresh' && token !== null) {
    return classify(await client.send('POST', '/v1/tokens/self/refresh', { token, body: '{}' }))
  }
  const path = formatPath(route.path, params)
  const hasBody = route.method !== 'GET' && route.method !== 'DELETE'
  return classify(
    await client.send(route.method, path, {
      ...(token === null ? {} : { token }),
      ...(hasBody ? { headers: { 'content-type': 'application/json' }, body: '{}' } : {}),
    }),
  )
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
