/**
 * The part of a worker that decides, without its HTTP and in whatever time the test gives it:
 * several of them on one database are replicas. Releases are handed in, as the trust plane would
 * have verified them.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type {
  Answer,
  CheckInFacts,
  Rollout,
  RolloutPolicy,
  Update,
} from '@seaworthy/fleet/rollouts'
import { abort, createRollout, createZones, pause, resume } from '@seaworthy/fleet/rollouts'
import { newId } from '@seaworthy/std/ids'
import { invariant } from '@seaworthy/std/refusal'
import { silentLog } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import type { Clock } from '@seaworthy/std/time'
import { systemSleep } from '@seaworthy/std/time'
import { canonicalJson } from '@seaworthy/trust/tuf'
import { createFleetTable } from '../app/fleets/fleet-table.ts'
import { createCheckIns } from '../app/devices/check-in-writes.ts'
import { factsOf } from '../app/devices/device-facts.ts'
import { leaveFleet } from '../app/devices/leave-fleet.ts'
import type { CheckInObserver } from '../app/metrics/check-ins.ts'
import { createHearingNotes } from '../app/rollouts/hearing.ts'
import { countDueMembers } from '../app/rollouts/rollout-members.ts'
import { moveRollouts } from '../app/rollouts/rollout-progress.ts'
import { createTestBudgets } from './budgets.ts'
import { createRolloutTable } from '../app/rollouts/rollout-table.ts'
import { parseUpdates } from '../app/rollouts/update-changes.ts'
import { createSettlements, decideFor } from '../app/rollouts/settlements.ts'
import type { Db, WriteTx } from '../db/connection.ts'
import { removeDevice } from '../db/devices.ts'
import {
  getRollout,
  insertRollout,
  lockRollouts,
  notifyRollouts,
  writeRollout,
} from '../db/rollouts.ts'

const unheard = { onHeard: () => undefined, onChanged: () => undefined }

export type AskedFacts = Omit<CheckInFacts, 'updates'>

export interface Decider {
  /**
   * Decides from what the device's row says, as a worker does after the statement that stores the
   * report.
   */
  checkIn(facts: AskedFacts): Promise<Answer>
  /**
   * Does a whole check-in: the report is stored first. Its signature, if any, is taken as valid.
   */
  report(deviceId: string, report: DeviceReport, isSigned: boolean): Promise<Answer>
  create(release: ReleaseFacts, policy: RolloutPolicy): Promise<string>
  steer(rolloutId: string, how: 'pause' | 'resume' | 'abort'): Promise<void>
  /** Does one round of the leader's work on rollouts. */
  move(): Promise<void>
  countMembers(): Promise<void>
  /** Does what every worker does while it hears any device. */
  hear(): Promise<void>
  remove(deviceId: string): Promise<void>
  /** Reloads what a notification would have brought. */
  reload(): Promise<void>
  close(): Promise<void>
}

export interface DeciderOptions {
  readonly db: Db
  readonly clock: Clock
  /** The database's clock; without it, this replica's own clock is used. */
  readonly databaseNow?: () => Date
  readonly random: Random
  readonly fleet: string
  readonly releases: () => readonly ReleaseFacts[]
}

/** Makes a decider that throws whatever the database throws, as tests of faults expect. */
export async function openDecider(options: DeciderOptions): Promise<Decider> {
  const { clock, random } = options
  const db = withClock(options.db, options.databaseNow ?? (() => clock.now()))
  const zones = createZones()
  const releases = { of: options.releases }
  const onFailure = () => undefined
  const rollouts = createRolloutTable({ db, releases, sleep: systemSleep, onFailure })
  const fleets = createFleetTable(db)
  const hearing = createHearingNotes(db)
  const ports = { clock, random, sleep: systemSleep, log: silentLog }
  const settlements = createSettlements({ db, zones, rollouts, releases }, ports)
  const [budgets] = createTestBudgets(clock)
  const checkIns = createCheckIns(db, unobserved, { ...ports, budgets }, unheard)
  const app = {
    ...{ db, clock, budgets, zones, rollouts, settlements, releases, fleets },
    trust: { freshState: () => Promise.resolve(undefined) },
    health: { hasProblem: () => false },
    log: {
      error(event: string, facts?: object): never {
        throw new Error(`${event} ${JSON.stringify(facts)}`)
      },
    },
  }
  const reload = () => void rollouts.reload().catch(onFailure)
  await fleets.reload()
  await rollouts.reload()
  await db.subscribe([
    { channel: 'rollouts', onNotify: (id) => rollouts.markChanged(id), onListening: reload },
  ])
  const policy = (): FleetPolicy => {
    const fleet = fleets.get(options.fleet)
    invariant(fleet !== undefined, 'the fleet was made before')
    return fleet
  }
  return {
    async checkIn(facts) {
      const [row] = await db.reader.sql<{ updates: unknown[] }[]>`
        select updates from device_states where device = ${facts.deviceId}`
      const updates: readonly Update[] = parseUpdates(row?.updates ?? [])
      return decideFor(app, { ...facts, updates }, policy(), clock.now())
    },
    async report(deviceId, report, isSigned) {
      const now = clock.now()
      const signed = {
        device: deviceId,
        sequence: report.sequence,
        report: canonicalJson(report),
        signature: new Uint8Array(64),
      }
      const outcome = await checkIns.submit({
        checkIn: { device: deviceId, report },
        signed: isSigned ? signed : undefined,
      })
      invariant(outcome.kind === 'stored', `the report was not stored: ${outcome.kind}`)
      return decideFor(app, factsOf(deviceId, report, outcome), policy(), now)
    },
    async create(release, wanted) {
      const now = clock.now()
      const rollout = createRollout({
        id: newId('rollout', now, random),
        fleet: options.fleet,
        release,
        policy: wanted,
        createdBy: 'server',
        startAt: null,
        wayBackOf: null,
        now,
      })
      await db.write(async (tx) => {
        await insertRollout(tx, rollout)
        await notifyRollouts(tx, [rollout.id])
      })
      return rollout.id
    },
    async steer(rolloutId, how) {
      await db.write(async (tx) => {
        const [before] = await lockRollouts(tx, [rolloutId])
        invariant(before !== undefined, 'the rollout exists')
        await writeSteered(tx, before, steered(before, how, clock.now()))
      })
    },
    move: () => moveRollouts(app),
    countMembers: () => countDueMembers(app, new Map()),
    hear() {
      hearing.note()
      return hearing.store()
    },
    async remove(deviceId) {
      await db.write(async (tx) => {
        const target = { id: deviceId, toFleet: null }
        await leaveFleet(tx, target, 'device_removed')
        await removeDevice(tx, deviceId, clock.now())
      })
    },
    async reload() {
      await rollouts.reload()
      await fleets.reload()
    },
    close: () => db.close(),
  }
}

function withClock(db: Db, now: () => Date): Db {
  const inTime = (tx: WriteTx): WriteTx => {
    let asked: Date | undefined
    return {
      ...tx,
      now: () => Promise.resolve((asked ??= now())),
      atStatement: () => tx.sql`${now()}::timestamptz`,
    }
  }
  return {
    ...db,
    write: (work) => db.write((tx) => work(inTime(tx))),
    writeRows: (work) => db.writeRows((tx) => work(inTime(tx))),
  }
}

/** Reads the rollout as it is stored, in one consistent state. */
export function readRollout(db: Db, id: string): Promise<Rollout | undefined> {
  return db.readSnapshot((tx) => getRollout(tx, id))
}

const unobserved: CheckInObserver = {
  arrive: () => ({ span: undefined }),
  watchQueue: () => undefined,
  batch: (_arrivals, work) => work(),
}

function steered(rollout: Rollout, how: 'pause' | 'resume' | 'abort', now: Date): Rollout {
  if (how === 'resume') return resume(rollout, now)
  return how === 'pause' ? pause(rollout, null, now) : abort(rollout, null, now)
}

async function writeSteered(tx: WriteTx, before: Rollout, after: Rollout): Promise<void> {
  await writeRollout(tx, before, after)
  await notifyRollouts(tx, [after.id])
}
