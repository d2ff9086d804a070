import { changeRole, createRole, listRoles, removeRole, showRole } from '@seaworthy/api/roles'
import { detailOf } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { endsRights, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const roleEndpoints: readonly Endpoint[] = [
  read(listRoles, 'role:read', (app, { actor, now }) =>
    people.listRoles(app.db.reader, actor, now),
  ),
  read(showRole, 'role:read', (app, { actor, params, now }) =>
    people.showRole(app.db.reader, actor, params.role, now),
  ),
  endsRights(
    createRole,
    { permission: 'role:write', subject: ({ body }) => body.name },
    async (_app, tx, { actor, body }) => {
      const row = await people.createRole(tx, actor, body)
      return { reply: people.viewRole(row, 0), detail: rulesOf(row) }
    },
  ),
  endsRights(
    changeRole,
    { permission: 'role:write', subject: ({ params }) => params.role },
    async (_app, tx, { actor, params, body }) => {
      const changed = await people.changeRole(tx, actor, params.role, body)
      const { row, before, holdersCount, ended } = changed
      const { endedPasskeys, endedSessions, ...handedOut } = ended
      return {
        reply: people.viewRole(row, holdersCount),
        detail: {
          ...rulesOf(row),
          before: rulesOf(before),
          ...{ holdersCount, endedPasskeys, endedSessions },
          ...detailOf(handedOut),
        },
      }
    },
  ),
  endsRights(
    removeRole,
    { permission: 'role:write', subject: ({ params }) => params.role },
    async (_app, tx, { actor, params }) => ({
      reply: undefined,
      detail: rulesOf(await people.removeRole(tx, actor, params.role)),
    }),
  ),
]

function rulesOf({ purpose, allows, denies }: people.WantedRole) {
  return { purpose, allows: [...allows], denies: [...denies] }
}
