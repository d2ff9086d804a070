import {
  askSignIn,
  askStepUp,
  listSessions,
  revokeSession,
  showSession,
  signIn,
  signOut,
  stepUp,
} from '@seaworthy/api/sessions'
import { requirePerson } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { answerOf, asks, audited, endsRights, openedBy, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const sessionEndpoints: readonly Endpoint[] = [
  asks(askSignIn, async (app, { browser, now }) => people.askSignIn(app, browser.site(), now)),
  audited(
    signIn,
    {
      permission: 'account:self',
      subject: () => 'session',
      before: (app, { body, browser }) =>
        people.judgeSignIn(app, { proof: body, ...answerOf(browser) }),
    },
    async (app, tx, { browser }, judged) => {
      const now = await tx.now()
      const opened = await people.signIn(tx, app, judged, browser, now)
      return openedBy(opened, await people.viewSelf(tx, opened.actor, now), {
        passkey: judged.passkey.id,
        address: browser.address,
      })
    },
  ),
  read(showSession, 'account:self', (app, { actor, now }) =>
    people.viewSelf(app.db.reader, requirePerson(actor), now),
  ),
  endsRights(
    signOut,
    { permission: 'account:self', subject: ({ actor }) => requirePerson(actor).session.id },
    async (_app, tx, { actor }) => {
      await people.signOut(tx, requirePerson(actor), await tx.now())
      return { reply: undefined, cookies: [{ name: 'session', value: null }] }
    },
  ),
  asks(askStepUp, (app, { actor, browser, now }) =>
    people.askStepUp(app, requirePerson(actor), browser.site(), now),
  ),
  audited(
    stepUp,
    {
      permission: 'account:self',
      subject: ({ actor }) => requirePerson(actor).session.id,
      before: (app, { actor, body, browser }) =>
        people.judgeStepUp(app, requirePerson(actor), { proof: body, ...answerOf(browser) }),
    },
    async (app, tx, { actor }, judged) => {
      const now = await tx.now()
      const opened = await people.stepUp(tx, app, requirePerson(actor), judged, now)
      const self = await people.viewSelf(tx, opened.actor, now)
      return openedBy(opened, self, { passkey: judged.passkey.id })
    },
  ),
  read(listSessions, 'account:self', (app, { actor, query, now }) =>
    people.listSessions(app.db.reader, actor, query, now),
  ),
  endsRights(
    revokeSession,
    { permission: 'account:self', subject: ({ params }) => params.sessionId },
    async (_app, tx, { actor, params }) => {
      const now = await tx.now()
      const { personId } = await people.revokeSession(tx, actor, params.sessionId, now)
      return { reply: undefined, detail: { person: personId } }
    },
  ),
]
