import {
  createFleetLockKey,
  listFleetLockKeys,
  listRebootLocks,
  releaseRebootLock,
  revokeFleetLockKey,
} from '@seaworthy/api/reboot-locks'
import * as keys from '../app/restarts/fleetlock.ts'
import * as holders from '../app/restarts/reboot-locks.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const rebootLockEndpoints: readonly Endpoint[] = [
  read(listRebootLocks, 'reboot-lock:read', (app, { actor, params, query, now }) =>
    holders.listRebootLocks(app.db.reader, actor, { ...query, ...params }, now),
  ),
  audited(
    releaseRebootLock,
    { permission: 'reboot-lock:write', subject: (call) => call.params.rebootLockId },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const row = await holders.takeAwayLock(tx, actor, params.rebootLockId)
      const { fleet, kind, holder } = row
      return {
        reply: holders.viewRebootLock(row, now),
        detail: { fleet, kind, holder, reason: body.reason },
        afterCommit: () => app.rebootLocks.reload(),
      }
    },
  ),
  audited(
    createFleetLockKey,
    { permission: 'reboot-lock:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params }) => {
      const now = await tx.now()
      const { row, key } = await keys.createFleetLockKey(tx, app, actor, params.fleet, now)
      return {
        reply: { view: keys.viewFleetLockKey(row), key },
        subject: row.id,
        detail: { fleet: row.fleet },
      }
    },
  ),
  read(listFleetLockKeys, 'reboot-lock:read', (app, { actor, params, query }) =>
    keys.listFleetLockKeys(app.db.reader, actor, { ...query, ...params }),
  ),
  audited(
    revokeFleetLockKey,
    { permission: 'reboot-lock:write', subject: (call) => call.params.fleetLockKeyId },
    async (_app, tx, { actor, params }) => {
      const now = await tx.now()
      await keys.endFleetLockKey(tx, actor, params.fleetLockKeyId, now)
      return { reply: undefined }
    },
  ),
]
