import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest, Transport } from '@seaworthy/std/http'
import { createClient, MalformedReplyError } from './client.ts'
import { createFleet, showFleet } from './fleets.ts'
import { describeRoutes } from './openapi.ts'
import { ProblemError } from './problems.ts'
import { resources, routes } from './routes.ts'
import { expectGolden } from '../../../tools/golden.ts'

function answering(status: number, body: unknown, type = 'application/json') {
  const requests: HttpRequest[] = []
  const transport: Transport = async (request) => {
    requests.push(request)
    return {
      status,
      headers: { 'content-type': type },
      body: (async function* () {
        yield utf8Encode(JSON.stringify(body))
      })(),
    }
  }
  return { requests, client: createClient({ baseUrl: 'https://x', transport, token: () => 't' }) }
}

const fleet = {
  name: 'f',
  product: 'p',
  channel: 'c',
  pollSeconds: 1,
  pinnedVersion: null,
  updatesEnabled: true,
  follow: 'newest',
  baselineVersion: null,
  sharedIdentity: 'tell',
  reboot: { strategy: 'immediate' },
  devicesCount: 0,
  createdAt: '2026-01-01T00:00:00Z',
}

test('a call carries token, path and body, and drops members of the reply it does not know', async () => {
  const { requests, client } = answering(201, { ...fleet, later: 1 })
  const view = await client.call(createFleet, { body: { name: 'f', product: 'p', channel: 'c' } })
  assert.deepEqual(view, fleet)
  assert.equal(requests[0]!.headers!['authorization'], 'Bearer t')
})

test('path parameters are encoded, so that a name cannot reach another route', async () => {
  const { requests, client } = answering(200, fleet)
  await client.call(showFleet, { params: { fleet: '../tokens' } })
  assert.equal(requests[0]!.url, 'https://x/v1/fleets/..%2Ftokens')
  for (const name of ['.', '..']) {
    await assert.rejects(client.call(showFleet, { params: { fleet: name } }), /cannot stand in an/)
  }
  assert.equal(requests.length, 1)
})

test('a problem document becomes ProblemError; anything else is malformed', async () => {
  const problem = {
    type: 'about:blank',
    title: 'No',
    status: 404,
    code: 'fleet_unknown',
    detail: 'no fleet f',
  }
  const input = { params: { fleet: 'f' } }
  await assert.rejects(
    answering(404, problem, 'application/problem+json').client.call(showFleet, input),
    (error) => error instanceof ProblemError && error.code === 'fleet_unknown',
  )
  await assert.rejects(
    answering(502, 'x', 'text/html').client.call(showFleet, input),
    MalformedReplyError,
  )
  await assert.rejects(
    answering(200, { name: 'f' }).client.call(showFleet, input),
    MalformedReplyError,
  )
})

test('V1 the HTTP contract is what openapi.golden.json says: a changed field shows in a diff', async () => {
  const text = formatJson(JSON.parse(JSON.stringify(await describeAll())))
  expectGolden(new URL('./openapi.golden.json', import.meta.url), `${text}\n`)
})

/** What the server adds is in docs/api (`server/src/http/openapi.test.ts`). */
const noRules = () => ({ permission: null, approval: null, problems: [] })
const describeAll = () => describeRoutes(resources, '0', noRules, async () => {})

/** A value that fits on one line stands on one. */
function formatJson(value: unknown, indent = ''): string {
  const line = JSON.stringify(value)
  if (typeof value !== 'object' || value === null || indent.length + line.length <= 120) return line
  const inner = `${indent} `
  const items = Array.isArray(value)
    ? value.map((item) => formatJson(item, inner))
    : Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${formatJson(one, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${items.map((item) => inner + item).join(',\n')}\n${indent}${close}`
}

test('every route has its own name and its own method and path, and openapi describes each', async () => {
  assert.ok(routes.length > 30, `saw ${routes.length} routes`)
  assert.equal(new Set(routes.map((r) => r.name)).size, routes.length)
  assert.equal(new Set(routes.map((r) => `${r.method} ${r.path}`)).size, routes.length)
  const text = JSON.stringify(await describeAll())
  for (const route of routes) assert.ok(text.includes(`"operationId":"${route.name}"`), route.name)
})

/**
 * Routes of people that end or hand out something and want no confirmation, and why: the token of
 * the request is traded, the session of the request is signed out, a session is ended (whoever sees
 * a stranger in the list must not be held up).
 */
const unconfirmed = ['token.refresh', 'session.end', 'session.revoke']

test('A2 every route that hands out or ends a credential or a right wants a fresh confirmation', () => {
  const secrets = ['token', 'key', 'link', 'codes']
  const dangerous = routes.filter(({ auth, method, name, reply, stepUp }) => {
    if (stepUp || (auth !== 'actor' && auth !== 'session')) return false
    const members = reply instanceof z.ZodObject ? Object.keys(reply.shape) : []
    const handsOut = members.some((member) => secrets.includes(member))
    return handsOut || method === 'DELETE' || name.startsWith('person.')
  })
  const changing = dangerous.filter(({ method }) => method !== 'GET').map(({ name }) => name)
  assert.deepEqual(changing.toSorted(), unconfirmed.toSorted())
})

test('T9 attack: nothing that a lying server calls a token, a key or a link is pasted into a shell', () => {
  const pasted = ['token', 'key', 'link']
  const seen: string[] = []
  const visit = (name: string, schema: unknown) => {
    if (!(schema instanceof z.ZodObject)) return
    for (const [member, value] of Object.entries(schema.shape)) {
      if (pasted.includes(member) && value instanceof z.ZodString) {
        seen.push(`${name}.${member}`)
        for (const evil of ['x; rm -rf /', '$(id)', '\u001b[2K', `sw_${'0'.repeat(26)}`])
          assert.equal(value.safeParse(evil).success, false, `${name}.${member} takes ${evil}`)
      } else visit(name, value)
    }
  }
  for (const { name, reply } of routes) {
    if (reply instanceof z.ZodUnion || reply instanceof z.ZodDiscriminatedUnion)
      for (const option of reply.options) visit(name, option)
    else visit(name, reply)
  }
  assert.ok(
    seen.includes('token.create.token') && seen.includes('pairing.fetch.token'),
    seen.join(),
  )
})
