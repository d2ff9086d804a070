import type { RolloutPolicy } from '@seaworthy/fleet/rollouts'
import { policyDefaults } from '@seaworthy/fleet/rollouts'
import type { Db, TestDatabase } from '@seaworthy/server/testing'
import { openDecider, startTestDatabase } from '@seaworthy/server/testing'
import { seededRandom } from '@seaworthy/std/random'
import { systemClock } from '@seaworthy/std/time'
import type { Comparison } from './lib/measure.ts'
import { medianOf, takeTurns, timed } from './lib/measure.ts'

export const title = "the reconciler's round over a million devices and 50 rollouts"

const devicesCount = Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 1_000_000)
const rolloutsCount = 50
/**
 * The share of each fleet's devices that have an update in its rollout; one in 16 of those is under
 * way.
 */
const updatedShare = 0.4
const rounds = 20
const roundMsMax = 250
/** Overdue updates of all rollouts together, in the rounds in which something happens. */
const overdueEach = 100

const release = {
  product: 'acme',
  channel: 'stable',
  version: '2.0.0',
  targetPath: 'acme/stable/2.0.0',
  sha256: 'cd'.repeat(32),
  counter: 2,
  floor: 0,
  security: false,
  platforms: ['linux/amd64'],
  hardware: [],
}

const wave = (percent: number): RolloutPolicy['waves'][number] => ({
  members: { kind: 'percent', percent },
  needsApproval: false,
  gate: {
    bakeSeconds: 24 * 3600,
    successPercentMin: 95,
    successOf: 'members',
    failurePercentMax: 50,
    sampleMin: 100,
  },
})
const policy: RolloutPolicy = {
  ...policyDefaults,
  waves: [wave(100 * updatedShare), wave(60), wave(80), wave(90), wave(100)],
  inFlightMax: 1000,
  timeoutSeconds: 3600,
}

const fleetName = (i: number) => `fleet-${i}`

async function fillFleets(db: Db): Promise<void> {
  const each = Math.floor(devicesCount / rolloutsCount)
  await db.write(async ({ sql }) => {
    await sql`set local statement_timeout = 0`
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, created_at, follow)
      select 'fleet-' || n, 'acme', 'stable', 3600, true, now(), 'rollouts' from generate_series(0, ${rolloutsCount - 1}::int) n`
    await sql`
      insert into devices (id, fleet, key_id, public_key, platform, agent_version, tags, provisioning_key, registered_at)
      select 'device_' || lpad(n::text, 26, '0'), 'fleet-' || n / ${each}::int, md5(n::text), '{}', 'linux/amd64', '0.1.0', '{}', 'provisioning_bench', now()
      from generate_series(0, ${each * rolloutsCount - 1}::int) n`
    await sql`
      insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
      select id, now(), now(), '', fleet, '{}' from devices`
  })
}

async function startRollouts(database: TestDatabase): Promise<void> {
  for (let i = 0; i < rolloutsCount; i++) {
    const decider = await openDecider({
      db: database.open(),
      clock: systemClock,
      random: seededRandom(i + 1),
      fleet: fleetName(i),
      releases: () => [release],
    })
    await decider.create(release, policy)
    if (i === rolloutsCount - 1) await decider.move()
    await decider.close()
  }
}

async function fillUpdates(db: Db): Promise<number> {
  return db.write(async ({ sql }) => {
    await sql`set local statement_timeout = 0`
    const inserted = await sql`
      insert into updates (rollout, device, wave, attempt, state, offered_at, offered_sequence, has_started, changed_at,
        deadline_at, ended_at)
      select r.id, d.id, 0, 1, case when d.place % 16 = 0 then 'downloading' else 'committed' end, now(), 1, true, now(),
        now() + interval '1 day', case when d.place % 16 = 0 then null else now() end
      from rollouts r join (
        select id, fleet, row_number() over (partition by fleet order by id) as place, count(*) over (partition by fleet) as size
        from devices
      ) d on d.fleet = r.fleet and d.place <= d.size * ${updatedShare}::float8`
    await sql`
      update rollout_waves w set members_count = c.total, members_counted_at = now(), offered_count = c.total,
        in_flight_count = c.open, healthy_count = c.total - c.open
      from (
        select rollout, count(*) as total, count(*) filter (where ended_at is null) as open from updates group by rollout
      ) c where w.rollout = c.rollout and w.wave = 0`
    return inserted.count
  })
}

/** What the same question costs when nobody keeps counters: sums over the rows of each rollout. */
async function sumUpdates(db: Db): Promise<void> {
  const rollouts = await db.reader.sql<
    { id: string }[]
  >`select id from rollouts where not is_settled`
  for (const { id } of rollouts) {
    await db.reader.sql`
      select wave, count(*),
        sum(case when state = 'offered' then 1 else 0 end), sum(case when state = 'downloading' then 1 else 0 end),
        sum(case when state = 'installing' then 1 else 0 end), sum(case when state = 'watching' then 1 else 0 end),
        sum(case when state = 'committed' then 1 else 0 end), sum(case when state = 'rolled_back' then 1 else 0 end),
        sum(case when state = 'failed' then 1 else 0 end), sum(case when state = 'timed_out' then 1 else 0 end)
      from updates where rollout = ${id} group by wave`
  }
}

async function makeOverdue(db: Db): Promise<void> {
  await db.write(
    ({ sql }) => sql`
      update updates set deadline_at = now() - interval '1 second'
      where (rollout, device) in (select rollout, device from updates where ended_at is null limit ${overdueEach})`,
  )
}

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const database = await startTestDatabase()
  const db = database.open()
  try {
    await fillFleets(db)
    await startRollouts(database)
    const updates = await fillUpdates(db)
    await db.writeRows(({ sql }) => sql.unsafe('vacuum (analyze)'))
    const [open] = await db.reader.sql<{ count: number }[]>`
      select count(*) from rollouts where state = 'active' and waves_open_count = 1`
    log(
      `${devicesCount} devices, ${open?.count} active rollouts in their first wave, ${updates} updates`,
    )
    const decider = await openDecider({
      db: database.open(),
      clock: systemClock,
      random: seededRandom(1),
      fleet: fleetName(0),
      releases: () => [release],
    })
    const times = await takeTurns(
      { ours: () => timed(() => decider.move()), theirs: () => timed(() => sumUpdates(db)) },
      rounds,
    )
    const busy: number[] = []
    for (let i = 0; i < rounds; i++) {
      await makeOverdue(db)
      busy.push(await timed(() => decider.move()))
    }
    await decider.close()
    const worst = Math.max(...times.ours)
    log(`longest of ${rounds} rounds: ${worst.toFixed(0)} ms`)
    log(
      `a round that times out ${overdueEach} updates: median ${medianOf(busy).toFixed(0)} ms, longest ${Math.max(...busy).toFixed(0)} ms`,
    )
    const [ours, theirs] = [medianOf(times.ours), medianOf(times.theirs)]
    return [
      {
        name: 'one round of the reconciler',
        baseline: 'SUM(CASE) over the updates of each rollout',
        ...{ ours, theirs, unit: 'ms', ratio: ours / theirs },
        target: `at most ${roundMsMax} ms`,
        isMet: ours <= roundMsMax,
      },
    ]
  } finally {
    await db.close()
    await database.stop()
  }
}
