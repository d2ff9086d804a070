import {
  askPassword,
  removePassword,
  setPassword,
  signInByPassword,
  stepUpByCode,
} from '@seaworthy/api/passwords'
import { requirePerson } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { asks, audited, endsRights, openedBy } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { poolOf } from './address-pools.ts'

export const passwordEndpoints: readonly Endpoint[] = [
  asks(askPassword, (app, { actor, now }) => people.askPassword(app, requirePerson(actor), now)),
  endsRights(
    setPassword,
    {
      permission: 'account:self',
      subject: ({ actor }) => actor.id,
      before: (app, { actor, body, browser }) =>
        people.judgeNewPassword(app, requirePerson(actor), body, browser.kept),
    },
    async (_app, tx, { actor }, judged) => {
      const person = requirePerson(actor)
      await people.setPassword(tx, person, judged)
      return {
        reply: await people.viewSelf(tx, person, await tx.now()),
        detail: { name: judged.row.name },
      }
    },
  ),
  endsRights(
    removePassword,
    { permission: 'account:self', subject: ({ actor }) => actor.id },
    async (_app, tx, { actor }) => {
      await people.removePassword(tx, requirePerson(actor))
      return { reply: undefined }
    },
  ),
  audited(
    signInByPassword,
    {
      permission: 'account:self',
      subject: () => 'session',
      before: (app, { body, browser }) =>
        people.judgePassword(app, body, {
          network: poolOf(browser.address),
          knownAs: browser.knownAs,
        }),
    },
    async (app, tx, { browser }, judged) => {
      const opened = await people.signInByPassword(tx, app, judged, browser)
      const now = await tx.now()
      const { browserId, row, used } = judged
      const known = people.makeKnown(app, { personId: row.personId, browserId }, now)
      const done = openedBy(opened, await people.viewSelf(tx, opened.actor, now), {
        factor: 'selector' in used ? 'password and recovery code' : 'password and code',
        address: browser.address,
      })
      return {
        ...done,
        cookies: [...done.cookies, { name: 'known', value: known }],
        afterCommit: judged.tries.giveBack,
      }
    },
  ),
  audited(
    stepUpByCode,
    {
      permission: 'account:self',
      subject: ({ actor }) => requirePerson(actor).session.id,
      before: (app, { actor, body }) =>
        people.judgeStepUpCode(app, requirePerson(actor), body.code),
    },
    async (app, tx, { actor }, judged) => {
      const opened = await people.stepUpByCode(tx, app, requirePerson(actor), judged)
      const self = await people.viewSelf(tx, opened.actor, await tx.now())
      const done = openedBy(opened, self, { factor: 'code' })
      return { ...done, afterCommit: judged.tries.giveBack }
    },
  ),
]
