/**
 * Who may restart at the moment (D13, V12, RFD 14). A fleet's slots are counted under one row lock,
 * so that there are never more holders than slots, however many replicas are asked for them. What
 * is in memory only saves taking the lock for devices that would be refused anyway. A slot is given
 * back when the update has ended, successful or not, and never because the device came up again.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { SignedSequence } from '@seaworthy/fleet/devices'
import { asSignedSequence } from '@seaworthy/fleet/devices'
import type { FleetPolicy, RebootPolicy } from '@seaworthy/fleet/fleets'
import type { RestartReason, Zones } from '@seaworthy/fleet/rollouts'
import { isEnd, isWaitingForRestart, isWork, mayRestart } from '@seaworthy/fleet/rollouts'
import { hourMs } from '@seaworthy/std/time'
import { newId } from '@seaworthy/std/ids'
import type { Db, WriteTx } from '../../db/connection.ts'
import type { RebootLockRow } from '../../db/reboot-locks.ts'
import {
  countHolders,
  deleteLock,
  getHolder,
  insertLock,
  keepInFleet,
  listHoldersOfAll,
  listLocksOfDevice,
  lockRebootGroup,
  notifyLocks,
  touchLock,
} from '../../db/reboot-locks.ts'
import type { ForeignState } from '../../db/foreign-check-ins.ts'
import type { App, RebootLockTable } from '../app.ts'
import { createSingleflight } from '../worker/index.ts'

export function createRebootLockTable(db: Db): RebootLockTable {
  let counts = new Map<string, number>()
  let devices = new Set<string>()
  return {
    count: (fleet) => counts.get(fleet) ?? 0,
    isHolder: (deviceId) => devices.has(deviceId),
    reload: createSingleflight(async () => {
      const holders = await listHoldersOfAll(db.reader)
      const counted = new Map<string, number>()
      for (const { fleet } of holders) counted.set(fleet, (counted.get(fleet) ?? 0) + 1)
      counts = counted
      devices = new Set(holders.flatMap(({ kind, holder }) => (kind === 'device' ? [holder] : [])))
    }),
  }
}

export type SlotHolder = Pick<
  RebootLockRow,
  'fleet' | 'kind' | 'holder' | 'device' | 'sha256' | 'sequence'
>

/**
 * Whether a check-in took the slot, for an update. What FleetLock takes a slot for is not known
 * here. A slot keeps its purpose, so that ending the one kind never ends the other.
 */
export function isOfUpdate({ sha256 }: Pick<SlotHolder, 'sha256'>): boolean {
  return sha256 !== null
}

type RestartRefusal = Exclude<RestartReason, 'allowed' | 'held'>
export type SlotRefusal = RestartRefusal | 'device_left'

export type SlotAnswer =
  /**
   * `isNew` is false for a holder, and where the fleet's strategy has no slots and allows the
   * restart now.
   */
  | { readonly kind: 'granted'; readonly isNew: boolean }
  | { readonly kind: 'refused'; readonly reason: SlotRefusal }

/**
 * Takes a slot. A holder gets its slot again, even when slots were taken away or the window has
 * closed meanwhile; a slot for an update then becomes one for the update that it asks for now.
 */
export async function acquireSlot(
  app: Pick<App, 'random' | 'zones'>,
  tx: WriteTx,
  holder: SlotHolder,
  tags: Readonly<Record<string, string>>,
  now: Date,
): Promise<SlotAnswer> {
  // The device is locked first, as in its removal or move: transactions that lock in the same order
  // never deadlock.
  if (holder.device !== null && !(await keepInFleet(tx, holder.device, holder.fleet))) {
    return { kind: 'refused', reason: 'device_left' }
  }
  const policy = await lockRebootGroup(tx, holder.fleet)
  if (policy === undefined) return { kind: 'refused', reason: 'off' }
  if (policy.strategy === 'coordinated') {
    const held = await getHolder(tx, holder)
    if (held !== undefined) {
      const { sha256, sequence } = isOfUpdate(held) && isOfUpdate(holder) ? holder : held
      const touched = { id: held.id, sha256, sequence, askedAt: now }
      // The slot may be given back at this very moment, so only a row that is still there counts.
      if (await touchLock(tx, touched)) return { kind: 'granted', isNew: false }
    }
  }
  const holdersCount = policy.strategy === 'coordinated' ? await countHolders(tx, holder.fleet) : 0
  const verdict = judge(app.zones, policy, holdersCount, tags, now)
  if (verdict !== undefined) return { kind: 'refused', reason: verdict }
  if (policy.strategy !== 'coordinated') return { kind: 'granted', isNew: false }
  const id = newId('lock', now, app.random)
  await insertLock(tx, { ...holder, id, takenAt: now, askedAt: now, alarmedAt: null })
  await notifyLocks(tx)
  return { kind: 'granted', isNew: true }
}

/** Why a device that holds no slot may not restart now, or `undefined` when it may. */
function judge(
  zones: Zones,
  policy: RebootPolicy,
  holdersCount: number,
  tags: Readonly<Record<string, string>>,
  now: Date,
): RestartRefusal | undefined {
  const { reason } = mayRestart(policy, holdersCount, false, tags, now, zones)
  return reason === 'allowed' || reason === 'held' ? undefined : reason
}

/** Frees the slot that a device took for its update, which has ended. */
export async function releaseSlot(tx: WriteTx, deviceId: string): Promise<void> {
  const locks = await listLocksOfDevice(tx, deviceId)
  await freeAll(tx, locks.filter(isOfUpdate))
}

/** Frees whatever a device holds, when it leaves its fleet. */
export async function releaseAllSlots(tx: WriteTx, deviceId: string): Promise<void> {
  await freeAll(tx, await listLocksOfDevice(tx, deviceId))
}

async function freeAll(tx: WriteTx, locks: readonly RebootLockRow[]): Promise<void> {
  for (const { id } of locks) {
    if (await deleteLock(tx, id)) await notifyLocks(tx)
  }
}

/** A device that waits asks again after this time at the latest. */
const waitingPollSecondsMax = 60

/** A device that may want to restart, and what it said last. */
interface Asker {
  readonly fleet: FleetPolicy
  readonly deviceId: string
  readonly tags: Readonly<Record<string, string>>
  readonly report: Pick<DeviceReport, 'sequence' | 'running' | 'update'>
  /** The signed statement that reported how the update ended. */
  readonly saidSequence: SignedSequence
}

export interface RestartQuestion extends Asker {
  /**
   * Whether the report is signed, which it is when it says something new; idle ones repeat what was
   * said before.
   */
  readonly isSigned: boolean
  /** The release that this check-in is answered with. */
  readonly assigned: { readonly sha256: string } | null
}

export interface RestartAnswer {
  /**
   * Whether the device may restart; `undefined` when its strategy restricts nobody, or no release
   * is assigned.
   */
  readonly mayRestart: boolean | undefined
  readonly pollSecondsMax: number
}

type Deps = Pick<App, 'db' | 'random' | 'rebootLocks' | 'zones'>

/**
 * Decides about a restart at a check-in of one of our agents: gives back its slot when the report
 * shows that the update is over, and takes one when the device waits.
 */
export async function decideRestart(
  app: Deps,
  question: RestartQuestion,
  now: Date,
): Promise<RestartAnswer> {
  const { fleet, deviceId, report, assigned } = question
  const { strategy } = fleet.reboot
  const isPerhapsOver =
    question.isSigned && isEnd(report.update.state) && strategy === 'coordinated'
  const waitsFor = isWaitingForRestart(report.update) ? report.update.sha256 : undefined
  if (app.rebootLocks.isHolder(deviceId) || isPerhapsOver) {
    const wish = { wanted: waitsFor, assigned: assigned?.sha256, keptMs: 0 }
    await releaseWhatIsOver(app, question, wish, now)
  }
  const isWaiting = assigned !== null && waitsFor === assigned.sha256
  const pollSecondsMax = isWaiting ? waitingPollSecondsMax : Infinity
  const isFree = strategy === 'immediate' || assigned === null
  if (isFree) return { mayRestart: undefined, pollSecondsMax }
  if (strategy === 'coordinated' && !isWaiting) return { mayRestart: false, pollSecondsMax }
  return { mayRestart: await takeTurn(app, question, assigned.sha256, now), pollSecondsMax }
}

/**
 * Whether a device whose client restarts without asking again may begin the release, by the rule
 * for one of our agents that waits to restart into it. Takes a slot where the fleet has them.
 * Without a release, only a slot for what the device was to install is given back: at once where it
 * has not begun, otherwise when it says how that ended, or can hardly be at it any more.
 */
export async function mayInterrupt(
  app: Deps,
  fleet: FleetPolicy,
  { device, tags, report }: Pick<ForeignState, 'device' | 'tags' | 'report'>,
  release: { readonly sha256: string } | null,
  now: Date,
): Promise<boolean> {
  if (report === null) return false
  const saidSequence = asSignedSequence(report.sequence)
  const asker: Asker = { fleet, deviceId: device, tags, report, saidSequence }
  if (app.rebootLocks.isHolder(device)) {
    const { state, sha256 } = report.update
    const keptMs = isWork(state) ? unstoppableMs : 0
    const wish = { wanted: release?.sha256 ?? sha256, assigned: release?.sha256, keptMs }
    await releaseWhatIsOver(app, asker, wish, now)
  }
  if (release === null) return false
  return fleet.reboot.strategy === 'immediate' || takeTurn(app, asker, release.sha256, now)
}

/** Whether the device may restart into the release now; takes a slot where the fleet has them. */
async function takeTurn(
  app: Deps,
  { fleet, deviceId, tags, report }: Asker,
  sha256: string,
  now: Date,
): Promise<boolean> {
  const policy = fleet.reboot
  const isHolder = app.rebootLocks.isHolder(deviceId)
  const count = app.rebootLocks.count(fleet.name)
  const isFree = judge(app.zones, policy, count, tags, now) === undefined
  if (policy.strategy !== 'coordinated' || !(isFree || isHolder)) return isFree
  const holder: SlotHolder = {
    fleet: fleet.name,
    kind: 'device',
    holder: deviceId,
    device: deviceId,
    sha256,
    sequence: report.sequence,
  }
  const answer = await app.db.write((tx) => acquireSlot(app, tx, holder, tags, now))
  if (answer.kind === 'granted' && answer.isNew) await app.rebootLocks.reload()
  return answer.kind === 'granted'
}

/**
 * A client that nobody can stop goes on with what it was offered, whatever became of the rollout:
 * its address for the files is good for half a day.
 */
const unstoppableMs = 13 * hourMs

interface Wish {
  /** What the device waits to begin, or has begun. */
  readonly wanted: string | undefined
  readonly assigned: string | undefined
  /** How long it keeps its slot for that when it is assigned something else, or nothing. */
  readonly keptMs: number
}

/** Gives back each slot whose update is over. */
async function releaseWhatIsOver(
  app: Pick<App, 'db' | 'rebootLocks'>,
  asker: Asker,
  wish: Wish,
  now: Date,
): Promise<void> {
  const locks = await listLocksOfDevice(app.db.reader, asker.deviceId)
  const over = locks.filter((lock) => isOver(lock, asker, wish, now))
  if (over.length === 0) return
  await app.db.write(async (tx) => {
    for (const { id } of over) await deleteLock(tx, id)
    await notifyLocks(tx)
  })
  await app.rebootLocks.reload()
}

/**
 * Whether the update that a slot is for is over. A lock that was taken by FleetLock is given back
 * only by FleetLock. An end counts only when it was reported after the slot was asked for: a device
 * that comes up in the middle of its trial still tells of the update before it.
 */
function isOver(
  lock: RebootLockRow,
  { fleet, report, saidSequence }: Asker,
  { wanted, assigned, keptMs }: Wish,
  now: Date,
): boolean {
  if (lock.fleet !== fleet.name) return true
  if (lock.kind !== 'device' || !isOfUpdate(lock)) return false
  if (lock.sha256 === wanted) {
    return assigned !== wanted && now.getTime() - lock.askedAt.getTime() >= keptMs
  }
  if (lock.sequence !== null && report.sequence <= lock.sequence) return false
  const { update, running } = report
  const isToldLater = lock.sequence === null || saidSequence > lock.sequence
  if (isToldLater && update.sha256 === lock.sha256 && isEnd(update.state)) return true
  return running?.sha256 === lock.sha256 && update.state !== 'watching'
}
