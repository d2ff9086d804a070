/**
 * Two replicas of the server's application on one real PostgreSQL, in a time that only the story
 * moves.
 */
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Rollout, RolloutPolicy, Windows } from '@seaworthy/fleet/rollouts'
import { createZones, windowAt } from '@seaworthy/fleet/rollouts'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { Db, Decider, TestDatabase } from '@seaworthy/server/testing'
import { openDecider, readRollout, startTestDatabase } from '@seaworthy/server/testing'
import { invariant } from '@seaworthy/std/refusal'
import type { Random } from '@seaworthy/std/random'
import { minuteMs } from '@seaworthy/std/time'
import type { FleetDevice, FleetRelease } from './simulated-fleet.ts'
import type { FaultyDb } from './faults.ts'
import { createFaultyDb } from './faults.ts'
import type { Stricken } from './misfortunes.ts'

const fleet = 'shops'
const names = ['replica A', 'replica B'] as const
const insertMax = 10_000

/** The signed facts, as the trust plane would have verified them. */
const releases: readonly ReleaseFacts[] = ['1.0.0', '1.1.0'].map((version, i) => ({
  product: 'acme',
  channel: 'stable',
  version,
  targetPath: `acme/stable/${version}`,
  sha256: String(i + 1).repeat(64),
  counter: i + 1,
  floor: 1,
  platforms: ['linux/amd64'],
  hardware: [],
  security: false,
}))

interface Replica {
  readonly decider: Decider
  readonly faults: FaultyDb
  readonly db: Db
  isDeaf: boolean
  isCutOff: boolean
  readonly clock: { skewMinutes: number }
}

export interface ReplicaPair extends Stricken {
  readonly releases: readonly FleetRelease[]
  setNow(now: Date): void
  /** Every device runs the first release and has said so. */
  insertDevices(devices: readonly FleetDevice[]): Promise<void>
  /** Creates a rollout to the newest release. */
  createRollout(policy: RolloutPolicy): Promise<string>
  resumeRollout(id: string): Promise<void>
  getRollout(id: string): Promise<Rollout>
  isWindowOpen(windows: Windows): boolean
  /** Passes notifications on, as soon as they were sent. */
  passNotifications(): Promise<void>
  /** Runs one turn of the leader: the first replica that lives. */
  lead(): Promise<void>
  /** Checks in as behind a load balancer that notices a dead replica, and no deaf one. */
  checkIn(
    replica: number,
    device: FleetDevice,
    report: DeviceReport,
  ): Promise<FleetRelease | null | 'unreachable'>
  /** Rows of the database itself, beside every replica. */
  select<Row extends object>(query: string, parameters: readonly string[]): Promise<Row[]>
  close(): Promise<void>
}

export const replicasCount = names.length

export async function openReplicaPair(options: {
  startAt: Date
  random: Random
}): Promise<ReplicaPair> {
  const database = await startTestDatabase()
  const direct = database.open()
  await direct.write(async ({ sql }) => {
    await sql`
      insert into fleets (name, product, channel, poll_seconds, pinned_version, updates_enabled, follow, created_at)
      values (${fleet}, 'acme', 'stable', 3600, null, true, 'rollouts', ${options.startAt})`
  })
  let now = options.startAt
  const open = () => openReplica(database, options.random, () => now)
  const replicas = [await open(), await open()]
  const isDown = ({ isCutOff, faults }: Replica) => isCutOff || faults.isKilled()
  const findLiving = () => {
    const replica = replicas.find((candidate) => !isDown(candidate))
    invariant(replica !== undefined, 'one replica lives')
    return replica
  }
  const passNotifications = async () => {
    for (const replica of replicas) {
      if (!replica.isDeaf && !isDown(replica)) await replica.decider.reload()
    }
  }
  const zones = createZones()
  return {
    releases,
    passNotifications,
    nameOf: (index) => names[index]!,
    setNow(at) {
      now = at
    },
    insertDevices: (devices) => insertDevices(direct, devices, now),
    createRollout: (policy) => findLiving().decider.create(releases.at(-1)!, policy),
    async resumeRollout(id) {
      await findLiving().decider.steer(id, 'resume')
      await passNotifications()
    },
    async getRollout(id) {
      const rollout = await readRollout(direct, id)
      invariant(rollout !== undefined, 'the rollout exists')
      return rollout
    },
    isWindowOpen: (windows) => windowAt(windows, {}, now, zones).isOpen,
    async lead() {
      const leader = findLiving()
      try {
        await leader.decider.countMembers()
        await leader.decider.move()
      } catch (error) {
        // The leader was killed in its turn: the other one leads at the next.
        if (!isDown(leader)) throw error
      }
      await passNotifications()
    },
    async checkIn(index, device, report) {
      const asked = replicas[index]!
      const replica = isDown(asked) ? replicas[1 - index]! : asked
      if (isDown(replica)) return 'unreachable'
      try {
        const { release } = await replica.decider.report(device.id, report, device.hasNewReport)
        return release
      } catch (error) {
        if (!isDown(replica)) throw error
        return 'unreachable'
      }
    },
    async select<Row extends object>(query: string, parameters: readonly string[]) {
      return (await direct.reader.sql.unsafe(query, [...parameters])) as unknown as Row[]
    },
    killAtNextWrite: (index, moment) => replicas[index]!.faults.killAtWrite(moment),
    async restart(index) {
      const { decider } = replicas[index]!
      replicas[index] = await open()
      await decider.close()
    },
    setDeaf(index, isDeaf) {
      replicas[index]!.isDeaf = isDeaf
    },
    setCutOff(index, isCutOff) {
      const replica = replicas[index]!
      replica.isCutOff = isCutOff
      replica.faults.setCutOff(isCutOff)
    },
    skewClock(index, minutes) {
      replicas[index]!.clock.skewMinutes = minutes
    },
    async close() {
      for (const { decider } of replicas) await decider.close()
      await direct.close()
      await database.stop()
    },
  }
}

async function openReplica(
  database: TestDatabase,
  random: Random,
  now: () => Date,
): Promise<Replica> {
  const clock = { skewMinutes: 0 }
  const db = database.open()
  // Notifications come when the story passes them on.
  const faults = createFaultyDb({ ...db, subscribe: () => Promise.resolve() })
  const decider = await openDecider({
    db: faults.db,
    clock: {
      now: () => new Date(now().getTime() + clock.skewMinutes * minuteMs),
      monotonicMs: () => now().getTime(),
    },
    databaseNow: now,
    random,
    fleet,
    releases: () => releases,
  })
  return { decider, faults, db, clock, isDeaf: false, isCutOff: false }
}

async function insertDevices(db: Db, devices: readonly FleetDevice[], at: Date): Promise<void> {
  for (let from = 0; from < devices.length; from += insertMax) {
    const page = devices.slice(from, from + insertMax)
    const ids = page.map(({ id }) => id)
    const { version, sha256, counter } = page[0]!.running
    const report = {
      running: { product: 'acme', version, sha256, counter },
      committedCounter: counter,
      floor: 0,
    }
    await db.write(async ({ sql }) => {
      await sql`
        insert into devices (id, fleet, key_id, public_key, platform, agent_version, tags, provisioning_key, registered_at)
        select id, ${fleet}, id, '{}'::jsonb, 'linux/amd64', '0.1.0', '{}'::jsonb, 'provisioning_0', ${at}
        from unnest(${ids}::text[]) as given (id)`
      await sql`
        insert into device_states (device, seen_at, reported_at, digest, fleet, tags)
        select id, ${at}, ${at}, '', ${fleet}, '{}'::jsonb from unnest(${ids}::text[]) as given (id)`
      await sql`
        insert into last_reports (device, report)
        select id, ${sql.json(report)} from unnest(${ids}::text[]) as given (id)`
    })
  }
}
