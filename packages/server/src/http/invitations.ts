import {
  acceptInvitation,
  askFirstOwner,
  askInvitation,
  becomeFirstOwner,
  createInvitation,
  listInvitations,
  readInvitation,
  reinvitePerson,
  revokeInvitation,
} from '@seaworthy/api/invitations'
import { copyScope } from '@seaworthy/fleet/access'
import * as people from '../app/people/index.ts'
import { answerOf, asks, audited, endsRights, openedBy, read, tells } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const invitationEndpoints: readonly Endpoint[] = [
  asks(askFirstOwner, (app, { body, browser, now }) =>
    people.askFirstOwner(app, body, browser.site(), now),
  ),
  endsRights(
    becomeFirstOwner,
    {
      permission: 'account:self',
      subject: () => 'server',
      before: (app, { body, browser }) =>
        people.judgeFirstOwner(app, body.code, { ...body, ...answerOf(browser) }),
    },
    async (app, tx, { body, browser }, judged) => {
      const opened = await people.becomeFirstOwner(tx, app, body, judged, browser)
      const { actor } = opened
      const self = await people.viewSelf(tx, actor, await tx.now())
      const { name } = actor.person
      return { ...openedBy(opened, self, { name, role: 'owner' }), subject: actor.id }
    },
  ),
  audited(
    createInvitation,
    { permission: 'person:write', subject: () => 'invitation' },
    async (app, tx, { actor, body, browser }) => {
      const now = await tx.now()
      const wanted = {
        name: body.name ?? null,
        email: body.email ?? null,
        role: body.role,
        deniedBy: body.deniedBy ?? [],
        products: body.products ?? null,
        fleets: body.fleets ?? null,
      }
      return invitedBy(await people.invite(tx, app, actor, wanted, now), browser.linkOrigin())
    },
  ),
  audited(
    reinvitePerson,
    { permission: 'person:write', subject: ({ params }) => params.personId },
    async (app, tx, { actor, params, browser }) => {
      const now = await tx.now()
      const invited = await people.reinvite(tx, app, actor, params.personId, now)
      return invitedBy(invited, browser.linkOrigin())
    },
  ),
  read(listInvitations, 'person:read', (app, { actor, query, now }) =>
    people.listInvitations(app.db.reader, actor, query, now),
  ),
  endsRights(
    revokeInvitation,
    { permission: 'person:write', subject: ({ params }) => params.invitationId },
    async (_app, tx, { actor, params }) => {
      await people.endInvitation(tx, actor, params.invitationId, await tx.now())
      return { reply: undefined }
    },
  ),
  tells(readInvitation, async (app, { body, now }) =>
    people.viewInvitation(await people.readInvitation(app.db.reader, body.code, now)),
  ),
  asks(askInvitation, (app, { body, browser, now }) =>
    people.askInvitation(app, body, browser.site(), now),
  ),
  endsRights(
    acceptInvitation,
    {
      permission: 'account:self',
      subject: () => 'invitation',
      before: (app, { body, browser }) =>
        people.judgeInvited(app, body.code, { ...body, ...answerOf(browser) }),
    },
    async (app, tx, { body, browser }, judged) => {
      const opened = await people.acceptInvitation(tx, app, body, judged, browser)
      const self = await people.viewSelf(tx, opened.actor, await tx.now())
      const { id, role } = opened.invitation
      const grant = { role, ...copyScope(opened.invitation) }
      return {
        ...openedBy(opened, self, { person: opened.actor.id, name: self.person.name, ...grant }),
        subject: id,
      }
    },
  ),
]

/** The secret follows `#`: browsers send that part to nobody, and it appears in no log. */
function invitedBy({ row, code }: people.Invited, origin: string) {
  const view = people.viewInvitation(row)
  const { role, products, fleets, personId } = view
  return {
    reply: { view, link: `${origin}/invitation#${code}` },
    subject: row.id,
    detail: { role, products, fleets, person: personId, expiresAt: view.expiresAt },
  }
}
