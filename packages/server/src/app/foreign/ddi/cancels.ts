/**
 * How actions end whose clients are asked to stop them. A client answers in its own time; one that
 * does not answer is held back from further offers only until its time to answer is over, or until
 * a person ends the action.
 */
import { endUnanswered, isCancelOverdue } from '@seaworthy/fleet/protocols'
import { Refusal } from '@seaworthy/std/refusal'
import type { WriteTx } from '../../../db/connection.ts'
import type { DdiActionRow } from '../../../db/ddi-actions.ts'
import { getOpenDdiAction, writeDdiAction } from '../../../db/ddi-actions.ts'
import type { DeviceWithState } from '../../../db/devices.ts'
import type { Current } from '../../access/index.ts'
import type { App } from '../../app.ts'
import type { ForeignState } from '../foreign-check-ins.ts'
import { lockForeign, storeChange } from '../foreign-check-ins.ts'
import { findForeignDevice } from '../foreign-devices.ts'
import { releaseSlot } from '../../restarts/index.ts'
import type { ServerRefusal } from '../../refusals.ts'

/**
 * Ends, at a poll, an action whose client has not answered the request to cancel in time, and one
 * whose client refused to cancel and then fell silent about it. Nothing holds the device back any
 * more.
 */
export async function endOverdueCancel(
  app: Pick<App, 'callerLog' | 'db' | 'fleets'>,
  state: ForeignState,
  now: Date,
): Promise<ForeignState> {
  const fleet = app.fleets.get(state.fleet)
  const askedAt = state.action?.cancelAskedAt ?? null
  if (fleet === undefined || askedAt === null) return state
  if (!isCancelOverdue({ cancelAskedAt: new Date(askedAt) }, fleet, now)) return state
  const ended = await app.db.write(async (tx) => {
    const locked = await lockForeign(tx, state.device, now)
    const action = await getOpenDdiAction(tx, state.device)
    if (locked === undefined || action === undefined || !isCancelOverdue(action, fleet, now)) return
    return (await endAction(tx, locked, action, 'timed-out', now)).state
  })
  // Somebody else ended it in the meantime: the next poll shows what comes next.
  if (ended === undefined) return state
  app.callerLog.warn(state.device, 'ddi.cancel-timed-out', {
    device: state.device,
    action: state.action?.id,
  })
  return ended
}

async function endAction(
  tx: WriteTx,
  state: ForeignState,
  action: DdiActionRow,
  how: 'timed-out' | 'forced',
  now: Date,
): Promise<{ state: ForeignState; closed: DdiActionRow }> {
  const effect = endUnanswered(action, how, now)
  const closed = { ...action, ...effect.action }
  await writeDdiAction(tx, closed)
  await releaseSlot(tx, state.device)
  const after = effect.change === null ? state : await storeChange(tx, state, effect.change, now)
  return { state: { ...after, action: null }, closed }
}

/**
 * Ends the open action of a device whose client was asked to stop it and has not answered, or
 * refused: a person has dealt with the device. Throws `device_not_found`, `out_of_scope`,
 * `device_has_no_token`, `cancel_not_pending`.
 */
export async function forceCancel(
  tx: WriteTx,
  actor: Current,
  deviceId: string,
): Promise<{ device: DeviceWithState; action: DdiActionRow }> {
  const now = await tx.now()
  const { device } = await findForeignDevice(tx, actor, deviceId)
  const state = await lockForeign(tx, deviceId, now)
  const action = await getOpenDdiAction(tx, deviceId)
  const isPending = action?.state === 'canceling' || action?.isCancelRejected === true
  if (state === undefined || action === undefined || !isPending) {
    throw new Refusal<ServerRefusal>(
      'cancel_not_pending',
      `nothing of ${deviceId} is being cancelled: abort the rollout that it takes part in, and its client is asked to stop when it polls`,
    )
  }
  const { closed } = await endAction(tx, state, action, 'forced', now)
  return { device, action: closed }
}
