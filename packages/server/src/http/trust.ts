import {
  createOnlineKey as createOnlineKeyRoute,
  showOnlineKeys,
  showTrustStatus,
} from '@seaworthy/api/trust'
import { requireUnscoped } from '../app/access/index.ts'
import { addOnlineKey, newestOnlineKeys, viewTrustStatus } from '../app/trust/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const trustEndpoints: readonly Endpoint[] = [
  read(showOnlineKeys, 'trust:read', ({ db, masterKey }) => newestOnlineKeys(db.reader, masterKey)),
  audited(
    createOnlineKeyRoute,
    { permission: 'trust:write', subject: ({ params }) => params.role },
    async ({ masterKey }, tx, { params, actor }) => {
      const now = await tx.now()
      requireUnscoped(actor, 'online keys are of')
      return { reply: await addOnlineKey(tx, masterKey, params.role, now) }
    },
  ),
  read(showTrustStatus, 'trust:read', async (app, { now }) =>
    viewTrustStatus(await app.trust.freshState(), now),
  ),
]
