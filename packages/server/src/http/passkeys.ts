import {
  addPasskey,
  askPasskey,
  askRecovery,
  createRecoveryCodes,
  listPasskeys,
  recover,
  removePasskey,
  renamePasskey,
} from '@seaworthy/api/passkeys'
import { requireOwnFactor, requirePerson } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { answerOf, asks, audited, endsRights, openedBy, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const passkeyEndpoints: readonly Endpoint[] = [
  read(listPasskeys, 'account:self', async (app, { actor }) => ({
    items: await people.listPasskeys(app.db.reader, requirePerson(actor)),
  })),
  asks(askPasskey, (app, { actor, browser, now }) =>
    people.askPasskey(app, requirePerson(actor), browser.site(), now),
  ),
  audited(
    addPasskey,
    {
      permission: 'account:self',
      subject: ({ actor }) => actor.id,
      before: (app, { actor, body, browser }) =>
        people.judgePasskey(app, requirePerson(actor), { ...body, ...answerOf(browser) }),
    },
    async (app, tx, { actor, body }, judged) => {
      const row = await people.addPasskey(tx, app, requirePerson(actor), judged, body.name)
      return { reply: people.viewPasskey(row), subject: row.id, detail: { name: row.name } }
    },
  ),
  audited(
    renamePasskey,
    { permission: 'account:self', subject: ({ params }) => params.passkeyId },
    async (_app, tx, { actor, params, body }) => {
      const person = requirePerson(actor)
      const row = await people.renamePasskey(tx, person, params.passkeyId, body.name)
      return { reply: people.viewPasskey(row), detail: { name: row.name } }
    },
  ),
  endsRights(
    removePasskey,
    { permission: 'account:self', subject: ({ params }) => params.passkeyId },
    async (_app, tx, { actor, params }) => {
      await people.removePasskey(tx, requirePerson(actor), params.passkeyId)
      return { reply: undefined }
    },
  ),
  endsRights(
    createRecoveryCodes,
    {
      permission: 'account:self',
      subject: ({ actor }) => actor.id,
    },
    async (app, tx, { actor }) => {
      const person = requirePerson(actor)
      requireOwnFactor(person, 'no recovery codes are made')
      const { codes, rows } = people.makeRecoveryCodes(app.random, person.id)
      await people.storeRecoveryCodes(tx, requirePerson(actor), rows)
      return { reply: { codes } }
    },
  ),
  asks(askRecovery, (app, { body, browser, now }) =>
    people.askRecovery(app, body.code, browser.site(), now),
  ),
  endsRights(
    recover,
    {
      permission: 'account:self',
      subject: () => 'recovery-code',
      before: (app, { body, browser }) =>
        people.judgeRecovery(app, body.code, { ...body, ...answerOf(browser) }),
    },
    async (app, tx, { browser }, judged) => {
      const opened = await people.recover(tx, app, judged, browser)
      const self = await people.viewSelf(tx, opened.actor, await tx.now())
      return { ...openedBy(opened, self, { address: browser.address }), subject: opened.actor.id }
    },
  ),
]
