/**
 * What people see and do about restart slots (`slots.ts` decides who gets one): the list, taking a
 * slot away, and what happens when one is held for too long.
 */
import { updateState } from '@seaworthy/api/device-self'
import type { RebootLockView } from '@seaworthy/api/reboot-locks'
import type { RebootPolicy } from '@seaworthy/fleet/fleets'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, hourMs, secondMs } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/reboot-locks.ts'
import type { RebootLockWithDevice } from '../../db/reboot-locks.ts'
import type { Actor, Current } from '../access/index.ts'
import type { App } from '../app.ts'
import { findFleet } from '../fleets/index.ts'
import type { RebootLockRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { listById } from '../paging.ts'

/**
 * Lists the slots within the actor's scope, oldest first. Throws `fleet_not_found`, `out_of_scope`.
 */
export async function listRebootLocks(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly fleet: string },
  now: Date,
): Promise<Page<RebootLockView> & { readonly slots: number | null }> {
  const { name, reboot } = await findFleet(tx, actor, query.fleet)
  const page = await listById(
    query,
    (part) => db.listLocks(tx, { ...part, fleet: name }),
    (row) => viewRebootLock(row, now),
  )
  const slots = reboot.strategy === 'coordinated' ? reboot.slots : null
  return { ...page, slots }
}

/** Throws `reboot_lock_not_found`, `out_of_scope`. */
export async function takeAwayLock(
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<RebootLockWithDevice> {
  const row = await db.getLock(tx, id)
  const refusal = () =>
    new Refusal<RebootLockRefusal>('reboot_lock_not_found', 'nobody holds this slot any more')
  if (row === undefined) throw refusal()
  await findFleet(tx, actor, row.fleet)
  if (!(await db.deleteLock(tx, id))) throw refusal()
  await db.notifyLocks(tx)
  return row
}

export function viewRebootLock(row: RebootLockWithDevice, now: Date): RebootLockView {
  const ttlMs = ttlMsOf(row.reboot)
  return {
    id: row.id,
    fleet: row.fleet,
    kind: row.kind,
    holder: row.holder,
    device: row.device === null ? null : viewHolderDevice(row, row.device),
    takenAt: formatInstant(row.takenAt),
    ageSeconds: Math.max(0, Math.floor((now.getTime() - row.takenAt.getTime()) / secondMs)),
    askedAt: formatInstant(row.askedAt),
    expiresAt: ttlMs === null ? null : formatInstant(new Date(row.takenAt.getTime() + ttlMs)),
  }
}

function viewHolderDevice(row: RebootLockWithDevice, id: string): RebootLockView['device'] {
  const state = updateState.safeParse(row.updateState)
  return {
    id,
    name: row.deviceName,
    lastSeenAt: instantOrNull(row.deviceSeenAt),
    updateState: state.success ? state.data : null,
  }
}

function ttlMsOf(reboot: RebootPolicy): number | null {
  return reboot.strategy === 'coordinated' && reboot.ttlSeconds !== null
    ? reboot.ttlSeconds * secondMs
    : null
}

/**
 * People are told of a slot after half its lifetime or, where it has none, after this long: a
 * restart with its trial hardly ever takes as long.
 */
const alarmAgeMsDefault = 6 * hourMs

/**
 * Gives up slots that are older than their fleet allows, and tells people once of each slot that is
 * held for long, in the log file and in the audit log. A slot of a fleet that is no longer
 * coordinated is given up as well.
 */
export async function watchRebootLocks(app: Pick<App, 'clock' | 'db' | 'log'>): Promise<void> {
  const now = app.clock.now()
  for (const lock of await db.listAllLocks(app.db.reader)) {
    const ageMs = now.getTime() - lock.takenAt.getTime()
    const ttlMs = ttlMsOf(lock.reboot)
    if (lock.reboot.strategy !== 'coordinated') await giveUp(app, lock, 'not_coordinated')
    else if (ttlMs !== null && ageMs >= ttlMs) await giveUp(app, lock, 'expired')
    else if (lock.alarmedAt === null && ageMs >= (ttlMs ?? 2 * alarmAgeMsDefault) / 2) {
      await raiseAlarm(app, lock)
    }
  }
}

async function giveUp(
  app: Pick<App, 'db' | 'log'>,
  lock: RebootLockWithDevice,
  why: 'expired' | 'not_coordinated',
): Promise<void> {
  const isGone = await app.db.write(async (tx) => {
    // A slot that was taken again in the meantime is another row.
    if (!(await db.deleteLock(tx, lock.id))) return false
    await db.notifyLocks(tx)
    await record(tx, lock, 'reboot-lock.expire', { why })
    return true
  })
  if (isGone) app.log.warn('reboot-lock.expired', { ...describe(lock), why })
}

async function raiseAlarm(app: Pick<App, 'db' | 'log'>, lock: RebootLockWithDevice): Promise<void> {
  await app.db.write(async (tx) => {
    await db.markAlarmed(tx, lock.id, await tx.now())
    await record(tx, lock, 'reboot-lock.age-alarm', {})
  })
  app.log.warn('reboot-lock.held-long', describe(lock))
}

async function record(
  tx: WriteTx,
  lock: RebootLockWithDevice,
  action: string,
  detail: Readonly<Record<string, string>>,
): Promise<void> {
  await appendAudit(tx, {
    actor: 'server',
    action,
    subject: lock.id,
    outcome: 'alarm',
    detail: { ...describe(lock), ...detail },
  })
}

function describe({ fleet, kind, holder, takenAt }: RebootLockWithDevice) {
  return { fleet, kind, holder, takenAt: formatInstant(takenAt) }
}
