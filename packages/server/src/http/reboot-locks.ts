import {
  createFleetLockKey,
  listFleetLockKeys,
  listRebootLocks,
  releaseRebootLock,
  revokeFleetLockKey,
} from '@seaworthy/api/reboot-locks'
import * as restarts from '../app/restarts/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const rebootLockEndpoints: readonly Endpoint[] = [
  read(listRebootLocks, 'reboot-lock:read', (app, { actor, params, query, now }) =>
    restarts.listRebootLocks(app.db.reader, actor, { ...query, ...params }, now),
  ),
  audited(
    releaseRebootLock,
    { permission: 'reboot-lock:write', subject: (call) => call.params.rebootLockId },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const row = await restarts.takeAwayLock(tx, actor, params.rebootLockId)
      const { fleet, kind, holder } = row
      return {
        reply: restarts.viewRebootLock(row, now),
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
      const { row, key } = await restarts.createFleetLockKey(tx, app, actor, params.fleet, now)
      return {
        reply: { view: restarts.viewFleetLockKey(row), key },
        subject: row.id,
        detail: { fleet: row.fleet },
      }
    },
  ),
  read(listFleetLockKeys, 'reboot-lock:read', (app, { actor, params, query }) =>
    restarts.listFleetLockKeys(app.db.reader, actor, { ...query, ...params }),
  ),
  audited(
    revokeFleetLockKey,
    { permission: 'reboot-lock:write', subject: (call) => call.params.fleetLockKeyId },
    async (_app, tx, { actor, params }) => {
      const now = await tx.now()
      await restarts.endFleetLockKey(tx, actor, params.fleetLockKeyId, now)
      return { reply: undefined }
    },
  ),
]
