/** Read-only queries about a DDI device and its actions. */
import type { ReplyInputOf } from '@seaworthy/api/route'
import type { showForeignDevice } from '@seaworthy/api/foreign-devices'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx } from '../../../db/connection.ts'
import type { DdiActionRow } from '../../../db/ddi-actions.ts'
import { getDdiAction, listDdiActions } from '../../../db/ddi-actions.ts'
import { getMembership } from '../../../db/foreign-devices.ts'
import type { App } from '../../app.ts'

type ActionView = ReplyInputOf<typeof showForeignDevice>['actions'][number]

const actionsShownMax = 20

/** Lists the last actions of a device, newest first; a device of another protocol has none. */
export async function listActions(tx: ReadTx, deviceId: string): Promise<ActionView[]> {
  const rows = await listDdiActions(tx, deviceId, actionsShownMax)
  return rows.map(viewAction)
}

export function viewAction(row: DdiActionRow): ActionView {
  return {
    id: row.id,
    version: row.version,
    state: row.state,
    createdAt: formatInstant(row.createdAt),
    changedAt: formatInstant(row.changedAt),
    messages: [...row.messages],
  }
}

/** Whether the client is to be asked to cancel this action. */
export async function isToCancel(
  app: Pick<App, 'db'>,
  deviceId: string,
  id: number,
): Promise<boolean> {
  return (await getDdiAction(app.db.reader, deviceId, id))?.state === 'canceling'
}

/** The device's fleet and platform now; `undefined` for one that was removed. */
export async function findMembership(
  app: Pick<App, 'db'>,
  deviceId: string,
): Promise<{ device: string; fleet: string; platform: string } | undefined> {
  return getMembership(app.db.reader, deviceId)
}
