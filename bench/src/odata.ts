import type { Db } from '@seaworthy/server/testing'
import { askDatabase, countInDatabase, startTestDatabase } from '@seaworthy/server/testing'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs, timed } from './lib/measure.ts'

export const title = '50 of a million devices by a filter, with a link, and their number'

const devicesCount = Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 1_000_000)
const fleetsCount = 20
const rounds = 15
/** How many questions make one measurement. */
const asksEach = 50
const askRatioMax = 3
const countRatioMax = 1.5

async function fillFleets(db: Db): Promise<void> {
  await db.write(async ({ sql }) => {
    await sql`set local statement_timeout = 0`
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, created_at)
      select 'fleet-' || n, 'acme', 'stable', 3600, true, now() from generate_series(0, ${fleetsCount - 1}::int) n`
    await sql`
      insert into devices (id, fleet, key_id, public_key, name, platform, agent_version, tags, registered_at)
      select 'device_' || lpad(n::text, 26, '0'), 'fleet-' || n % ${fleetsCount}::int, md5(n::text), '{}', 'till-' || n,
        'linux/amd64', '0.1.0', jsonb_build_object('region', 'r' || n % 50), now() + n * interval '1 ms'
      from generate_series(0, ${devicesCount - 1}::int) n`
    await sql`
      insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
      select id, now(), now(), '', fleet, tags from devices`
  })
  for (const table of ['devices', 'device_states', 'fleets']) {
    await db.writeRows(({ sql }) => sql.unsafe(`vacuum (analyze) ${table}`))
  }
}

/** The same by hand, kept prepared, and with its answer as JSON too. */
async function askByHand({ reader: { sql } }: Db, fleet: string): Promise<string> {
  const rows = await sql`
    select d.id, d.name, d.platform, s.seen_at as "lastSeenAt", f.name as fleet, f.product, f.channel
    from devices d join fleets f on f.name = d.fleet left join device_states s on s.device = d.id
    where d.fleet = ${fleet} order by d.id limit 50`
  return JSON.stringify(rows)
}

async function countByHand({ reader: { sql } }: Db, fleet: string): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*) as count from devices where fleet = ${fleet}`
  return row.count
}

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const database = await startTestDatabase()
  const db = database.open()
  try {
    await fillFleets(db)
    log(`${devicesCount} devices in ${fleetsCount} fleets`)
    const each = (times: number, ask: (fleet: string) => Promise<unknown>) => async () =>
      timed(async () => {
        for (let i = 0; i < times; i++) await ask(`fleet-${i % fleetsCount}`)
      })
    const options = (fleet: string) => ({
      $filter: `fleet eq '${fleet}'`,
      $top: '50',
      $select: 'id,name,platform,lastSeenAt',
      $expand: 'inFleet($select=name,product,channel)',
    })
    const asked = await compareInPairs(
      each(asksEach, async (fleet) =>
        JSON.stringify(await askDatabase(db, 'devices', options(fleet))),
      ),
      each(asksEach, async (fleet) => askByHand(db, fleet)),
      rounds,
    )
    const counted = await compareInPairs(
      each(5, async (fleet) => countInDatabase(db, 'devices', { $filter: `fleet eq '${fleet}'` })),
      each(5, async (fleet) => countByHand(db, fleet)),
      rounds,
    )
    return [
      {
        ...asked,
        name: `${asksEach} questions for 50 devices with their fleet`,
        baseline: 'SQL by hand',
        unit: 'ms',
        target: `at most ${askRatioMax}`,
        isMet: asked.ratio <= askRatioMax,
      },
      {
        ...counted,
        name: 'numbers of the devices of 5 fleets',
        baseline: 'SQL by hand',
        unit: 'ms',
        target: `at most ${countRatioMax}`,
        isMet: counted.ratio <= countRatioMax,
      },
    ]
  } finally {
    await db.close()
    await database.stop()
  }
}
