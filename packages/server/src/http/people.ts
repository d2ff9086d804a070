import {
  disablePerson,
  enablePerson,
  listPeople,
  setPerson,
  showPerson,
} from '@seaworthy/api/people'
import type { PersonView } from '@seaworthy/api/people'
import { detailOf, viewEnded } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { endsRights, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const personEndpoints: readonly Endpoint[] = [
  read(listPeople, 'person:read', (app, { actor, query }) =>
    people.listPeople(app.db.reader, actor, query),
  ),
  read(showPerson, 'person:read', (app, { actor, params }) =>
    people.showPerson(app.db.reader, actor, params.personId),
  ),
  endsRights(
    setPerson,
    { permission: 'person:write', subject: ({ params }) => params.personId },
    async (_app, tx, { actor, params, query, body }) => {
      const { personId } = params
      const { person, ended, stays } = await people.setPerson(tx, actor, personId, body)
      const view = people.viewPerson(person)
      const { endedPasskeys, endedSessions, ...handedOut } = ended
      const ways = { endedPasskeys, endedSessions }
      const isDryRun = query.dryRun === 'yes'
      return {
        reply: { ...view, isDryRun, ends: viewEnded(handedOut, ways), stays },
        isTrial: isDryRun,
        detail: { ...grantOf(view), ...ways, ...detailOf(handedOut) },
      }
    },
  ),
  endsRights(
    disablePerson,
    { permission: 'person:write', subject: ({ params }) => params.personId },
    async (_app, tx, { actor, params, query }) => {
      const { person, ended, stays } = await people.disablePerson(tx, actor, params.personId)
      const { endedSessions, ...handedOut } = ended
      const isDryRun = query.dryRun === 'yes'
      const ends = viewEnded(handedOut, { endedSessions, endedPasskeys: 0 })
      return {
        reply: { ...people.viewPerson(person), isDryRun, ends, stays },
        isTrial: isDryRun,
        detail: { endedSessions, ...detailOf(handedOut) },
      }
    },
  ),
  endsRights(
    enablePerson,
    { permission: 'person:write', subject: ({ params }) => params.personId },
    async (_app, tx, { actor, params }) => ({
      reply: people.viewPerson(await people.enablePerson(tx, actor, params.personId)),
    }),
  ),
]

function grantOf({ role, deniedBy, products, fleets }: PersonView) {
  return { role, deniedBy, products, fleets }
}
