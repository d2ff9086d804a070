import {
  createProvisioningKey,
  listProvisioningKeys,
  revokeProvisioningKey,
} from '@seaworthy/api/provisioning-keys'
import { secondMs } from '@seaworthy/std/time'
import * as fleets from '../app/fleets/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const provisioningKeyEndpoints: readonly Endpoint[] = [
  audited(
    createProvisioningKey,
    { permission: 'provisioning-key:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const wanted = {
        fleet: params.fleet,
        uses: body.uses,
        lifetimeMs: body.lifetimeSeconds * secondMs,
        enrolmentKeyId: body.enrolmentKeyId ?? null,
      }
      const { row, key } = await fleets.createProvisioningKey(tx, app, actor, wanted, now)
      const view = fleets.viewProvisioningKey(row)
      return {
        reply: { view, key },
        subject: row.id,
        detail: {
          fleet: row.fleet,
          uses: row.usesLeft,
          expiresAt: view.expiresAt,
          enrolmentKeyId: row.enrolmentKeyId,
        },
      }
    },
  ),
  read(listProvisioningKeys, 'provisioning-key:read', (app, { actor, params, query, now }) =>
    fleets.listProvisioningKeys(app.db.reader, actor, { ...query, ...params }, now),
  ),
  audited(
    revokeProvisioningKey,
    { permission: 'provisioning-key:write', subject: (call) => call.params.provisioningKeyId },
    async (_app, tx, { actor, params }) => {
      const now = await tx.now()
      await fleets.endProvisioningKey(tx, actor, params.provisioningKeyId, now)
      return { reply: undefined }
    },
  ),
]
