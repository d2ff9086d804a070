/**
 * Several replicas on one real PostgreSQL, devices that ask at any of them at the same time, clocks
 * that disagree and jump, connections that are killed in the middle of a transaction, people who
 * pause and resume: and after every step the limits are counted again. The seed decides everything
 * but what the processes make of it in their own time.
 */
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { RolloutPolicy } from '@seaworthy/fleet/rollouts'
import type { Db, Decider, AskedFacts, TestDatabase } from '@seaworthy/server/testing'
import { openDecider, readRollout } from '@seaworthy/server/testing'
import { systemRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import type { Seen, Steering } from './invariants.ts'
import { checkLimits, nothingSeen } from './invariants.ts'
import type { Dice } from './policies.ts'
import { createDice, rollPolicy } from './policies.ts'

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

/** Throws when a limit did not hold; the caller's message names the seed. */
export async function runOvershoot(
  database: TestDatabase,
  options: RaceOptions,
): Promise<RunResult> {
  const dice = createDice(options.seed)
  const policy = rollPolicy(dice)
  const db = database.open()
  const clock = new ManualClock(new Date('2026-03-28T12:00:00Z'))
  const fleet = `fleet-${options.seed}`
  const replicas: Decider[] = []
  try {
    const devices = await makeFleet(db, fleet, options, dice)
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

interface SimDevice {
  facts: AskedFacts
  /** Path of the release that it is at work on. */
  assigned: string | null
}

interface World {
  readonly db: Db
  readonly clock: ManualClock
  readonly dice: Dice
  readonly replicas: readonly Decider[]
  readonly devices: SimDevice[]
  readonly id: string
}

async function makeFleet(
  db: Db,
  fleet: string,
  { devicesCount, seed }: RaceOptions,
  dice: Dice,
): Promise<SimDevice[]> {
  const devices = Array.from({ length: devicesCount }, (_, i): SimDevice => {
    const suffix = `${String(seed).padStart(13, '0')}${String(i).padStart(13, '0')}`
    return {
      assigned: null,
      facts: {
        deviceId: `device_${suffix}`,
        platform: 'linux/amd64',
        hardware: null,
        tags: dice.oneIn(8) ? { ring: 'early' } : {},
        running: { product: 'acme', sha256: '1'.repeat(64), counter: 1 },
        committedCounter: 1,
        floor: 1,
        activity: { state: 'idle', sha256: null, code: null },
        sequence: 1,
        heldBack: null,
      },
    }
  })
  const json = JSON.stringify(
    devices.map(({ facts }) => ({
      id: facts.deviceId,
      tags: facts.tags,
      report: { running: { ...facts.running, version: '1.0.0' } },
    })),
  )
  await db.write(async ({ sql }) => {
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, follow, created_at)
      values (${fleet}, 'acme', 'stable', 60, true, 'rollouts', now())`
    await sql`
      insert into devices (id, fleet, key_id, public_key, provisioning_key, platform, agent_version, tags,
        registered_at)
      select id, ${fleet}, id, '{}', 'none', 'linux/amd64', '0', tags, now()
      from jsonb_to_recordset(${json}::text::jsonb) as d (id text, tags jsonb)`
    await sql`
      insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
      select id, now(), now(), '', ${fleet}, tags
      from jsonb_to_recordset(${json}::text::jsonb) as d (id text, tags jsonb)`
    await sql`
      insert into last_reports (device, report)
      select id, report from jsonb_to_recordset(${json}::text::jsonb) as d (id text, report jsonb)`
  })
  return devices
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
  const releases = [release]
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
  const { dice, devices, replicas } = world
  const asked: Promise<boolean>[] = []
  const busy = new Set<SimDevice>()
  while (asked.length < atOnce) {
    const device = dice.pick(devices)
    if (busy.has(device)) continue
    busy.add(device)
    live(device, dice)
    const { facts } = device
    const times = dice.oneIn(5) ? 2 : 1
    for (let i = 0; i < times; i++) asked.push(ask(device, facts, dice.pick(replicas)))
  }
  return { all: Promise.all(asked) }
}

async function ask(device: SimDevice, facts: AskedFacts, replica: Decider): Promise<boolean> {
  try {
    const answer = await replica.checkIn(facts)
    device.assigned = answer.release?.sha256 ?? null
    return true
  } catch {
    // It asks again; what it was told is not known.
    return false
  }
}

/** Does what the device did since it asked last. */
function live(device: SimDevice, dice: Dice): void {
  const { facts, assigned } = device
  const isTold = assigned === release.sha256 && facts.running?.sha256 !== release.sha256
  if (!isTold || dice.oneIn(4)) return
  const sequence = facts.sequence + 1
  const { sha256, counter } = release
  if (dice.oneIn(3)) {
    const state = dice.pick(['downloading', 'installing', 'watching'] as const)
    device.facts = { ...facts, sequence, activity: { state, sha256, code: null } }
  } else if (dice.oneIn(6)) {
    const state = dice.pick(['rolled_back', 'failed'] as const)
    device.facts = { ...facts, sequence, activity: { state, sha256, code: 'unhealthy' } }
  } else {
    device.facts = {
      ...facts,
      sequence,
      running: { product: 'acme', sha256, counter },
      committedCounter: counter,
      activity: { state: 'committed', sha256, code: null },
    }
  }
}

/** A device leaves for good, whatever it is just doing. */
async function removeOne({ dice, devices, replicas }: World): Promise<void> {
  const index = dice.roll(devices.length)
  const [device] = devices.splice(index, 1)
  // The connection was killed: perhaps the device is gone, perhaps it is silent from now on.
  await dice
    .pick(replicas)
    .remove(device!.facts.deviceId)
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
      if (tries === 20 || (error as { code?: unknown }).code !== '57P01') throw error
    }
  }
}

/** Ends some sessions, whatever they are just doing: of the replicas, and perhaps our own. */
async function killSome({ db, dice }: World): Promise<void> {
  const sessions = await db.reader.sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    order by (state = 'active') desc, pid`
  const count = 1 + dice.roll(3)
  for (const { pid } of sessions.slice(0, count)) {
    await db.reader.sql`select pg_terminate_backend(${pid}::int)`
  }
}
