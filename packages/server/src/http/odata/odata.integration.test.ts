/** OData over HTTPS: who sees what, what is refused and how, and the form of answers. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { setDevice } from '@seaworthy/api/devices'
import { createFleet } from '@seaworthy/api/fleets'
import { createRollout } from '@seaworthy/api/rollouts'
import { createToken } from '@seaworthy/api/tokens'
import { setVariable } from '@seaworthy/api/variables'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import { allowPauses } from '../../db/connection.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  createTestClient,
  makeProvisioningKey,
  policyOf,
  publishAll,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
/** Tokens by who has them. */
let tokens: { admin: string; viewer: string; shops: string; other: string }
let devices: { id: string; fleet: string }[]

interface Answered {
  readonly status: number
  readonly text: string
  readonly body: {
    readonly value: Record<string, unknown>[]
    readonly d: Record<string, unknown>[]
    readonly code: string
    readonly detail: string
    readonly [name: string]: unknown
  }
}

async function ask(
  path: string,
  options: Record<string, string> = {},
  token = tokens.admin,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const query = Object.entries(options).map(([name, text]) => `${name}=${encodeURIComponent(text)}`)
  const address = path.startsWith('/') || path.startsWith('https:') ? path : `/odata/v1/${path}`
  const answer = await client.send(
    'GET',
    `${address}${query.length > 0 ? '?' : ''}${query.join('&')}`,
    {
      token,
      headers,
    },
  )
  const text = utf8Decode(answer.bytes)
  const body = (text.startsWith('{') ? JSON.parse(text) : {}) as Answered['body']
  return { status: answer.status, text, body }
}

before(async () => {
  server = await startTestServer()
  client = createTestClient(server)
  const { signers } = await setUpTrust(client)
  await publishAll(client, server.adminToken, signers, ['1.0.0'])
  const stable = { product: 'acme', channel: 'stable' }
  await client.api.call(createFleet, { body: { name: 'ships', ...stable, follow: 'rollouts' } })
  devices = []
  for (const [i, fleet] of ['shops', 'ships', 'shops', 'ships', 'shops'].entries()) {
    const key = await makeProvisioningKey(client, 1, fleet)
    const { id: deviceId } = await addDevice(client, server.url, key)
    await client.api.call(setDevice, {
      params: { deviceId },
      body: { name: `till-${i}`, tags: { region: i < 3 ? 'north' : 'south', site: `${i}` } },
    })
    devices.push({ id: deviceId, fleet })
  }
  await client.api.call(createRollout, {
    body: { fleet: 'ships', version: '1.0.0', policy: policyOf() },
  })
  for (const fleet of ['shops', 'ships']) {
    const params = { fleet, variable: 'COLOUR' }
    await client.api.call(setVariable, { params, body: { value: fleet } })
  }
  const make = async (name: string, role: 'viewer' | 'admin', fleets?: string[]) => {
    const scope = fleets === undefined ? {} : { fleets }
    const body = { name, role, lifetimeSeconds: 3600, ...scope }
    return (await client.api.call(createToken, { body })).token
  }
  tokens = {
    admin: server.adminToken,
    viewer: await make('viewer', 'viewer'),
    shops: await make('shops', 'admin', ['shops']),
    other: await make('other', 'admin', ['other']),
  }
})
after(async () => {
  client.close()
  await server.stop()
})

const idsOf = ({ body }: Answered) => body.value.map(({ id }) => id as string).toSorted()

test('A3 attack: a person with a scope reaches nothing beyond it, by no way of asking', async () => {
  const shops = devices.filter(({ fleet }) => fleet === 'shops').map(({ id }) => id)
  const ship = devices.find(({ fleet }) => fleet === 'ships')!.id
  const own = (path: string, options: Record<string, string> = {}) =>
    ask(path, options, tokens.shops)
  assert.deepEqual(idsOf(await own('devices')), shops.toSorted())
  assert.equal((await own('devices', { $count: 'true' })).body['@odata.count'], shops.length)
  assert.equal((await own('devices/$count')).text, String(shops.length))
  assert.equal((await own(`devices('${ship}')`)).status, 404)
  assert.equal((await own(`devices('${ship}')/hasTags`)).status, 404)
  assert.equal((await own(`devices('${ship}')/hasTags/$count`)).status, 404)
  assert.equal((await own("fleets('ships')/hasDevices")).status, 404)
  assert.deepEqual(idsOf(await own('devices', { $filter: "fleet eq 'ships'" })), [])
  assert.deepEqual(idsOf(await own('devices', { $search: 'till-1' })), [])
  const named = await own('fleets', { $filter: "hasDevices/any(d: startswith(d/id, 'device_'))" })
  assert.deepEqual(
    named.body.value.map(({ name }) => name),
    ['shops'],
  )
  // Whether a thing of others exists is not to be found out by what a filter finds of one's own.
  const product = await own('products', {
    $filter: "hasFleets/any(f: f/name eq 'ships')",
  })
  assert.deepEqual(product.body.value, [])
  const counted = await own('products', { $expand: 'hasFleets/$count,hasReleases' })
  assert.equal(counted.status, 200, counted.text)
  assert.equal(counted.body.value[0]!['hasFleets@odata.count'], 1)
  const tags = await own('deviceTags', { $filter: `device eq '${ship}'` })
  assert.deepEqual(tags.body.value, [])
  const deep = await own('products', { $expand: 'hasFleets($expand=hasDevices,hasRollouts)' })
  const fleets = deep.body.value[0]!['hasFleets'] as { name: string; hasDevices: unknown[] }[]
  assert.deepEqual(
    fleets.map(({ name, hasDevices }) => [name, hasDevices.length]),
    [['shops', 3]],
  )
  for (const set of ['rollouts', 'updates']) assert.deepEqual((await own(set)).body.value, [])
  const variables = await own('fleetVariables')
  assert.deepEqual(
    variables.body.value.map(({ fleet }) => fleet),
    ['shops'],
  )
  // The place in a page of somebody with a wider scope opens nothing either.
  const page = await ask('devices', { $filter: "fleet eq 'ships'", $top: '2' }, tokens.admin, {
    prefer: 'odata.maxpagesize=1',
  })
  const next = new URL(page.body['@odata.nextLink'] as string)
  const continued = await ask(next.pathname + next.search, {}, tokens.shops)
  assert.deepEqual(continued.body.value, [])
  for (const set of ['devices', 'fleets', 'deviceTags', 'rollouts', 'updates', 'fleetVariables']) {
    assert.deepEqual((await ask(set, {}, tokens.other)).body.value, [], set)
  }
})

test('A4 attack: a set that a role does not read is reached neither by links nor by filters', async () => {
  const ways: [string, Record<string, string>?][] = [
    ['fleetVariables'],
    ['fleetVariables/$count'],
    ['fleets', { $expand: 'hasVariables' }],
    ['fleets', { $expand: 'hasVariables/$count' }],
    ['fleets', { $expand: 'hasDevices($expand=hasVariables)' }],
    ['fleets', { $filter: "hasVariables/any(v: v/value eq 'shops')" }],
    ['fleets', { $filter: 'hasVariables/any()' }],
    ['fleets', { $filter: 'hasVariables/$count gt 0' }],
    ["fleets('shops')/hasVariables"],
    ["fleets('shops')/hasVariables/$count"],
    ['devices', { $filter: "hasVariables/all(v: v/value eq 'x') and fleet eq 'shops'" }],
    ['devices', { $filter: "inFleet/hasVariables/any(v: v/value eq 'x') and fleet eq 'shops'" }],
  ]
  for (const [path, options] of ways) {
    const refused = await ask(path, options, tokens.viewer)
    assert.equal(refused.body.code, 'permission_denied', `${path} ${JSON.stringify(options)}`)
    assert.equal((await ask(path, options, tokens.admin)).status, 200, path)
  }
  const anonymous = await client.send('GET', '/odata/v1/devices', {})
  assert.equal(anonymous.status, 401)
})

test('A4 pages lead to all entities, also within expanded links', async () => {
  const seen: unknown[] = []
  let page = await ask('devices', { $orderby: 'name desc', $count: 'true' }, tokens.admin, {
    prefer: 'odata.maxpagesize=2',
  })
  for (;;) {
    for (const { name } of page.body.value) seen.push(name)
    assert.equal(page.body['@odata.count'], 5)
    const link = page.body['@odata.nextLink'] as string | undefined
    if (link === undefined) break
    const next = new URL(link)
    page = await ask(next.pathname + next.search, {}, tokens.admin, { prefer: 'maxpagesize=2' })
  }
  assert.deepEqual(seen, ['till-4', 'till-3', 'till-2', 'till-1', 'till-0'])
  const top = await ask('devices', { $top: '3' }, tokens.admin, { prefer: 'maxpagesize=2' })
  const rest = new URL(top.body['@odata.nextLink'] as string)
  assert.equal(rest.searchParams.get('$top'), '1')
  const last = await ask(rest.pathname + rest.search)
  assert.equal(last.body.value.length, 1)
  assert.equal(last.body['@odata.nextLink'], undefined)
})

test('A4 an answer has the form of OData v4: context, entities, links and counts', async () => {
  const [device] = devices
  const one = await ask(`devices('${device!.id}')`, {
    $select: 'id,name,registeredAt',
    $expand: "inFleet($select=name),hasTags($filter=name eq 'region';$count=true)",
  })
  const { registeredAt, ...rest } = one.body
  assert.match(String(registeredAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(rest, {
    '@odata.context': `${server.url}/odata/v1/$metadata#devices(id,name,registeredAt,inFleet(),hasTags())/$entity`,
    id: device!.id,
    name: 'till-0',
    inFleet: { name: 'shops' },
    'hasTags@odata.count': 1,
    hasTags: [{ device: device!.id, name: 'region', value: 'north' }],
  })
  const tagged = await ask('devices', {
    $filter: "hasTags/any(t: t/name eq 'region' and t/value eq 'south')",
    $orderby: 'name',
  })
  assert.deepEqual(
    tagged.body.value.map(({ name }) => name),
    ['till-3', 'till-4'],
  )
  const found = await ask('devices', { $search: 'till-1 OR till-2' })
  assert.equal(found.body.value.length, 2)
  const recent = await ask('devices', { $filter: "registeredAt gt now() sub duration'PT1H'" })
  assert.equal(recent.body.value.length, 5)
  const releases = await ask('rollouts', { $expand: 'ofRelease,inFleet($expand=ofChannel)' })
  const [rollout] = releases.body.value as { ofRelease: object; inFleet: { ofChannel: object } }[]
  assert.equal((rollout!.ofRelease as { version: string }).version, '1.0.0')
  assert.equal((rollout!.inFleet.ofChannel as { newestVersion: string }).newestVersion, '1.0.0')
  const service = await ask('')
  assert.ok(service.body.value.some(({ name }) => name === 'devices'))
  const metadata = await ask('$metadata')
  assert.match(metadata.text, /<EntitySet Name="devices" EntityType="Seaworthy.Device">/)
})

test('A4 attack: hostile questions are refused by name and place, and never fail', async () => {
  const filter = (text: string) => ['devices', { $filter: text }] as const
  const hostile: [readonly [string, Record<string, string>], string][] = [
    [filter(`${'('.repeat(100)}id eq 'x'${')'.repeat(100)}`), 'odata_too_large'],
    [filter(`${'not('.repeat(100)}id eq 'x'${')'.repeat(100)}`), 'odata_too_large'],
    [filter(`id eq '${'x'.repeat(9000)}'`), 'odata_too_large'],
    [filter(`id in (${Array.from({ length: 501 }, () => "'x'").join(',')})`), 'odata_too_large'],
    [filter('password eq 1'), 'odata_name_unknown'],
    [filter('constructor eq 1'), 'odata_name_unknown'],
    [filter("__proto__/x eq 'y'"), 'odata_name_unknown'],
    [filter("id eq 'x\0y'"), 'odata_malformed'],
    [filter("id eq 'x"), 'odata_malformed'],
    [filter("id eq 'x' and"), 'odata_malformed'],
    [filter("id eq 'x') or (1 eq 1"), 'odata_malformed'],
    [filter("id eq 'x'; drop table devices"), 'odata_malformed'],
    [filter("id eq 'x' -- "), 'odata_malformed'],
    [filter('id eq 1'), 'odata_malformed'],
    [filter('registeredAt gt 0000-01-01T00:00:00Z'), 'odata_malformed'],
    [filter('registeredAt gt 2026-99-01T00:00:00Z'), 'odata_malformed'],
    [filter("registeredAt gt now() sub duration'P99999D'"), 'ok'],
    [filter("registeredAt gt 0001-01-01T00:00:00Z sub duration'PT1S'"), 'odata_malformed'],
    [filter('clockOffsetSeconds eq 999999999999999999'), 'odata_malformed'],
    [filter("pg_sleep(id) eq 'x'"), 'odata_not_supported'],
    [filter("contains(name,'till')"), 'odata_not_indexed'],
    [filter("agentVersion eq '1'"), 'odata_not_indexed'],
    [filter("not (id eq 'x')"), 'odata_not_indexed'],
    [filter("id eq 'x' or agentVersion eq '1'"), 'odata_not_indexed'],
    [['devices', { $orderby: 'lastSeenAt' }], 'odata_not_indexed'],
    [['devices', { $orderby: 'inFleet/name' }], 'odata_name_unknown'],
    [['fleets', { $filter: "hasDevices/all(d: d/id eq 'x')" }], 'odata_not_indexed'],
    [['fleets', { $filter: 'hasDevices/$count gt 1' }], 'odata_not_indexed'],
    [['devices', { $select: 'publicKey' }], 'odata_name_unknown'],
    [['devices', { $expand: 'hasSecrets' }], 'odata_name_unknown'],
    [['devices', { $expand: 'hasTags($levels=max)' }], 'odata_not_supported'],
    [['devices', { $expand: 'hasTags($top=1' }], 'odata_malformed'],
    [['devices', { $apply: 'aggregate(id)' }], 'odata_not_supported'],
    [['devices', { $top: '-1' }], 'odata_malformed'],
    [['devices', { $top: '1e3' }], 'odata_malformed'],
    [['devices', { $skip: '1000000' }], 'odata_too_large'],
    [['devices', { $skiptoken: 'AAAA' }], 'odata_malformed'],
    [['devices', { $skiptoken: btoa('["a","b"]').replace(/=+$/, '') }], 'odata_malformed'],
    [['devices', { $search: '"' }], 'odata_malformed'],
    [['updates', { $search: 'x' }], 'odata_not_supported'],
    [
      ['fleets', { $expand: 'hasDevices($top=1000;$expand=hasTags($top=1000))' }],
      'odata_too_large',
    ],
    [['nothing', {}], 'odata_name_unknown'],
    [["devices(fleet='x')", {}], 'odata_malformed'],
    [["devices('x')/$value", {}], 'odata_name_unknown'],
    [["devices('x')", {}], 'odata_not_found'],
  ]
  for (const [[path, options], code] of hostile) {
    const about = `${path} ${JSON.stringify(options).slice(0, 100)}`
    const { status, body } = await ask(path, options)
    if (code === 'ok') {
      assert.equal(status, 200, about)
      continue
    }
    assert.equal(body.code, code, `${about}: ${body.detail}`)
    if (code !== 'odata_not_found') assert.match(body.detail, /, character \d+: /, about)
  }
  const twice = await ask('/odata/v1/devices?$top=1&$top=2')
  assert.equal(twice.body.code, 'invalid_request')
  assert.equal((await ask('/odata/v1/%ff')).body.code, 'invalid_request')
  const changed = await client.send('DELETE', '/odata/v1/devices', { token: tokens.admin })
  assert.equal(changed.status, 400, 'no entity is named')
  const put = await client.send('PUT', '/odata/v1/devices', { token: tokens.admin })
  assert.equal(put.status, 405)
})

test('A4 attack: questions that take long end, and keep nobody else waiting', async () => {
  const db = server.openDatabase()
  let release = () => {}
  const asked = new Promise<void>((resolve) => {
    release = resolve
  })
  let locked = () => {}
  const isLocked = new Promise<void>((resolve) => {
    locked = resolve
  })
  // Whatever it is that a question waits for or works at: here it is a lock.
  const holding = db.write(async (tx) => {
    await allowPauses(tx)
    await tx.sql`lock table settings in access exclusive mode`
    locked()
    await asked
  })
  try {
    await isLocked
    const codes: string[] = []
    const slow = Array.from({ length: 12 }, async () => {
      codes.push((await ask('fleetVariables')).body.code)
    })
    const beside = await ask('/v1/devices')
    assert.equal(beside.status, 200)
    await waitUntil('a question ends', () => codes.includes('odata_too_slow'))
    release()
    await Promise.all(slow)
    assert.equal(codes.filter((code) => code === 'odata_waiting').length, 4)
  } finally {
    release()
    await holding
    await db.close()
  }
  assert.equal((await ask('fleetVariables')).status, 200)
})

/** The part of `pinejs-client-core` that is used here; its own types need 66 packages. */
interface PineClient {
  get(params: {
    resource: string
    id?: string | Record<string, string>
    options?: Record<string, unknown>
  }): Promise<unknown>
}
interface PineModule {
  readonly PinejsClientCore: new (root: string) => PineClient
}

test('V4 the client of balena finds devices, links and numbers as it is used to', async (t) => {
  if (skipWithout(t, 'odata-clients')) return
  const { PinejsClientCore } = createRequire(import.meta.url)(
    findProgram('odata-clients')!,
  ) as PineModule
  class Pine extends PinejsClientCore {
    async _request({ method, url }: { method: string; url: string }): Promise<unknown> {
      assert.equal(method, 'GET')
      const { status, text, body } = await ask(url)
      if (status !== 200) throw new Error(`${status} ${text}`)
      return body
    }
  }
  const pine = new Pine('/odata/pine/v1/')
  const [device] = devices
  const names = (found: unknown) => (found as { name: string }[]).map(({ name }) => name)

  const one = await pine.get({
    resource: 'devices',
    id: device!.id,
    options: { $select: ['id', 'name'], $expand: { inFleet: { $select: 'name' } } },
  })
  assert.deepEqual(one, { id: device!.id, name: 'till-0', inFleet: [{ name: 'shops' }] })
  const tag = await pine.get({ resource: 'deviceTags', id: { device: device!.id, name: 'region' } })
  assert.deepEqual(tag, { device: device!.id, name: 'region', value: 'north' })
  assert.equal(await pine.get({ resource: 'devices', id: `device_${'0'.repeat(26)}` }), undefined)

  const shops = await pine.get({
    resource: 'devices',
    options: {
      $filter: {
        inFleet: { $any: { $alias: 'f', $expr: { f: { name: 'shops' } } } },
        platform: { $ne: 'linux/mips' },
      },
      $orderby: 'name desc',
      $top: 2,
      $skip: 1,
    },
  })
  assert.deepEqual(names(shops), ['till-2', 'till-0'])
  const listed = await pine.get({
    resource: 'devices',
    options: { $filter: { name: { $in: ['till-1', 'till-3', "o'till"] } }, $orderby: 'name asc' },
  })
  assert.deepEqual(names(listed), ['till-1', 'till-3'])
  const written = await pine.get({
    resource: 'devices',
    options: {
      $filter: {
        $and: [
          { $startswith: [{ $: 'name' }, 'till'] },
          { $not: { $contains: [{ $: 'name' }, '-4'] } },
          { registeredAt: { $gt: { $sub: [{ $now: {} }, { $duration: { hours: 1 } }] } } },
        ],
      },
      $orderby: 'name asc',
    },
  })
  assert.deepEqual(names(written), ['till-0', 'till-1', 'till-2', 'till-3'])
  const tagged = await pine.get({
    resource: 'devices',
    options: {
      $filter: {
        hasTags: { $any: { $alias: 't', $expr: { t: { name: 'region', value: 'south' } } } },
      },
      $orderby: 'name asc',
    },
  })
  assert.deepEqual(names(tagged), ['till-3', 'till-4'])
  const count = await pine.get({
    resource: 'devices',
    options: { $count: { $filter: { fleet: 'ships' } } },
  })
  assert.equal(count, 2)
  const fleets = await pine.get({
    resource: 'fleets',
    options: {
      $select: 'name',
      $expand: { hasDevices: { $count: {} } },
      $orderby: 'name asc',
    },
  })
  assert.deepEqual(fleets, [
    { name: 'ships', hasDevices: 2 },
    { name: 'shops', hasDevices: 3 },
  ])
})

/** The part of `pinejs-client-fetch` that is used here. */
interface FetchModule {
  readonly default: new (
    params: { apiPrefix: string },
    backend: { fetch: (url: string, request: { method: string }) => Promise<Response> },
  ) => PineClient
}

test('V4 the client of balena that sends by fetch finds devices, links and numbers, and tells of a refusal', async (t) => {
  if (skipWithout(t, 'odata-clients')) return
  // It comes with an older core of its own, and sends each request itself.
  const load = createRequire(findProgram('odata-clients')!)
  const PineFetch = (load('pinejs-client-fetch') as FetchModule).default
  const pine = new PineFetch(
    { apiPrefix: '/odata/pine/v1/' },
    {
      async fetch(url, { method }) {
        assert.equal(method, 'GET')
        const { status, text } = await ask(url)
        return new Response(text, { status })
      },
    },
  )
  const [device] = devices
  const one = await pine.get({
    resource: 'devices',
    id: device!.id,
    options: { $select: ['id', 'name'], $expand: { inFleet: { $select: 'name' } } },
  })
  assert.deepEqual(one, { id: device!.id, name: 'till-0', inFleet: [{ name: 'shops' }] })
  const listed = await pine.get({
    resource: 'devices',
    options: { $filter: { name: { $in: ['till-1', 'till-3'] } }, $orderby: 'name asc' },
  })
  assert.deepEqual(
    (listed as { name: string }[]).map(({ name }) => name),
    ['till-1', 'till-3'],
  )
  const ofShips = { $filter: { fleet: 'ships' } }
  assert.equal(await pine.get({ resource: 'devices/$count', options: ofShips }), 2)
  await assert.rejects(
    pine.get({ resource: 'devices', options: { $filter: { colour: 'red' } } }),
    (error: { status?: number; body?: string }) =>
      error.status === 400 && error.body?.includes('odata_name_unknown') === true,
  )
})
