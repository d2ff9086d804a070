import {
  askIdentity,
  askProviderSignIn,
  askProviderStepUp,
  linkIdentity,
  listIdentities,
  listIdentityProviders,
  listWaysIn,
  removeIdentityProvider,
  setIdentityProvider,
  signInByProvider,
  stepUpByProvider,
  unlinkIdentity,
} from '@seaworthy/api/identity-providers'
import { requireUnscoped, requirePerson } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import type { Browser } from './browsers.ts'
import { answerOf, asks, audited, endsRights, openedBy, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { poolOf } from './address-pools.ts'

const placeOf = (browser: Browser) => ({
  ...answerOf(browser),
  network: poolOf(browser.address),
})

export const identityProviderEndpoints: readonly Endpoint[] = [
  read(listIdentityProviders, 'person:read', async (app, { actor, browser }) => {
    requireUnscoped(actor, 'identity providers concern')
    const rows = await people.listProviders(app.db.reader)
    return { items: rows.map((row) => people.viewProvider(row, browser.linkOrigin())) }
  }),
  endsRights(
    setIdentityProvider,
    {
      permission: 'owner:write',
      subject: ({ params }) => params.provider,
      before: (app, { actor, params, body }) =>
        people.judgeProvider(app, actor, params.provider, body),
    },
    async (_app, tx, { actor, browser }, judged) => {
      const row = await people.setProvider(tx, actor, judged)
      const { kind, title, issuer, clientId, groupsClaim, grants } = row
      return {
        reply: people.viewProvider(row, browser.linkOrigin()),
        detail: {
          ...{ kind, title, issuer, clientId, groupsClaim },
          hasClientSecret: row.clientSecretSealed !== null,
          grants: grants.map(({ group, role, products, fleets }) => ({
            ...{ group, role },
            products: products === null ? null : [...products],
            fleets: fleets === null ? null : [...fleets],
          })),
        },
      }
    },
  ),
  endsRights(
    removeIdentityProvider,
    { permission: 'owner:write', subject: ({ params }) => params.provider },
    async (_app, tx, { params }) => {
      const detail = await people.removeProvider(tx, params.provider)
      return { reply: undefined, detail }
    },
  ),
  read(listWaysIn, 'account:self', async (app) => ({
    providers: (await people.listProviders(app.db.reader)).map(({ name, title }) => ({
      name,
      title,
    })),
  })),
  asks(askProviderSignIn, (app, { params, browser }) =>
    people.askProvider(app, {
      ...{ purpose: 'provider-sign-in', provider: params.provider, actor: undefined },
      ...placeOf(browser),
    }),
  ),
  endsRights(
    signInByProvider,
    {
      permission: 'account:self',
      subject: () => 'session',
      before: (app, { body, browser }) =>
        people.judgeAnswer(app, 'provider-sign-in', undefined, { ...body, ...placeOf(browser) }),
    },
    async (app, tx, { browser }, judged) => {
      const opened = await people.signInByProvider(tx, app, judged, browser)
      const self = await people.viewSelf(tx, opened.actor, await tx.now())
      const { role, products, fleets } = self.person
      const done = openedBy(opened, self, {
        ...{ factor: 'provider', provider: judged.provider.name, address: browser.address },
        ...{ account: judged.claims.account, role, products, fleets },
      })
      return { ...done, afterCommit: judged.tries.giveBack }
    },
  ),
  asks(askProviderStepUp, (app, { actor, params, browser }) =>
    people.askProvider(app, {
      ...{ purpose: 'provider-step-up', provider: params.provider },
      ...{ actor: requirePerson(actor), ...placeOf(browser) },
    }),
  ),
  audited(
    stepUpByProvider,
    {
      permission: 'account:self',
      subject: ({ actor }) => requirePerson(actor).session.id,
      before: (app, { actor, body, browser }) =>
        people.judgeAnswer(app, 'provider-step-up', requirePerson(actor), {
          ...body,
          ...placeOf(browser),
        }),
    },
    async (app, tx, { actor }, judged) => {
      const opened = await people.stepUpByProvider(tx, app, requirePerson(actor), judged)
      const self = await people.viewSelf(tx, opened.actor, await tx.now())
      const done = openedBy(opened, self, { factor: 'provider', provider: judged.provider.name })
      return { ...done, afterCommit: judged.tries.giveBack }
    },
  ),
  read(listIdentities, 'account:self', async (app, { actor }) => ({
    items: await people.listIdentities(app.db.reader, requirePerson(actor)),
  })),
  asks(askIdentity, (app, { actor, params, browser }) =>
    people.askProvider(app, {
      ...{ purpose: 'provider-link', provider: params.provider },
      ...{ actor: requirePerson(actor), ...placeOf(browser) },
    }),
  ),
  endsRights(
    linkIdentity,
    {
      permission: 'account:self',
      subject: ({ actor }) => actor.id,
      before: (app, { actor, body, browser }) =>
        people.judgeAnswer(app, 'provider-link', requirePerson(actor), {
          ...body,
          ...placeOf(browser),
        }),
    },
    async (_app, tx, { actor }, judged) => {
      const view = await people.linkIdentity(tx, requirePerson(actor), judged)
      return {
        reply: view,
        detail: { provider: view.provider, account: view.account },
        afterCommit: judged.tries.giveBack,
      }
    },
  ),
  endsRights(
    unlinkIdentity,
    { permission: 'account:self', subject: ({ actor }) => actor.id },
    async (_app, tx, { actor, params }) => {
      await people.unlinkIdentity(tx, requirePerson(actor), params.provider)
      return { reply: undefined, detail: { provider: params.provider } }
    },
  ),
]
