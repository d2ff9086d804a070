/** Questions as SQL against what they mean (`evaluate.fixture.ts`), over random rows. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Question } from '@seaworthy/api/odata'
import { entitySets, readQuestion } from '@seaworthy/api/odata'
import type { Scope } from '@seaworthy/fleet/access'
import fc from 'fast-check'
import type { Db, TestDatabase } from '../../testing/index.ts'
import type { ReadTx } from '../connection.ts'
import { startTestDatabase } from '../../testing/index.ts'
import type { Entity, World } from './evaluate.fixture.ts'
import { answer, follow } from './evaluate.fixture.ts'
import type { FoundEntity, Reach } from './index.ts'
import { countEntities, listEntities } from './index.ts'

let database: TestDatabase
let db: Db
let world: World

const fleets = ['bakery', 'shops', 'ships']
const texts = ['till', 'Till', 'a', '', 'ä', 'till-1', "it's", '100%', '_', '𝒳', '\uffee']
const base = Date.UTC(2026, 0, 1)
const id = (kind: string, n: number) => `${kind}_${String(n).padStart(26, '0')}`

/** Rows whose values come up in filters; they are the same in every run. */
function makeWorld(): World {
  const pick = <T>(list: readonly T[], n: number) => list[n % list.length]!
  const devices = Array.from({ length: 40 }, (_, i) => ({
    id: id('device', i),
    fleet: pick(fleets, i * 7),
    name: i % 5 === 0 ? null : pick(texts, i * 3),
    protocol: 'agent',
    platform: i % 2 === 0 ? 'linux/amd64' : 'linux/arm64',
    hardware: i % 3 === 0 ? 'board' : null,
    agentVersion: `0.${i % 4}.0`,
    registeredAt: new Date(base + (i % 6) * 60_000),
    lastSeenAt: i % 4 === 0 ? null : new Date(base + i * 1000),
    clockOffsetSeconds: i % 3 === 1 ? i - 20 : null,
  }))
  const rollouts = Array.from({ length: 6 }, (_, i) => ({
    id: id('rollout', i),
    fleet: pick(fleets, i),
    product: i % 2 === 0 ? 'acme' : 'other',
    version: `${i}.0.0`,
    counter: i + 1,
    state: i % 2 === 0 ? 'finished' : 'active',
    wayBackOf: i === 4 ? id('rollout', 1) : null,
    createdAt: new Date(base + i * 1000),
  }))
  return {
    fleets: fleets.map((name, i) => ({
      name,
      product: i === 0 ? 'other' : 'acme',
      channel: 'stable',
      pollSeconds: 60 * (i + 1),
      updatesEnabled: i !== 1,
      pinnedVersion: i === 2 ? '1.0.0' : null,
      createdAt: new Date(base),
    })),
    devices,
    deviceTags: devices.flatMap(({ id: device }, i) =>
      ['region', 'site'].slice(0, i % 3).map((name, j) => ({
        ...{ device, name },
        value: pick(texts, i + j),
      })),
    ),
    rollouts,
    updates: devices.slice(0, 24).map(({ id: device }, i) => ({
      rollout: pick(rollouts, i).id,
      device,
      wave: 0,
      attempt: 1 + (i % 3),
      state: pick(['committed', 'failed', 'offered'], i),
      code: i % 3 === 1 ? 'unhealthy' : null,
      offeredAt: new Date(base + i * 1000),
    })),
  }
}

async function store(): Promise<void> {
  await db.write(async ({ sql }) => {
    for (const fleet of world['fleets'] ?? []) {
      await sql`
        insert into fleets (name, product, channel, poll_seconds, pinned_version, updates_enabled, created_at)
        values (${fleet['name'] as string}, ${fleet['product'] as string}, 'stable',
          ${fleet['pollSeconds'] as number}, ${fleet['pinnedVersion'] as string | null},
          ${fleet['updatesEnabled'] as boolean}, ${fleet['createdAt'] as Date})`
    }
    for (const device of world['devices'] ?? []) {
      const tags = world['deviceTags']!.filter((tag) => tag['device'] === device['id'])
      const map = Object.fromEntries(tags.map(({ name, value }) => [name, value as string]))
      await sql`
        insert into devices (id, fleet, key_id, public_key, name, platform, hardware, agent_version, tags,
          registered_at, clock_offset_seconds)
        values (${device['id'] as string}, ${device['fleet'] as string}, ${device['id'] as string}, '{}',
          ${device['name'] as string | null}, ${device['platform'] as string}, ${device['hardware'] as string | null},
          ${device['agentVersion'] as string}, ${sql.json(map)}, ${device['registeredAt'] as Date},
          ${device['clockOffsetSeconds'] as number | null})`
      const seenAt = device['lastSeenAt'] as Date | null
      if (seenAt !== null) {
        await sql`
          insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
          values (${device['id'] as string}, ${seenAt}, ${seenAt}, '', ${device['fleet'] as string}, '{}')`
      }
    }
    for (const rollout of world['rollouts'] ?? []) {
      await sql`
        insert into rollouts (id, fleet, product, channel, version, sha256, counter, policy, way_back_of, state,
          revision, created_at, created_by, start_at, clock_at, waves_open_count, period_index, period_offered_count, is_settled)
        values (${rollout['id'] as string}, ${rollout['fleet'] as string}, ${rollout['product'] as string}, 'stable',
          ${rollout['version'] as string}, '', ${rollout['counter'] as number}, '{}', ${rollout['wayBackOf'] as string | null},
          ${rollout['state'] as string}, 1, ${rollout['createdAt'] as Date}, 'token', ${rollout['createdAt'] as Date},
          ${rollout['createdAt'] as Date}, 0, 0, 0, true)`
    }
    for (const update of world['updates'] ?? []) {
      await sql`
        insert into updates (rollout, device, wave, attempt, state, code, offered_at, offered_sequence, has_started,
          changed_at, deadline_at)
        values (${update['rollout'] as string}, ${update['device'] as string}, 0, ${update['attempt'] as number},
          ${update['state'] as string}, ${update['code'] as string | null}, ${update['offeredAt'] as Date}, 1, true,
          ${update['offeredAt'] as Date}, ${update['offeredAt'] as Date})`
    }
  })
}

before(async () => {
  database = await startTestDatabase()
  db = database.open()
  world = makeWorld()
  await store()
})
after(async () => {
  await db.close()
  await database.stop()
})

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
const anyText = fc.constantFrom(...texts, ...fleets, 'region', 'committed', 'acme').map(quote)
const anyTime = fc.integer({ min: -2, max: 45 }).map((n) => new Date(base + n * 1000).toISOString())
const order = fc.constantFrom('eq', 'ne', 'gt', 'ge', 'lt', 'le')

/** Properties and links of each set that filters are made of. */
const vocabulary = {
  devices: {
    texts: ['id', 'fleet', 'name', 'platform', 'hardware', 'agentVersion'],
    whole: ['clockOffsetSeconds'],
    times: ['registeredAt', 'lastSeenAt'],
    ones: { inFleet: 'fleets' },
    many: { hasTags: 'deviceTags', hasUpdates: 'updates' },
  },
  fleets: {
    texts: ['name', 'product', 'pinnedVersion'],
    whole: ['pollSeconds'],
    times: ['createdAt'],
    ones: {},
    many: { hasRollouts: 'rollouts' },
  },
  deviceTags: {
    texts: ['device', 'name', 'value'],
    whole: [],
    times: [],
    ones: { ofDevice: 'devices' },
    many: {},
  },
  rollouts: {
    texts: ['id', 'state', 'version', 'wayBackOf'],
    whole: ['counter'],
    times: ['createdAt'],
    ones: { inFleet: 'fleets', isWayBackOf: 'rollouts' },
    many: {},
  },
  updates: {
    texts: ['state', 'code', 'device'],
    whole: ['attempt'],
    times: ['offeredAt'],
    ones: { ofRollout: 'rollouts', ofDevice: 'devices' },
    many: {},
  },
} as const
type Known = keyof typeof vocabulary

/** A random filter of the set, as text; `at` is what its names begin with. */
function anyFilter(set: Known, depth: number, at = ''): fc.Arbitrary<string> {
  const words = vocabulary[set]
  const named = (names: readonly string[]) => fc.constantFrom(...names).map((name) => at + name)
  const text = fc.oneof(
    named(words.texts),
    named(words.texts).map((name) => `tolower(${name})`),
    ...Object.entries<Known>(words.ones).map(([link, to]) =>
      fc.constantFrom(...vocabulary[to].texts).map((name) => `${at}${link}/${name}`),
    ),
  )
  const atoms = [
    fc.tuple(text, order, anyText).map((parts) => parts.join(' ')),
    fc.tuple(text, order, text).map((parts) => parts.join(' ')),
    fc.tuple(text, fc.constantFrom('eq', 'ne')).map(([name, op]) => `${name} ${op} null`),
    fc
      .tuple(fc.constantFrom('contains', 'startswith', 'endswith'), text, anyText)
      .map(([test, name, value]) => `${test}(${name},${value})`),
    fc
      .tuple(text, fc.array(anyText, { minLength: 1, maxLength: 3 }))
      .map(([name, values]) => `${name} in (${values.join(',')})`),
    fc
      .tuple(text, order, fc.integer({ min: 0, max: 8 }))
      .map(([name, op, n]) => `length(${name}) ${op} ${n}`),
    fc.constantFrom('1 eq 1', 'true', 'null ne null', `'a' lt 'b'`),
  ]
  if (words.times.length > 0) {
    atoms.push(fc.tuple(named(words.times), order, anyTime).map((parts) => parts.join(' ')))
  }
  if (words.whole.length > 0) {
    const number = fc.integer({ min: -25, max: 200 }).map(String)
    atoms.push(fc.tuple(named(words.whole), order, number).map((parts) => parts.join(' ')))
  }
  if (set === 'fleets')
    atoms.push(fc.constantFrom(`${at}updatesEnabled`, `not ${at}updatesEnabled`))
  const links = Object.entries<Known>({ ...words.ones, ...words.many })
  for (const [link] of Object.entries(words.many)) {
    atoms.push(
      fc
        .tuple(order, fc.integer({ min: 0, max: 3 }))
        .map(([op, n]) => `${at}${link}/$count ${op} ${n}`),
    )
    atoms.push(fc.constant(`${at}${link}/any()`))
  }
  if (depth === 0) return fc.oneof(...atoms)
  const inner = anyFilter(set, depth - 1, at)
  const variable = `v${depth}${at.length}`
  return fc.oneof(
    ...atoms,
    fc.tuple(inner, fc.constantFrom('and', 'or'), inner).map(([a, op, b]) => `(${a} ${op} ${b})`),
    inner.map((a) => `not (${a})`),
    ...links.map(([link, to]) =>
      fc
        .tuple(fc.constantFrom('any', 'all'), anyFilter(to, depth - 1, `${variable}/`))
        .map(([kind, of]) => `${at}${link}/${kind}(${variable}:${of})`),
    ),
  )
}

const scopes: readonly Scope[] = [
  { products: null, fleets: null },
  { products: ['acme'], fleets: null },
  { products: null, fleets: ['shops', 'bakery'] },
  { products: ['acme'], fleets: ['shops', 'bakery'] },
  { products: [], fleets: null },
]

/** The world without what the scope does not reach. */
function within({ products, fleets: names }: Scope): World {
  const isFleet = (fleet: Entity) =>
    (names === null || names.includes(fleet['name'] as string)) &&
    (products === null || products.includes(fleet['product'] as string))
  const reached = new Set(world['fleets']!.filter(isFleet).map(({ name }) => name))
  const devices = world['devices']!.filter(({ fleet }) => reached.has(fleet))
  const ids = new Set(devices.map((device) => device['id']))
  const rollouts = world['rollouts']!.filter((rollout) =>
    isFleet({ name: rollout['fleet']!, product: rollout['product']! }),
  )
  const rolloutIds = new Set(rollouts.map((rollout) => rollout['id']))
  return {
    fleets: world['fleets']!.filter(isFleet),
    devices,
    deviceTags: world['deviceTags']!.filter((tag) => ids.has(tag['device'])),
    rollouts,
    updates: world['updates']!.filter((update) => rolloutIds.has(update['rollout'])),
  }
}

const reachOf = (scope: Scope): Reach => ({ scope, published: { products: [], channels: [] } })
const read = (set: string, options: Record<string, string>, pageSize = 1000): Question =>
  readQuestion(set, options, { now: new Date(base), pageSize }).question

/** The filter, beside a condition that an index serves and every entity meets. */
const served: Readonly<Record<Known, string>> = {
  devices: `(${fleets.map((name) => `fleet eq '${name}'`).join(' or ')})`,
  deviceTags: "device ge ''",
  updates: "device ge ''",
  fleets: 'true',
  rollouts: 'true',
}
const anyQuestion = fc
  .constantFrom(...(Object.keys(vocabulary) as Known[]))
  .chain((set) => fc.tuple(fc.constant(set), anyFilter(set, 2), fc.constantFrom(...scopes)))

const keysOf = (set: Known, entities: readonly Entity[]) => {
  const keys = { devices: ['id'], fleets: ['name'], rollouts: ['id'] } as const
  const names = set in keys ? keys[set as keyof typeof keys] : []
  const pairs = { deviceTags: ['device', 'name'], updates: ['rollout', 'device'] } as const
  const all = names.length > 0 ? names : pairs[set as keyof typeof pairs]
  return entities.map((entity) => all.map((name) => entity[name]).join(' '))
}

test('A4 a filter finds by SQL what it means, for everybody what they reach', async () => {
  await fc.assert(
    fc.asyncProperty(anyQuestion, async ([set, text, scope]) => {
      const question = read(set, { $filter: `${served[set]} and (${text})` })
      const found = await listEntities(db.questions, question, null, reachOf(scope))
      const meant = answer(within(scope), question)
      const values = found.map((one) => one.values as Entity)
      assert.deepEqual(keysOf(set, values), keysOf(set, meant))
      const count = await countEntities(db.questions, question, null, reachOf(scope))
      assert.equal(count, meant.length)
    }),
    { numRuns: 400, interruptAfterTimeLimit: 100_000 },
  )
})

/** The statement of a question, instead of its answer. */
async function statementOf(question: Question): Promise<{ text: string; values: string[] }> {
  const asked: { text: string; values: string[] }[] = []
  const unsafe = (text: string, values: string[]) => {
    asked.push({ text, values })
    return { values: async () => [] }
  }
  const everything = { products: null, fleets: null }
  const reach = { scope: everything, published: { products: [], channels: [] } }
  // The statement alone is wanted, and it is sent by nothing else.
  await listEntities({ sql: { unsafe } } as unknown as ReadTx, question, null, reach)
  return asked[0]!
}

test('A4 attack: pages of a million are asked for again and again: each is read in the order of an index, and nothing is sorted', async () => {
  const sorted: string[] = []
  for (const [set, { isLarge, properties }] of Object.entries(entitySets)) {
    if (!isLarge) continue
    const indexed = Object.entries(properties).filter(([, { isIndexed }]) => isIndexed)
    const orders = indexed.flatMap(([name]) => [name, `${name} desc`])
    for (const order of ['', ...orders]) {
      const options: Record<string, string> = order === '' ? {} : { $orderby: order }
      const { question } = readQuestion(set, options, { now: new Date(base), pageSize: null })
      const { text, values } = await statementOf(question)
      const plan = await db.readSnapshot(async ({ sql }) => {
        // The smallest tables are sorted although they need not be.
        await sql`set local enable_sort = off`
        await sql`set local enable_seqscan = off`
        return sql.unsafe<{ 'QUERY PLAN': string }[]>(`explain ${text}`, values)
      })
      // Rows that are in the order of the first property are sorted among its equals.
      if (plan.some((line) => /(?<!Incremental )Sort  /.test(line['QUERY PLAN'])))
        sorted.push(`${set} by ${order}`)
    }
  }
  assert.deepEqual(sorted, [])
})

test('A4 pages follow one another in every order, and leave nothing out', async () => {
  const properties = fc.constantFrom(
    'name',
    'fleet',
    'hardware',
    'lastSeenAt',
    'registeredAt',
    'id',
  )
  const orders = fc.uniqueArray(fc.tuple(properties, fc.constantFrom('asc', 'desc')), {
    minLength: 1,
    maxLength: 3,
    selector: ([name]) => name,
  })
  await fc.assert(
    fc.asyncProperty(orders, fc.integer({ min: 1, max: 17 }), async (order, size) => {
      const options = {
        $filter: served.devices,
        $orderby: order.map((parts) => parts.join(' ')).join(','),
      }
      let question = read('devices', options, size)
      const seen: FoundEntity[] = []
      for (;;) {
        const page = await listEntities(db.questions, question, null, reachOf(scopes[0]!))
        for (const one of page.slice(0, size)) seen.push(one)
        if (page.length <= size) break
        question = { ...question, after: page[size - 1]!.place }
      }
      const meant = answer(world, question)
      assert.deepEqual(
        seen.map(({ values }) => values['id']),
        meant.map((device) => device['id']),
      )
    }),
    { numRuns: 60, interruptAfterTimeLimit: 60_000 },
  )
})

test('A3 attack: what an expanded link or a count shows is what its reader reaches', async () => {
  for (const scope of scopes) {
    const expand =
      'hasTags,hasUpdates($expand=ofRollout,ofDevice),inFleet($expand=hasRollouts/$count)'
    const question = read('devices', { $expand: expand }, 50)
    const own = within(scope)
    const found = await listEntities(db.questions, question, null, reachOf(scope))
    const meant = answer(own, question)
    assert.equal(found.length, meant.length)
    for (const [i, { links }] of found.entries()) {
      const device = meant[i]!
      const behind = (set: string, link: string, entity: Entity) => follow(own, set, link, entity)
      assert.equal(links['hasTags']!.length, behind('devices', 'hasTags', device).length)
      const updates = behind('devices', 'hasUpdates', device)
      assert.equal(links['hasUpdates']!.length, updates.length)
      for (const update of links['hasUpdates']!) {
        for (const link of ['ofRollout', 'ofDevice']) {
          const expected = behind('updates', link, update.values)
          assert.equal(update.links[link]!.length, expected.length)
        }
      }
      const [fleet] = links['inFleet']!
      const rollouts = behind('fleets', 'hasRollouts', { name: fleet!.values['name']! })
      assert.equal(fleet!.counts['hasRollouts'], rollouts.length)
    }
  }
})
