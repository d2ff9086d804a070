import {
  createFleet,
  createProvisioningKey,
  listFleets,
  listProvisioningKeys,
  revokeProvisioningKey,
  setFleet,
  showFleet,
} from '@seaworthy/api/fleets'
import { reachesFleet } from '@seaworthy/fleet/access'
import { secondMs } from '@seaworthy/std/time'
import { grantOf } from '../app/actors.ts'
import * as fleets from '../app/fleets.ts'
import { pageLimitDefault, pageOf } from '../app/views.ts'
import * as db from '../db/fleets.ts'
import * as keys from '../db/provisioning-keys.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const fleetEndpoints: readonly Endpoint[] = [
  audited(
    createFleet,
    { permission: 'fleet:write', subject: (call) => call.body.name },
    async (app, tx, { actor, body, now }) => {
      const row = await fleets.createFleet(tx, actor, await app.trust.freshState(), body, now)
      const view = fleets.viewFleet(row, 0)
      return {
        reply: view,
        detail: { product: row.product, channel: row.channel, pinnedVersion: row.pinnedVersion },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  read(listFleets, 'fleet:read', async (app, { actor, query }) => {
    const limit = query.limit ?? pageLimitDefault
    const rows = await db.listFleets(app.db.reader, { after: query.after ?? '', limit: limit + 1 })
    const page = pageOf(
      rows,
      limit,
      (row) => row,
      (row) => row.name,
    )
    return {
      items: page.items
        .filter((row) => reachesFleet(grantOf(actor), row))
        .map((row) => fleets.viewFleet(row, row.devicesCount)),
      next: page.next,
    }
  }),
  read(showFleet, 'fleet:read', async (app, { actor, params }) => {
    const row = await fleets.findFleet(app.db.reader, actor, params.fleet)
    return fleets.viewFleet(row, await db.countFleetDevices(app.db.reader, row.name))
  }),
  audited(
    setFleet,
    { permission: 'fleet:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const row = await fleets.setFleet(tx, actor, params.fleet, body)
      return {
        reply: fleets.viewFleet(row, await db.countFleetDevices(tx, row.name)),
        detail: {
          pollSeconds: row.pollSeconds,
          pinnedVersion: row.pinnedVersion,
          updatesEnabled: row.updatesEnabled,
        },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  audited(
    createProvisioningKey,
    { permission: 'provisioning-key:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body, now }) => {
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
  read(
    listProvisioningKeys,
    'provisioning-key:read',
    async (app, { actor, params, query, now }) => {
      const { name } = await fleets.findFleet(app.db.reader, actor, params.fleet)
      const limit = query.limit ?? pageLimitDefault
      const page = { fleet: name, after: query.after ?? '', limit: limit + 1, now }
      const rows = await keys.listProvisioningKeys(app.db.reader, page)
      return pageOf(rows, limit, fleets.viewProvisioningKey, (row) => row.id)
    },
  ),
  audited(
    revokeProvisioningKey,
    { permission: 'provisioning-key:write', subject: (call) => call.params.provisioningKeyId },
    async (_app, tx, { actor, params, now }) => {
      await fleets.endProvisioningKey(tx, actor, params.provisioningKeyId, now)
      return { reply: undefined }
    },
  ),
]
