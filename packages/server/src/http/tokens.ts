import { createToken, getToken, listTokens, refreshToken, revokeToken } from '@seaworthy/api/tokens'
import { secondMs } from '@seaworthy/std/time'
import * as access from '../app/access/index.ts'
import { audited, endsRights, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const tokenEndpoints: readonly Endpoint[] = [
  audited(
    createToken,
    { permission: 'token:write', subject: (call) => call.body.name },
    async (app, tx, { actor, body }) => {
      const now = await tx.now()
      const wanted = {
        name: body.name,
        role: body.role,
        deniedBy: body.deniedBy ?? [],
        products: body.products ?? null,
        fleets: body.fleets ?? null,
        networks: body.networks ?? null,
        lifetimeMs: body.lifetimeSeconds * secondMs,
      }
      const { row, token } = await access.createToken(tx, app, actor, wanted, now)
      const view = access.viewToken(row)
      return {
        reply: { view, token },
        subject: row.id,
        detail: {
          name: row.name,
          role: row.role,
          deniedBy: view.deniedBy,
          products: view.products,
          fleets: view.fleets,
          networks: view.networks,
          expiresAt: view.expiresAt,
        },
      }
    },
  ),
  endsRights(
    refreshToken,
    {
      permission: 'token:self',
      subject: (call) => call.actor.id,
      // A call that is refused must not take the rights lock, for which every other change waits.
      before: (app, { actor }) => access.checkRefresh(app.db.reader, actor),
    },
    async (app, tx, { actor }) => {
      const now = await tx.now()
      const { row, token } = await access.refreshToken(tx, app, actor, now)
      return { reply: { view: access.viewToken(row), token }, detail: { successor: row.id } }
    },
  ),
  read(listTokens, 'token:read', (app, { actor, query, now }) =>
    access.listTokens(app.db.reader, actor, query, now),
  ),
  read(getToken, 'token:read', (app, { actor, params, now }) =>
    access.showToken(app.db.reader, actor, params.tokenId, now),
  ),
  endsRights(
    revokeToken,
    { permission: 'token:write', subject: (call) => call.params.tokenId },
    async (_app, tx, { actor, params, query }) => {
      const now = await tx.now()
      const { ended, stays } = await access.endToken(tx, actor, params.tokenId, now)
      const isDryRun = query.dryRun === 'yes'
      const ends = access.viewEnded(ended, { endedSessions: 0, endedPasskeys: 0 })
      const detail = access.detailOf(ended)
      return { reply: { isDryRun, ends, stays }, isTrial: isDryRun, detail }
    },
  ),
]
