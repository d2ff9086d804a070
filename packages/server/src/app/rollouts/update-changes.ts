/**
 * Writes what the engine has worked out under the locks: rollouts, updates, their events, the
 * copies that check-ins read, and the log.
 */
import type { Rollout, Update, UpdateChange } from '@seaworthy/fleet/rollouts'
import { isOver, isUnderWay } from '@seaworthy/fleet/rollouts'
import { appendAudit } from '../../db/audit-log.ts'
import type { WriteTx } from '../../db/connection.ts'
import { notifyRollouts, writeRollout } from '../../db/rollouts.ts'
import { insertUpdateEvents, writeDeviceUpdates, writeUpdates } from '../../db/updates.ts'
import { describeProgress } from './rollout-views.ts'

export interface Worked {
  /** The rollouts as they were read under the lock. */
  readonly before: readonly Rollout[]
  /** The rollouts that changed, as they are now. */
  readonly after: readonly Rollout[]
  readonly changes: readonly UpdateChange[]
  /** For each device, at least all its updates that a check-in may need. */
  readonly updates: ReadonlyMap<string, readonly Update[]>
  /** The locked copies that check-ins have read so far, of devices that still exist. */
  readonly stored: ReadonlyMap<string, { readonly updates: readonly unknown[] }>
}

export async function writeWorked(tx: WriteTx, worked: Worked): Promise<void> {
  const { before, after, changes, updates, stored } = worked
  const now = new Map([...before, ...after].map((rollout) => [rollout.id, rollout]))
  for (const rollout of after) {
    const known = before.find(({ id }) => id === rollout.id)!
    await writeRollout(tx, known, rollout)
    await auditStop(tx, known, rollout)
  }
  const newest = new Map(
    changes.map(({ rolloutId, deviceId, after: update }) => [`${rolloutId} ${deviceId}`, update]),
  )
  await writeUpdates(tx, [...newest.values()])
  await insertUpdateEvents(
    tx,
    changes.flatMap((change) => (isEvent(change) ? [eventOf(change)] : [])),
  )
  await writeDeviceUpdates(
    tx,
    [...stored].flatMap(([device, known]) => {
      const needed = (updates.get(device) ?? []).filter((update) => isNeeded(update, now))
      return isSameCopy(parseUpdates(known.updates), needed) ? [] : [{ device, updates: needed }]
    }),
  )
  await notifyRollouts(
    tx,
    after.map(({ id }) => id),
  )
}

/** Logs what the server does by itself just like what people do. */
export async function auditStop(tx: WriteTx, before: Rollout, after: Rollout): Promise<void> {
  if (before.state === after.state) return
  const actions = { active: null, paused: 'pause', aborted: 'abort', finished: 'finish' } as const
  const action = actions[after.state]
  if (action === null) return
  await appendAudit(tx, {
    actor: 'server',
    action: `rollout.${action}`,
    subject: after.id,
    outcome: 'done',
    detail: describeProgress(after),
  })
}

function isEvent({ before, after }: UpdateChange): boolean {
  return before?.state !== after.state || before.attempt !== after.attempt
}

function eventOf({ rolloutId, deviceId, after }: UpdateChange) {
  const { attempt, state, code, changedAt } = after
  return { rolloutId, deviceId, attempt, state, code, at: changedAt }
}

/**
 * A check-in needs updates under way, and ended ones of rollouts that may offer another attempt.
 */
function isNeeded(update: Update, rollouts: ReadonlyMap<string, Rollout>): boolean {
  const rollout = rollouts.get(update.rolloutId)
  const mayOfferAgain = rollout === undefined || !isOver(rollout)
  return isUnderWay(update) || mayOfferAgain
}

function isSameCopy(stored: readonly Update[], needed: readonly Update[]): boolean {
  return (
    stored.length === needed.length &&
    needed.every((update) =>
      stored.some(
        (known) =>
          known.rolloutId === update.rolloutId &&
          known.attempt === update.attempt &&
          known.state === update.state &&
          known.hasStarted === update.hasStarted &&
          known.code === update.code &&
          known.deadlineAt.getTime() === update.deadlineAt.getTime() &&
          known.changedAt.getTime() === update.changedAt.getTime(),
      ),
    )
  )
}

/** The stored copy of a device's updates. */
export function parseUpdates(stored: readonly unknown[]): readonly Update[] {
  return stored.length === 0 ? noUpdates : stored.map((entry) => parseUpdate(entry as StoredUpdate))
}

const noUpdates: readonly Update[] = []

type StoredUpdate = {
  readonly [Name in keyof Update]: Update[Name] extends Date | null
    ? Extract<Update[Name], null> | string
    : Update[Name]
}

function parseUpdate(stored: StoredUpdate): Update {
  return {
    ...(stored as unknown as Update),
    offeredAt: new Date(stored.offeredAt),
    changedAt: new Date(stored.changedAt),
    deadlineAt: new Date(stored.deadlineAt),
    endedAt: stored.endedAt === null ? null : new Date(stored.endedAt),
  }
}
