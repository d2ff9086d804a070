/**
 * Several replicas on one real PostgreSQL, devices that ask at any of them at the same time, clocks
 * that disagree and jump, connections that are killed in the middle of a transaction, people who
 * pause and resume: and after every step the limits are counted again. The seed decides everything
 * but what the processes make of it in their own time.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { RolloutPolicy } from '@seaworthy/fleet/rollouts'
import type { Db, Decider, TestDatabase } from '@seaworthy/server/testing'
import { openDecider, readRollout } from '@seaworthy/server/testing'
import { seededRandom, systemRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import type { FleetDevice, FleetRelease } from './devices.ts'
import { createDevice, endTrial, reportOf } from './devices.ts'
import { insertFleet, releases } from './fleet-rows.ts'
import type { Seen, Steering } from './limits.ts'
import { checkLimits, nothingSeen } from './limits.ts'
import type { Dice } from './overshoot-policies.ts'
import { createDice, rollPolicy } from './overshoot-policies.ts'

export interface RaceOptions {
  readonly seed: number
  readonly devicesCount: number
  readonly stepsCount: number
  readonly replicasCount: number
  /** The number of check-ins at the same time. */
  readonly atOnce: number
}

export interface RunResult {
  readonly policy: RolloutPolicy
  readonly checkInsCount: number
  readonly failedCount: number
  readonly offersCount: number
  readonly killsCount: number
}

const [, release] = releases

/** Throws when a limit did not hold; the caller's message names the seed. */
export async function runOvershoot(
  database: TestDatabase,
  options: RaceOptions,
): Promise<RunResult> {
  const dice = createDice(seededRandom(options.seed))
  const policy = rollPolicy(dice)
  const db = database.open()
  const clock = new ManualClock(new Date('2026-03-28T12:00:00Z'))
  const fleet = `fleet-${options.seed}`
  const replicas: Decider[] = []
  try {
    const devices = makeDevices(options, dice)
    await insertFleet(db, fleet, devices, clock.now())
    for (let i = 0; i < options.replicasCount; i++) {
      replicas.push(await openReplica(database, clock, fleet, dice))
    }
    const id = await replicas[0]!.create(release, policy)
    const world: World = { db, clock, dice, replicas, devices, id }
    const totals = { checkInsCount: 0, failedCount: 0, killsCount: 0 }
    let seen: Seen = nothingSeen
    for (let step = 0; step < options.stepsCount; step++) {
      clock.advance(dice.roll(20_000))
      const steering = await steer(world)
      const isKilling = dice.oneIn(6)
      const asking = askAtOnce(world, options.atOnce)
      const others = [asking.all, ...moveSometimes(world)]
      if (isKilling) {
        await readAgain(() => killSome(world))
        totals.killsCount += 1
      }
      if (dice.oneIn(12)) await removeOne(world)
      await Promise.all(others)
      const outcomes = await asking.all
      totals.checkInsCount += outcomes.length
      totals.failedCount += outcomes.filter((isAnswered) => !isAnswered).length
      const before = seen
      seen = await readAgain(() => checkLimits(db, id, before, steering))
    }
    const [row] = await readAgain(
      () => db.reader.sql<{ count: number }[]>`
        select count(*) as count from update_events where rollout = ${id} and state = 'offered'`,
    )
    return { policy, ...totals, offersCount: row!.count }
  } finally {
    await Promise.all(replicas.map((replica) => replica.close()))
    await db.close()
  }
}

interface RaceDevice extends FleetDevice {
  /** What it was told last. */
  assigned: FleetRelease | null
}

interface World {
  readonly db: Db
  readonly clock: ManualClock
  readonly dice: Dice
  readonly replicas: readonly Decider[]
  readonly devices: RaceDevice[]
  readonly id: string
}

function makeDevices({ devicesCount, seed }: RaceOptions, dice: Dice): RaceDevice[] {
  return Array.from({ length: devicesCount }, (_, i) => {
    const tags = dice.oneIn(8) ? { ring: 'early' } : {}
    return { ...createDevice(seed * 1_000_000 + i, releases[0], tags), assigned: null }
  })
}

/** Opens a replica with a clock of its own that is up to a minute wrong. */
function openReplica(
  database: TestDatabase,
  clock: ManualClock,
  fleet: string,
  dice: Dice,
): Promise<Decider> {
  const skewMs = dice.roll(120_000) - 60_000
  const skewed = {
    now: () => new Date(clock.now().getTime() + skewMs),
    monotonicMs: () => clock.monotonicMs(),
  }
  return openDecider({
    db: database.open(),
    clock: skewed,
    random: systemRandom,
    fleet,
    releases: () => releases,
  })
}

/**
 * Some devices ask at one replica each, some at two at the same time. Each answer is true unless
 * the database failed.
 */
function askAtOnce(world: World, atOnce: number): { all: Promise<boolean[]> } {
  const { clock, dice, devices, replicas } = world
  const asked: Promise<boolean>[] = []
  const busy = new Set<RaceDevice>()
  while (asked.length < atOnce) {
    const device = dice.pick(devices)
    if (busy.has(device)) continue
    busy.add(device)
    live(device, dice)
    const report = reportOf(device, clock.now())
    const times = dice.oneIn(5) ? 2 : 1
    for (let i = 0; i < times; i++) asked.push(ask(device, report, dice.pick(replicas)))
  }
  return { all: Promise.all(asked) }
}

async function ask(device: RaceDevice, report: DeviceReport, replica: Decider): Promise<boolean> {
  const { hasNewReport } = device
  try {
    const answer = await replica.report(device.id, report, hasNewReport)
    device.assigned = answer.release
    if (device.sequence === report.sequence) device.hasNewReport = false
    return true
  } catch {
    // It asks again; what it was told is not known. By then it may have more to say, and signs that
    // under a number of its own.
    if (hasNewReport && device.sequence === report.sequence) device.sequence++
    return false
  }
}

/** Does what the device did since it asked last. */
function live(device: RaceDevice, dice: Dice): void {
  const { running, assigned } = device
  const isTold = assigned?.sha256 === release.sha256 && running.sha256 !== release.sha256
  if (!isTold || dice.oneIn(4)) return
  if (dice.oneIn(3)) {
    device.trial = { release, state: dice.pick(['downloading', 'installing', 'watching'] as const) }
  } else if (dice.oneIn(6)) {
    endTrial(device, release, dice.pick(['rolled_back', 'failed'] as const))
  } else endTrial(device, release, 'committed')
}

/** A device leaves for good, whatever it is just doing. */
async function removeOne({ dice, devices, replicas }: World): Promise<void> {
  const index = dice.roll(devices.length)
  const [device] = devices.splice(index, 1)
  // The connection was killed: perhaps the device is gone, perhaps it is silent from now on.
  await dice
    .pick(replicas)
    .remove(device!.id)
    .catch(() => undefined)
}

/**
 * The leader's work, now and then by two at once: one that does not know yet that it leads no
 * longer.
 */
function moveSometimes({ dice, replicas }: World): Promise<unknown>[] {
  const moving: Promise<unknown>[] = []
  for (let i = dice.roll(3); i > 0; i--) {
    const replica = dice.pick(replicas)
    moving.push((dice.oneIn(4) ? replica.countMembers() : replica.move()).catch(() => undefined))
  }
  return moving
}

async function steer({ db, dice, replicas, id }: World): Promise<Steering | null> {
  const rollout = await readAgain(() => readRollout(db, id))
  const isPaused = rollout?.state === 'paused'
  if (!isPaused && !(rollout?.state === 'active' && dice.oneIn(25))) return null
  if (isPaused && !dice.oneIn(2)) return null
  const how = isPaused ? 'resume' : 'pause'
  for (let tries = 0; tries < 5; tries++) {
    try {
      await dice.pick(replicas).steer(id, how)
      break
    } catch {
      // The connection was killed: perhaps it is done nevertheless.
      const now = await readAgain(() => readRollout(db, id))
      if (now?.state === (isPaused ? 'active' : 'paused')) break
    }
  }
  const [row] = await readAgain(
    () => db.reader.sql<{ id: number | null }[]>`
      select max(id) as id from update_events where rollout = ${id}`,
  )
  return { how, eventId: row?.id ?? 0 }
}

/** Reads with another session when the one that was asked has been ended. */
async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await read()
    } catch (error) {
      if ((error as { code?: unknown }).code !== '57P01') throw error
      if (tries === 20) throw new Error('twenty-one sessions in a row were ended', { cause: error })
    }
  }
}

/**
 * Ends some sessions, whatever they are just doing: of the replicas, and perhaps our own. One
 * statement does it, so that no session ends itself while others are still to be ended.
 */
async function killSome({ db, dice }: World): Promise<void> {
  const count = 1 + dice.roll(3)
  await db.reader.sql`
    select pg_terminate_backend(pid) from (
      select pid from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'
      order by (state = 'active') desc, pid
      limit ${count}
    ) as chosen`
}
