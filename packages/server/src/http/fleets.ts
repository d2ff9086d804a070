import {
  createFleet,
  listFleets,
  removeFleet,
  setFleet,
  showFleet,
  showFleetDependents,
} from '@seaworthy/api/fleets'
import * as fleets from '../app/fleets/index.ts'
import { audited, endsRights, read } from './endpoint.ts'
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
  read(showFleetDependents, 'fleet:read', (app, { actor, params, now }) =>
    fleets.showDependents(app.db.reader, actor, params.fleet, now),
  ),
  endsRights(
    removeFleet,
    { permission: 'fleet:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params }) => {
      const { devicesCount: _, ...ended } = await fleets.removeFleet(tx, actor, params.fleet)
      return { reply: undefined, detail: ended, afterCommit: () => app.fleets.reload() }
    },
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
]
