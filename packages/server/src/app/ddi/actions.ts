/** What people see of a DDI device's actions. */
import type { ReplyInputOf } from '@seaworthy/api/route'
import type { showForeignDevice } from '@seaworthy/api/foreign-devices'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx } from '../../db/connection.ts'
import { listDdiActions } from '../../db/ddi-actions.ts'

type ActionView = ReplyInputOf<typeof showForeignDevice>['actions'][number]

const actionsShownMax = 20

/** The last ones, newest first; none for a device of another protocol. */
export async function listActions(tx: ReadTx, deviceId: string): Promise<ActionView[]> {
  const rows = await listDdiActions(tx, deviceId, actionsShownMax)
  return rows.map((row) => ({
    id: row.id,
    version: row.version,
    state: row.state,
    createdAt: formatInstant(row.createdAt),
    changedAt: formatInstant(row.changedAt),
    messages: [...row.messages],
  }))
}
