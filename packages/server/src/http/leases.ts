import { endLease, listLeases, openLease, requestLease } from '@seaworthy/api/leases'
import { base64Encode } from '@seaworthy/std/bytes'
import * as credentials from '../app/credentials/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const leaseEndpoints: readonly Endpoint[] = [
  read(listLeases, 'credential:read', (app, { actor, query, now }) =>
    credentials.listLeases(app.db.reader, actor, query, now),
  ),
  audited(
    requestLease,
    { permission: 'credential:lease', subject: (call) => call.body.credential },
    async (app, tx, { actor, body }) => {
      const row = await credentials.requestLease(app, tx, actor, body)
      const { credential, reason, seconds } = row
      return {
        reply: credentials.viewLease(row, await tx.now()),
        subject: row.id,
        detail: { credential, reason, seconds },
      }
    },
  ),
  audited(
    openLease,
    {
      permission: 'credential:lease',
      subject: (call) => call.params.leaseId,
      effect: (app, tx, { actor, params }) =>
        credentials.leaseEffect(app, tx, actor, params.leaseId),
    },
    async (app, tx, { actor, params }) => {
      const opened = await credentials.openLease(app, tx, actor, params.leaseId)
      const { credential, version, reason, seconds, account } = opened.lease
      const lease = credentials.viewLease(opened.lease, await tx.now())
      return {
        reply: async () => ({ lease, value: base64Encode(await credentials.handOut(app, opened)) }),
        detail: { credential, version, reason, seconds, account },
      }
    },
  ),
  audited(
    endLease,
    { permission: 'credential:lease', subject: (call) => call.params.leaseId },
    async (app, tx, { actor, params }) => {
      const row = await credentials.endLease(tx, actor, params.leaseId)
      return {
        reply: credentials.viewLease(row, await tx.now()),
        detail: { credential: row.credential, endReason: row.endReason },
        afterCommit: () => credentials.clearMadeAccount(app, row),
      }
    },
  ),
]
