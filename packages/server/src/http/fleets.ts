import {
  createFleet,
  createProvisioningKey,
  listFleets,
  listProvisioningKeys,
  revokeProvisioningKey,
  setFleet,
  showFleet,
} from '@seaworthy/api/fleets'
import { secondMs } from '@seaworthy/std/time'
import * as fleets from '../app/fleets/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const fleetEndpoints: readonly Endpoint[] = [
  audited(
    createFleet,
    { permission: 'fleet:write', subject: (call) => call.body.name },
    async (app, tx, { actor, body }) => {
      const now = await tx.now()
      const row = await fleets.createFleet(tx, app, actor, await app.trust.freshState(), body, now)
      const view = fleets.viewFleet(row, 0)
      return {
        reply: view,
        detail: { product: row.product, channel: row.channel, pinnedVersion: row.pinnedVersion },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  read(listFleets, 'fleet:read', (app, { actor, query }) =>
    fleets.listFleets(app.db.reader, actor, query),
  ),
  read(showFleet, 'fleet:read', async (app, { actor, params }) =>
    fleets.showFleet(app.db.reader, await fleets.findFleet(app.db.reader, actor, params.fleet)),
  ),
  audited(
    setFleet,
    {
      permission: 'fleet:write',
      subject: (call) => call.params.fleet,
      effect: (app, tx, { actor, params, body }) =>
        fleets.fleetEffect(tx, app, actor, params.fleet, body),
    },
    async (app, tx, { actor, params, body }) => {
      const { row, isUnchanged } = await fleets.setFleet(tx, app, actor, params.fleet, body)
      return {
        reply: await fleets.showFleet(tx, row),
        detail: {
          pollSeconds: row.pollSeconds,
          pinnedVersion: row.pinnedVersion,
          updatesEnabled: row.updatesEnabled,
          follow: row.follow,
          rebootStrategy: row.reboot.strategy,
          sharedIdentity: row.sharedIdentity,
        },
        isUnchanged,
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  audited(
    createProvisioningKey,
    { permission: 'provisioning-key:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const wanted = {
        fleet: params.fleet,
        uses: body.uses,
        lifetimeMs: body.lifetimeSeconds * secondMs,
      }
      const { row, key } = await fleets.createProvisioningKey(tx, app, actor, wanted, now)
      const view = fleets.viewProvisioningKey(row)
      return {
        reply: { view, key },
        subject: row.id,
        detail: { fleet: row.fleet, uses: row.usesLeft, expiresAt: view.expiresAt },
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
