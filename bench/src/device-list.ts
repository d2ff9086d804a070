import type { Db, DevicesWanted } from '@seaworthy/server/testing'
import { countWantedDevices, listFirstDevices, startTestDatabase } from '@seaworthy/server/testing'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs, timed } from './lib/measure.ts'

export const title = 'devices of a million by each filter and in each order, and their number'

const devicesCount = Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 1_000_000)
const fleetsCount = 20
const rounds = 5
const shownCount = 50
const ratioMax = 3
/** A question that takes less is asked so often that a measurement takes about that. */
const measurementMs = 20

/** One device in a thousand is silent, refuses, has another clock, agent or release. */
async function fillTables(db: Db): Promise<void> {
  await db.write(async ({ sql }) => {
    await sql`set local statement_timeout = 0`
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, created_at)
      select 'fleet-' || n, 'acme', 'stable', 3600, true, now() from generate_series(0, ${fleetsCount - 1}::int) n`
    await sql`
      insert into devices (id, fleet, key_id, public_key, name, platform, hardware, agent_version, tags,
        registered_at, clock_offset_seconds)
      select 'device_' || lpad(n::text, 26, '0'), 'fleet-' || n % ${fleetsCount}::int, md5(n::text), '{}',
        'till-' || n, case when n % 100 = 0 then 'linux/arm64' else 'linux/amd64' end, 'board-' || n % 7,
        case when n % 1000 = 0 then '0.0.9' else '0.1.0' end,
        jsonb_build_object('region', 'r' || n % 50, 'store', 's' || n % 5000),
        now() - interval '1 year' + n * interval '1 ms', case when n % 1000 = 3 then 120 else 0 end
      from generate_series(0, ${devicesCount - 1}::int) n`
    await sql`
      insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
      select id, now() - abs(hashtext(id)) % 3600 * interval '1 s'
          - case when id like '%005' then interval '3 days' else '0' end, now(), '', fleet, tags from devices`
    await sql`
      insert into last_reports (device, report)
      select 'device_' || lpad(n::text, 26, '0'), jsonb_build_object(
        'sequence', 5, 'at', '2026-01-01T00:00:00Z',
        'running', jsonb_build_object('product', 'acme', 'version', '1.' || counter || '.0',
          'sha256', repeat(md5('x'), 2), 'counter', counter),
        'committedCounter', counter, 'floor', 1,
        'update', jsonb_build_object('state', case when n % 1000 = 1 then 'failed' else 'idle' end),
        'metadata', jsonb_build_object('root', 3, 'targets', 4, 'snapshot', 123, 'timestamp', 4567,
          'acme', 4, 'acme.stable', 12),
        'timestampVerifiedAt', '2026-01-01T00:00:00Z',
        'refusals', case when n % 1000 = 7 then '[{"code":"wrong_hash","at":"2026-01-01T00:00:00Z"}]'::jsonb else '[]' end,
        'agentVersion', '0.1.0', 'platform', 'linux/amd64', 'bootId', 'b' || n)
      from (select n, case when n % 1000 = 0 then 7 when n % 10 = 0 then 9 else 10 end as counter
        from generate_series(0, ${devicesCount - 1}::int) n) g`
  })
  for (const table of ['devices', 'device_states', 'last_reports', 'fleets']) {
    await db.writeRows(({ sql }) => sql.unsafe(`vacuum (analyze) ${table}`))
  }
}

interface Filter {
  readonly wanted: DevicesWanted
  /** The tables and the condition by which one selects them by hand; `d` is the device. */
  readonly from?: string
  readonly where: string
}

const reports = 'devices d join last_reports r on r.device = d.id'
const states = 'devices d join device_states s on s.device = d.id'

function listFilters(now: Date): Record<string, Filter> {
  const dayAgo = new Date(now.getTime() - 86_400_000)
  const minuteAgo = new Date(now.getTime() - 60_000)
  const middle = String(Math.floor(devicesCount * 0.7))
  return {
    none: { wanted: {}, where: 'true' },
    fleet: { wanted: { fleet: 'fleet-3' }, where: "d.fleet = 'fleet-3'" },
    product: {
      wanted: { product: 'acme' },
      from: 'devices d join fleets f on f.name = d.fleet',
      where: "f.product = 'acme'",
    },
    name: { wanted: { name: `till-${middle}` }, where: `d.name collate "C" = 'till-${middle}'` },
    'beginning of the name': {
      wanted: { namePrefix: `till-${middle.slice(0, -2)}` },
      where: `d.name collate "C" >= 'till-${middle.slice(0, -2)}' and d.name collate "C" < 'till-${middle.slice(0, -2)}:'`,
    },
    tag: {
      wanted: { tag: { name: 'store', value: 's777' } },
      where: `d.tags @> '{"store":"s777"}'`,
    },
    version: {
      wanted: { version: '1.7.0' },
      from: reports,
      where: "r.report -> 'running' ->> 'version' = '1.7.0'",
    },
    state: {
      wanted: { state: 'failed' },
      from: reports,
      where: "r.report -> 'update' ->> 'state' = 'failed'",
    },
    protocol: { wanted: { protocol: 'ddi' }, where: "d.protocol = 'ddi'" },
    platform: { wanted: { platform: 'linux/arm64' }, where: "d.platform = 'linux/arm64'" },
    'version of the agent': {
      wanted: { agentVersion: '0.0.9' },
      where: "d.agent_version = '0.0.9'",
    },
    refusal: {
      wanted: { refusal: 'wrong_hash' },
      from: reports,
      where: "r.report -> 'refusals' -> -1 ->> 'code' = 'wrong_hash'",
    },
    'not seen for a day': {
      wanted: { seenBefore: dayAgo },
      // A device that was never seen counts from its registration.
      from: 'devices d left join device_states s on s.device = d.id',
      where: `(s.seen_at < '${dayAgo.toISOString()}' or (s.seen_at is null and d.registered_at < '${dayAgo.toISOString()}'))`,
    },
    'seen within a minute': {
      wanted: { seenSince: minuteAgo },
      from: states,
      where: `s.seen_at >= '${minuteAgo.toISOString()}'`,
    },
    'clock off': {
      wanted: { clockOffSeconds: 90 },
      where: 'abs(d.clock_offset_seconds) > 60 and abs(d.clock_offset_seconds) > 90',
    },
    'behind by 2': {
      wanted: { behind: { 'acme.stable': 9 } },
      from: `${reports} join fleets f on f.name = d.fleet`,
      where:
        "f.product = 'acme' and f.channel = 'stable' and (r.report -> 'running' ->> 'counter')::bigint < 9",
    },
    'shared identity': {
      wanted: { identity: 'shared' },
      from: 'devices d join identity_traces t on t.device = d.id',
      where: 't.shared_since is not null',
    },
    'any text': {
      wanted: { q: `TILL-${middle}` },
      where: ['d.id', 'd.name', 'd.fleet', 'd.platform', 'd.hardware', 'd.tags::text']
        .map((column) => `${column} ilike '%TILL-${middle}%'`)
        .join(' or '),
    },
  }
}

/** Both sides ask as often as a measurement of the slower one needs. */
async function compare(
  name: string,
  ours: () => Promise<unknown>,
  byHand: () => Promise<unknown>,
): Promise<Comparison> {
  await byHand()
  const times = Math.max(1, Math.round(measurementMs / (await timed(byHand))))
  const repeat = (ask: () => Promise<unknown>) => async () =>
    timed(async () => {
      for (let i = 0; i < times; i++) await ask()
    })
  const paired = await compareInPairs(repeat(ours), repeat(byHand), rounds)
  return {
    ...paired,
    name: times === 1 ? name : `${name}, ${times} times`,
    baseline: 'SQL by hand',
    unit: 'ms',
    target: `at most ${ratioMax}`,
    isMet: paired.ratio <= ratioMax,
  }
}

const shown = `d.id, d.fleet, d.protocol, d.key_id, d.public_key, d.name, d.platform, d.hardware,
  d.agent_version, d.tags, d.registered_at, d.clock_offset_seconds`

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const database = await startTestDatabase()
  const db = database.open()
  const { sql } = db.reader
  try {
    await fillTables(db)
    const [{ now }] = await sql<[{ now: Date }]>`select now() as now`
    log(`${devicesCount} devices in ${fleetsCount} fleets`)
    const found: Comparison[] = []
    // What a device does is read for those that are shown, by hand too.
    const rest = `left join device_states st on st.device = d.id left join last_reports re on re.device = d.id`
    for (const [name, { wanted, from = 'devices d', where }] of Object.entries(listFilters(now))) {
      found.push(
        await compare(
          `${shownCount} devices by ${name}`,
          () => listFirstDevices(db, wanted, { limit: shownCount }),
          () =>
            sql.unsafe(`select ${shown}, st.seen_at, re.report from
              (select d.* from ${from} where ${where} order by d.id limit ${shownCount}) d ${rest} order by d.id`),
        ),
        await compare(
          `number by ${name}`,
          () => countWantedDevices(db, wanted),
          () => sql.unsafe(`select count(*) from ${from} where ${where}`),
        ),
      )
    }
    const orders = {
      name: `coalesce(d.name, '') collate "C"`,
      fleet: 'd.fleet',
      seen: 'coalesce(s.seen_at, d.registered_at)',
    } as const
    for (const sort of ['name', 'fleet', 'seen'] as const) {
      found.push(
        await compare(
          `${shownCount} devices in the order of ${sort}`,
          () => listFirstDevices(db, {}, { limit: shownCount, sort }),
          () =>
            sql.unsafe(`select ${shown}, st.seen_at, re.report from
              (select d.*, ${orders[sort]} as place from devices d
                ${sort === 'seen' ? 'left join device_states s on s.device = d.id' : ''}
                order by ${orders[sort]}, d.id limit ${shownCount}) d ${rest} order by place, d.id`),
        ),
      )
    }
    return found
  } finally {
    await db.close()
    await database.stop()
  }
}
