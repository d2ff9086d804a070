/** What rollouts do as time passes, on a real PostgreSQL and in a time that the test moves. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { RolloutPolicy } from '@seaworthy/fleet/rollouts'
import { utf8Decode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import { systemRandom } from '@seaworthy/std/random'
import { dayMs, formatInstant, hourMs, ManualClock, minuteMs } from '@seaworthy/std/time'
import { textsOid } from '../../db/arrays.ts'
import { anonymous } from '../access/actors.ts'
import type { App } from '../app.ts'
import { changeAudited } from '../access/audited.ts'
import { createTestBudgets } from '../../testing/budgets.ts'
import { firstCursor, forgetOldRecords } from '../retention.ts'
import { takeSamples, thinOldSamples } from './history.ts'
import { listDeviceUpdates } from './updates.ts'
import type { Db, Decider, AskedFacts, TestDatabase } from '../../testing/index.ts'
import {
  openDecider,
  policyOf,
  readRollout,
  startTestDatabase,
  waveOf,
} from '../../testing/index.ts'

let database: TestDatabase
let db: Db

before(async () => {
  database = await startTestDatabase()
  db = database.open()
})

after(async () => {
  await db.close()
  await database.stop()
})

const release: ReleaseFacts = {
  product: 'acme',
  channel: 'stable',
  version: '2.0.0',
  targetPath: 'acme/stable/2.0.0',
  sha256: '2'.repeat(64),
  counter: 2,
  floor: 1,
  platforms: ['linux/amd64'],
  hardware: [],
  security: false,
}

const newer: ReleaseFacts = {
  ...release,
  version: '3.0.0',
  targetPath: 'acme/stable/3.0.0',
  sha256: '3'.repeat(64),
  counter: 3,
}

interface World {
  readonly clock: ManualClock
  readonly decider: Decider
  readonly rollout: string
  /** Asks for the device with this number. */
  readonly ask: (number: number, changes?: Partial<AskedFacts>) => Promise<boolean>
}

async function inFleet(
  fleet: string,
  startAt: string,
  policy: Partial<RolloutPolicy>,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock(new Date(startAt))
  const idOf = (number: number) => `device_${fleet}_${number}`
  const ids = [1, 2, 3].map(idOf)
  await db.write(async ({ sql }) => {
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, follow, created_at)
      values (${fleet}, 'acme', 'stable', 60, true, 'rollouts', now())`
    await sql`
      insert into devices (id, fleet, key_id, public_key, provisioning_key, platform, agent_version, tags,
        registered_at)
      select id, ${fleet}, id, '{}', 'none', 'linux/amd64', '0', '{}', now()
      from unnest(${sql.array(ids, textsOid)}) as d (id)`
    await sql`
      insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
      select id, now(), now(), '', ${fleet}, '{}' from unnest(${sql.array(ids, textsOid)}) as d (id)`
  })
  const releases = [release, newer]
  const random = systemRandom
  const decider = await openDecider({
    ...{ db: database.open(), clock, random, fleet },
    releases: () => releases,
  })
  try {
    const rollout = await decider.create(release, policyOf(policy))
    await decider.move()
    await decider.countMembers()
    const ask = async (number: number, changes: Partial<AskedFacts> = {}) => {
      const answer = await decider.checkIn({
        deviceId: idOf(number),
        platform: 'linux/amd64',
        hardware: null,
        tags: {},
        running: { product: 'acme', sha256: '1'.repeat(64), counter: 1 },
        committedCounter: 1,
        floor: 1,
        activity: { state: 'idle', sha256: null, code: null },
        sequence: 1,
        countsAttempts: true,
        heldBack: null,
        ...changes,
      })
      return answer.release !== null
    }
    await work({ clock, decider, rollout, ask })
  } finally {
    await decider.close()
  }
}

const committed: Partial<AskedFacts> = {
  running: { product: 'acme', sha256: release.sha256, counter: 2 },
  committedCounter: 2,
  activity: { state: 'committed', sha256: release.sha256, code: null },
  sequence: 2,
}

test('D3 updates are offered in the window alone, by the wall clock of its zone, also across a change of the clocks', () => {
  // Sunday, 29 March 2026: 02:00 CET is followed by 03:00 CEST.
  const windows = {
    timeZone: 'Europe/Berlin',
    fallbackTimeZone: 'UTC',
    spans: [{ days: ['sun'], from: '03:30', to: '04:00' }],
  } as const
  return inFleet('windows', '2026-03-29T00:45:00Z', { windows }, async ({ clock, ask }) => {
    assert.equal(await ask(1), false, '01:45 CET')
    clock.advance(45 * minuteMs)
    assert.equal(
      await ask(1),
      true,
      '03:30 CEST is an hour and three quarters later by the clock on the wall',
    )
    clock.advance(30 * minuteMs)
    assert.equal(await ask(2), false, '04:00 CEST')
    assert.equal(await ask(1), true, 'who was offered it in time keeps it')
  })
})

test('D4 an update that does not end in time has timed out, frees its place and counts as a failure', () => {
  const policy = { inFlightMax: 1, timeoutSeconds: 3600, failuresMax: 0 }
  return inFleet('timeouts', '2026-03-01T00:00:00Z', policy, async (world) => {
    const { clock, decider, rollout, ask } = world
    assert.equal(await ask(1), true)
    clock.advance(hourMs - 1000)
    await decider.move()
    assert.equal((await readRollout(db, rollout))?.waves[0]?.inFlightCount, 1)
    clock.advance(1000)
    await decider.move()
    const after = await readRollout(db, rollout)
    assert.deepEqual(
      [after?.state, after?.stopCode, after?.waves[0]?.inFlightCount, after?.waves[0]?.failedCount],
      ['paused', 'error_budget', 0, 1],
    )
    assert.equal(await ask(2), false)
  })
})

test('D3 a clock that jumps back opens no period and no wave again', () => {
  const policy = {
    perPeriod: { updatesMax: 1, seconds: 3600 },
    waves: [
      waveOf({ kind: 'count', count: 2 }, { bakeSeconds: 600 }),
      waveOf({ kind: 'percent', percent: 100 }),
    ],
  }
  return inFleet('jumps', '2026-03-01T00:00:00Z', policy, async (world) => {
    const { clock, decider, rollout, ask } = world
    assert.equal(await ask(1), true)
    clock.advance(2 * hourMs)
    assert.equal(await ask(2), true)
    clock.jumpTo(new Date('2026-02-01T00:00:00Z'))
    assert.equal(await ask(3), false)
    for (const number of [1, 2]) await ask(number, committed)
    await decider.countMembers()
    await decider.move()
    clock.jumpTo(new Date('2026-03-01T02:09:59Z'))
    await decider.move()
    assert.equal((await readRollout(db, rollout))?.wavesOpenCount, 1)
    clock.jumpTo(new Date('2026-03-01T02:10:00Z'))
    await decider.move()
    assert.equal((await readRollout(db, rollout))?.wavesOpenCount, 2)
  })
})

test('D5 samples: one a minute where something changed, one an hour after a day, one a day after a month', () =>
  inFleet('samples', '2026-03-01T00:00:00Z', {}, async ({ clock, rollout, ask }) => {
    const app = { db, clock }
    const count = async () => {
      const [row] = await db.reader.sql<{ rollouts: number; fleets: number }[]>`
        select (select count(*) from rollout_samples where rollout = ${rollout}) as rollouts,
          (select count(*) from fleet_samples where fleet = 'samples') as fleets`
      return [row?.rollouts, row?.fleets]
    }
    await takeSamples(app)
    await takeSamples(app)
    assert.deepEqual(await count(), [1, 1])
    clock.advance(5 * minuteMs)
    await takeSamples(app)
    assert.deepEqual(await count(), [1, 2], 'nothing happened in the rollout')
    await ask(1)
    await takeSamples(app)
    assert.deepEqual(await count(), [2, 2])
    for (let i = 0; i < 22; i++) {
      clock.advance(5 * minuteMs)
      await takeSamples(app)
    }
    assert.equal((await count())[1], 24, 'two hours, one in five minutes')
    await thinOldSamples(app)
    assert.equal((await count())[1], 24)
    clock.advance(2 * dayMs)
    await thinOldSamples(app)
    assert.deepEqual(await count(), [1, 2], 'one for each hour')
    clock.advance(40 * dayMs)
    await thinOldSamples(app)
    assert.deepEqual(await count(), [1, 1], 'one for the day')
  }))

test('D5 attack: a token that has its device say by turns that it downloads and installs leaves a bounded number of events, and not a failure less', () =>
  inFleet('flips', '2026-03-01T00:00:00Z', {}, async ({ ask }) => {
    const device = 'device_flips_1'
    await ask(1)
    const work = { sha256: release.sha256, code: null }
    for (let i = 0; i < 100; i++) {
      const state = i % 2 === 0 ? 'downloading' : 'installing'
      await ask(1, { activity: { state, ...work } })
    }
    await ask(1, committed)
    const { items } = await listDeviceUpdates(db.reader, device, {})
    assert.equal(items.length, 1)
    const states = items[0]!.events.map(({ state }) => state)
    assert.ok(states.length <= 64 + 3, String(states.length))
    assert.deepEqual([states[0], states[1], states.at(-1)], ['offered', 'downloading', 'committed'])
  }))

test('D5 events of an update go a year after its settled rollout ended, and the update stays', () =>
  inFleet('events', '2026-03-01T00:00:00Z', { timeoutSeconds: 3600 }, async (world) => {
    const { clock, decider, rollout, ask } = world
    const kept = async () => {
      const rows = await db.reader.sql<{ rollout: string; events: number }[]>`
        select u.rollout, (select count(*) from update_events e where e.rollout = u.rollout) as events
        from updates u where u.device = 'device_events_1' order by u.rollout`
      return new Map(rows.map((row) => [row.rollout, row.events]))
    }
    await ask(1)
    await ask(1, committed)
    await decider.steer(rollout, 'abort')
    const second = await decider.create(newer, policyOf({ timeoutSeconds: 3600 }))
    await decider.move()
    await decider.reload()
    assert.equal(await ask(1, { ...committed, sequence: 3 }), true)
    const forget = () => forgetOldRecords({ db, clock }, firstCursor)
    const whole = await kept()
    assert.equal(whole.get(second), 1)
    clock.advance(364 * dayMs)
    assert.deepEqual(await forget(), firstCursor)
    assert.deepEqual(await kept(), whole)
    clock.advance(2 * dayMs)
    await forget()
    assert.deepEqual(await kept(), new Map([...whole, [rollout, 0]]))
    // The rollout has ended, but is not settled while an update is under way.
    await decider.steer(second, 'abort')
    clock.advance(366 * dayMs)
    await forget()
    assert.equal((await kept()).get(second), 1)
    await decider.move()
    await forget()
    assert.equal((await kept()).get(second), 1, 'it timed out just now')
    clock.advance(366 * dayMs)
    await forget()
    assert.deepEqual(await kept(), new Map([...whole.keys()].map((id) => [id, 0])))
  }))

test('D3 D12 fault: devices that went beyond an older rollout are no verdict for it, and it ends last without moving the baseline back', () => {
  const waves = [waveOf({ kind: 'percent', percent: 100 }, { bakeSeconds: 3600 })]
  return inFleet('baselines', '2026-03-01T00:00:00Z', { waves }, async (world) => {
    const { clock, decider, rollout, ask } = world
    const later = await decider.create(newer, policyOf())
    await decider.move()
    await decider.countMembers()
    const { sha256, counter } = newer
    const gone = {
      running: { product: 'acme', sha256, counter },
      committedCounter: counter,
      activity: { state: 'committed', sha256, code: null },
      sequence: 2,
    } as const
    for (const number of [1, 2, 3]) {
      await ask(number)
      await ask(number, gone)
      await db.write(
        ({ sql }) => sql`
          insert into last_reports (device, report)
          values (${`device_baselines_${number}`}, ${sql.json({ ...gone, floor: 1 })})`,
      )
    }
    const readBaseline = async () => {
      const [row] = await db.reader.sql`
        select baseline_version as version, baseline_counter as counter from fleets where name = 'baselines'`
      return row
    }
    await decider.countMembers()
    await decider.move()
    assert.equal((await readRollout(db, later))?.state, 'finished')
    assert.deepEqual({ ...(await readBaseline()) }, { version: '3.0.0', counter: 3 })
    const older = await readRollout(db, rollout)
    const [wave] = older?.waves ?? []
    assert.deepEqual(
      [wave?.healthyCount, wave?.failedCount, wave?.waitingCount, older?.state],
      [0, 0, 0, 'active'],
    )
    clock.advance(hourMs)
    await decider.move()
    assert.equal((await readRollout(db, rollout))?.state, 'finished')
    assert.deepEqual({ ...(await readBaseline()) }, { version: '3.0.0', counter: 3 })
  })
})

test('T9 a change and its audit entry carry one time, the database’s, whatever the clock of the replica says', async () => {
  const clock = new ManualClock(new Date('2020-01-01T00:00:00Z'))
  const app = { db, clock, budgets: createTestBudgets(clock)[0] } as unknown as App
  const attempt = {
    actor: anonymous,
    action: 'test.change',
    subject: newId('token', clock.now(), systemRandom),
  }
  const times: Date[] = []
  await changeAudited(app, attempt, async (tx) => {
    times.push(await tx.now())
    // The pause is longer than a second, the precision of an entry's time.
    await tx.sql`select pg_sleep(1.1)`
    times.push(await tx.now())
    return {}
  })
  const rows = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
  const [entry] = rows
    .map((row) => JSON.parse(utf8Decode(row.entry)) as { at: string; subject: string })
    .filter(({ subject }) => subject === attempt.subject)
  assert.deepEqual(times[1], times[0])
  assert.equal(entry?.at, formatInstant(times[0]!))
  const [{ now }] = (await db.reader.sql`select clock_timestamp() as now`) as unknown as [
    { now: Date },
  ]
  assert.ok(now.getTime() - times[0]!.getTime() < hourMs)
})

/** Lets days pass in which somebody is heard now and then. */
async function hearFor({ clock, decider }: World, days: number): Promise<void> {
  await decider.hear()
  for (let half = 0; half < days * 2; half += 1) {
    clock.advance(dayMs / 2)
    await decider.hear()
  }
}

test('D3 fault: after an outage no gate opens on the one device that came back first', () => {
  const gate = { bakeSeconds: 0, successOf: 'ended', sampleMin: 10 } as const
  const waves = [waveOf({ kind: 'percent', percent: 100 }, gate)]
  return inFleet('outage', '2026-05-01T00:00:00Z', { waves }, async (world) => {
    const { clock, decider, rollout, ask } = world
    const setSeen = (numbers: readonly number[]) =>
      db.write(
        ({ sql }) => sql`
          update device_states set seen_at = ${clock.now()}
          where device = any(${sql.array(
            numbers.map((number) => `device_outage_${number}`),
            textsOid,
          )})`,
      )
    const recount = async () => {
      clock.advance(11_000)
      await decider.countMembers()
      await decider.move()
      return readRollout(db, rollout)
    }
    await hearFor(world, 1)
    await setSeen([1, 2, 3])
    await decider.hear()
    assert.deepEqual((await recount())?.waves[0]?.waitingCount, 3)
    // Nobody is heard for three days, but counting goes on: the devices do not count as silent.
    clock.advance(3 * dayMs)
    assert.deepEqual((await recount())?.waves[0]?.silentCount, 0)
    await setSeen([1])
    assert.equal(await ask(1), true)
    await ask(1, committed)
    await decider.hear()
    // A count from before the end of the outage opens nothing.
    await decider.move()
    const back = await recount()
    assert.deepEqual(
      [back?.state, back?.waves[0]?.healthyCount, back?.waves[0]?.silentCount],
      ['active', 1, 0],
    )
    // Somebody has been heard for longer than the policy waits, so the two others are off.
    await hearFor(world, 1.5)
    const after = await recount()
    assert.deepEqual([after?.state, after?.waves[0]?.silentCount], ['finished', 2])
  })
})

test('D3 fault: a device that is off holds up no wave, and one that is heard from is in the smallest share', () => {
  const gate = { successPercentMin: 95, successOf: 'ended', sampleMin: 10 } as const
  const waves = [
    waveOf({ kind: 'percent', percent: 0.000001 }, gate),
    waveOf({ kind: 'percent', percent: 100 }, gate),
  ]
  return inFleet('silent', '2026-07-01T00:00:00Z', { waves }, async (world) => {
    const { clock, decider, rollout, ask } = world
    const setSeen = (number: number, at: Date) =>
      db.write(
        ({ sql }) => sql`
          update device_states set seen_at = ${at} where device = ${`device_silent_${number}`}`,
      )
    const waveCounts = async () => {
      const { waves: counted = [], firstPlace } = (await readRollout(db, rollout)) ?? {}
      return [firstPlace !== null, ...counted.map((w) => [w.waitingCount, w.silentCount])]
    }
    await hearFor(world, 2)
    const recount = async () => {
      clock.advance(11_000)
      await decider.countMembers()
      await decider.move()
      await decider.countMembers()
      await decider.move()
    }
    for (const number of [1, 2, 3]) await setSeen(number, new Date('2026-07-01T00:00:00Z'))
    await recount()
    assert.deepEqual(await waveCounts(), [false, [0, 1], [0, 2]])
    // The share waits for the first of them that comes back.
    assert.equal((await readRollout(db, rollout))?.wavesOpenCount, 1)
    const again = await decider.create(newer, policyOf({ waves }))
    for (const number of [1, 2]) await setSeen(number, clock.now())
    await recount()
    const fresh = await readRollout(db, again)
    assert.equal(fresh?.wavesOpenCount, 1, 'one of those that are heard from goes first')
    assert.deepEqual([fresh?.waves[0]?.waitingCount, fresh?.waves[1]?.silentCount], [1, 1])
    const offered: number[] = []
    for (const number of [1, 2]) if (await ask(number)) offered.push(number)
    const before = await readRollout(db, again)
    assert.deepEqual([before?.waves[0]?.offeredCount, before?.waves[1]?.offeredCount], [1, 0])
    const { sha256, counter } = newer
    const done = {
      running: { product: 'acme', sha256, counter },
      committedCounter: counter,
      activity: { state: 'committed', sha256, code: null },
      sequence: 2,
    } as const
    for (const number of [1, 2]) await ask(number, done)
    await recount()
    await ask(1, done)
    await ask(2, done)
    await recount()
    // Two of three have ended, and the third is off.
    const after = await readRollout(db, again)
    assert.deepEqual([after?.state, after?.waves[1]?.silentCount], ['finished', 1])
  })
})

test('D5 attack: updates with many events are read in short pages, and one alone without its oldest', () =>
  inFleet('pages', '2026-03-01T00:00:00Z', {}, async ({ decider, rollout, clock, ask }) => {
    await ask(1)
    await ask(1, committed)
    await decider.steer(rollout, 'abort')
    clock.advance(minuteMs)
    const second = await decider.create(newer, policyOf())
    await decider.move()
    await decider.reload()
    assert.equal(await ask(1, { ...committed, sequence: 3 }), true)
    await db.write(
      ({ sql }) => sql`
        insert into update_events (rollout, device, attempt, state, at)
        select r, 'device_pages_1', 1, 'downloading', now()
        from unnest(${sql.array([rollout, ...Array.from({ length: 2 }, () => second)], textsOid)}) r,
          generate_series(1, 900)`,
    )
    const read = async (after?: string) => {
      const page = await listDeviceUpdates(db.reader, 'device_pages_1', { after })
      return [page.items.map(({ rolloutId, events }) => [rolloutId, events.length]), page.next]
    }
    assert.deepEqual(await read(), [[[second, 1801]], second])
    await db.write(
      ({ sql }) => sql`insert into update_events (rollout, device, attempt, state, at)
        select ${second}, 'device_pages_1', 1, 'installing', now() from generate_series(1, 900)`,
    )
    assert.deepEqual(await read(), [[[second, 2000]], second])
  }))
