/**
 * Two replicas of the server's application on one real PostgreSQL, in a time that only the story
 * moves.
 */
import type { Rollout, RolloutPolicy, Windows } from '@seaworthy/fleet/rollouts'
import { createZones, windowAt } from '@seaworthy/fleet/rollouts'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { Db, Decider, TestDatabase } from '@seaworthy/server/testing'
import { openDecider, readRollout, startTestDatabase } from '@seaworthy/server/testing'
import { invariant } from '@seaworthy/std/refusal'
import type { Random } from '@seaworthy/std/random'
import { minuteMs } from '@seaworthy/std/time'
import type { FleetDevice, FleetRelease } from './devices.ts'
import { insertFleet, releases } from './fleet-rows.ts'
import type { FaultyDb } from './faults.ts'
import { createFaultyDb } from './faults.ts'
import type { Stricken } from './misfortunes.ts'

const fleet = 'shops'
const names = ['replica A', 'replica B'] as const

interface Replica {
  readonly decider: Decider
  readonly faults: FaultyDb
  readonly db: Db
  isDeaf: boolean
  isCutOff: boolean
  readonly clock: { skewMinutes: number }
}

export interface ReplicaPair extends Stricken {
  /** The database itself, beside every replica. */
  readonly db: Db
  setNow(now: Date): void
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
  close(): Promise<void>
}

export const replicasCount = names.length

export async function openReplicaPair(options: {
  startAt: Date
  random: Random
  devices: readonly FleetDevice[]
}): Promise<ReplicaPair> {
  const database = await startTestDatabase()
  const direct = database.open()
  await insertFleet(direct, fleet, options.devices, options.startAt)
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
    db: direct,
    passNotifications,
    nameOf: (index) => names[index]!,
    setNow(at) {
      now = at
    },
    createRollout: (policy) => findLiving().decider.create(releases[1], policy),
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
