/**
 * Accounts at identity providers by which people sign in. An account is known by the provider and
 * the name that it gave, never by an e-mail address: somebody who may edit addresses there could
 * become somebody else here.
 */
import { cutText } from '@seaworthy/std/printable'
import type { IdentityView } from '@seaworthy/api/identity-providers'
import type { Grant } from '@seaworthy/fleet/access'
import { isBuiltIn, isSameGrant } from '@seaworthy/fleet/access'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, minuteMs } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/identity-providers.ts'
import type { IdentityProviderRow, IdentityRow } from '../../db/identity-providers.ts'
import type { PersonRow } from '../../db/people.ts'
import type { RightsTx } from '../../db/rights.ts'
import { insertPerson } from '../../db/people.ts'
import { setCountsAs } from '../../db/approvals.ts'
import { endSessionsBegunBy } from '../../db/sessions.ts'
import type { Current, PersonActor } from '../access/index.ts'
import { KnownPersonRefusal, readGrant, sessionLimits, stepUpMs } from '../access/index.ts'
import type { App, ProviderClaims } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { instantOrNull } from '../views.ts'
import type { Taken } from './tries.ts'
import { takeTries } from './tries.ts'
import type { Ceremony, Purpose, Site } from './ceremonies.ts'
import {
  beginCeremony,
  ceremonyMs,
  derive,
  openCeremony,
  spendChallenge,
  wrongChallenge,
} from './ceremonies.ts'
import { findProvider, openSecret, redirectUriOf } from './identity-providers.ts'
import { changeGrant, findEnabledPerson } from './people.ts'
import type { Asked, OpenedSession, Visit } from './sessions.ts'
import { openSession, renewSession } from './sessions.ts'
import { requireNoPasskeyRole } from './sign-in-policy.ts'

type Deps = Pick<
  App,
  'db' | 'secrets' | 'masterKey' | 'budgets' | 'identityProviders' | 'clock' | 'random'
>

type ProviderPurpose = Extract<Purpose, `provider-${string}`>

/** What a browser brings back from a provider, and at which site. */
export interface GivenAnswer {
  readonly provider: string
  readonly code: string
  readonly state: string
  readonly iss?: string | undefined
}
interface Caller {
  readonly site: Site
  readonly kept: string | undefined
  readonly network: string
}

/** The page that gets the answer reads from the state what it is for. */
const stateOf = (purpose: ProviderPurpose, provider: string, challenge: string) =>
  `${purpose}.${provider}.${derive(challenge, 'state')}`

/** Somebody who is signed in, and the session that they ask from. */
const aboutOf = (provider: string, actor: PersonActor | undefined) =>
  `${provider} ${actor?.session.id ?? ''}`

/**
 * Where the browser goes. Throws `provider_not_found`, `tries_too_many`, `passkey_needed`,
 * `provider_unreachable`, `provider_unusable`, `provider_answer_wrong`.
 */
export async function askProvider(
  app: Deps,
  ask: {
    readonly purpose: ProviderPurpose
    readonly provider: string
    readonly actor: PersonActor | undefined
  } & Omit<Caller, 'kept'>,
): Promise<Asked<{ url: string }>> {
  const { purpose, provider, actor, site, network } = ask
  if (actor !== undefined) await requireNoPasskeyRole(app.db.reader, actor.person)
  const row = await findProvider(app.db.reader, provider)
  if (row.kind === 'github' && purpose === 'provider-step-up') throw stale(row, actor!)
  const tries = await takeTry(app, network)
  const about = aboutOf(provider, actor)
  const wanted = { purpose, about, personId: actor?.id ?? '', rpId: site.rpId }
  const { challenge, kept } = beginCeremony(app, wanted, app.clock.now())
  const url = await app.identityProviders.addressFor(row, openSecret(app, row), {
    challenge,
    state: stateOf(purpose, provider, challenge),
    redirectUri: redirectUriOf(site.origin, provider),
    isFresh: purpose === 'provider-step-up',
  })
  tries.giveBack()
  return { options: { url }, kept }
}

/** Strangers can make the server ask a provider only so often. */
function takeTry(app: Deps, network: string): Promise<Taken> {
  return takeTries(app, [{ budget: 'sign-in-network', who: `provider ${network}` }])
}

export interface JudgedAnswer {
  readonly provider: IdentityProviderRow
  readonly claims: ProviderClaims
  readonly ceremony: Ceremony
  readonly begunAt: Date
  readonly tries: Taken
}

/**
 * Judges what the browser brought back. Throws `challenge_missing`, `challenge_wrong`,
 * `provider_not_found`, `tries_too_many`, `provider_unreachable`, `provider_refused`,
 * `provider_answer_wrong`.
 */
export async function judgeAnswer(
  app: Deps,
  purpose: ProviderPurpose,
  actor: PersonActor | undefined,
  given: GivenAnswer & Caller,
): Promise<JudgedAnswer> {
  const { site, kept, network, code, iss } = given
  const ceremony = openCeremony(app, kept, { purpose, rpId: site.rpId }, app.clock.now())
  const state = stateOf(purpose, given.provider, ceremony.challenge)
  if (ceremony.about !== aboutOf(given.provider, actor) || given.state !== state) {
    throw wrongChallenge()
  }
  const provider = await findProvider(app.db.reader, given.provider)
  const tries = await takeTry(app, network)
  const claims = await app.identityProviders.redeem(provider, openSecret(app, provider), {
    ...{ challenge: ceremony.challenge, state, code, iss },
    redirectUri: redirectUriOf(site.origin, provider.name),
  })
  const begunAt = new Date(ceremony.expiresAt.getTime() - ceremonyMs)
  return { provider, claims, ceremony, begunAt, tries }
}

/**
 * Opens a session. Where a group gives the role, the role is what the groups give now. Throws
 * `challenge_used`, `identity_unknown`, `group_missing`, `person_disabled`, `passkey_needed`,
 * `provider_not_found`.
 */
export async function signInByProvider(
  tx: RightsTx,
  app: Pick<App, 'random'>,
  judged: JudgedAnswer,
  visit: Visit,
): Promise<OpenedSession> {
  const now = await tx.now()
  await spendChallenge(tx, judged.ceremony, now)
  // The provider may have been changed or removed since its answer was judged.
  const provider = await findProvider(tx, judged.provider.name)
  const { subject, account, authenticatedAt } = judged.claims
  const identity = await db.findIdentity(tx, provider.name, subject)
  const person =
    identity === undefined
      ? await letIn(tx, app, provider, judged.claims, now)
      : await readAgain(tx, provider, identity, judged.claims, now)
  await requireNoPasskeyRole(tx, person)
  await db.noteIdentityUse(tx, { provider: provider.name, subject, account, now })
  const { address, userAgent } = visit
  return openSession(
    tx,
    app,
    person.id,
    {
      ...{ address, userAgent, factor: 'provider' },
      steppedUpAt: freshOf(authenticatedAt, now),
      lifetimeMs: sessionLimits.providerLifetimeMs,
    },
    now,
  )
}

/** When the person confirmed, if the provider says that it was lately. */
function freshOf(at: Date | undefined, now: Date): Date | null {
  if (at === undefined || now.getTime() - at.getTime() > stepUpMs) return null
  return at.getTime() > now.getTime() ? now : at
}

/** Somebody whom one of their groups lets in. Throws `identity_unknown`. */
async function letIn(
  tx: RightsTx,
  { random }: Pick<App, 'random'>,
  provider: IdentityProviderRow,
  { subject, account, groups }: ProviderClaims,
  now: Date,
): Promise<PersonRow> {
  const grant = await grantFor(tx, provider, groups)
  if (grant === undefined) {
    throw new Refusal<PersonRefusal>(
      'identity_unknown',
      `nobody here has linked this account of ${provider.title}, and none of its groups gives a role: sign in with your passkey and link it under “Your account”, or ask an owner for an invitation`,
    )
  }
  const id = newId('person', now, random)
  const by = `provider:${provider.name}`
  const person: PersonRow = {
    ...{ id, name: cutText(account, 100), email: null, createdAt: now },
    ...{ createdBy: by, letInBy: by, grantedByProvider: provider.name },
    ...{ disabledAt: null, lastSignInAt: null },
    ...grant,
  }
  await insertPerson(tx, person)
  // Whoever runs the provider can make as many accounts as they like.
  await setCountsAs(tx, id, by)
  const none = { createdAt: now, lastUsedAt: null }
  await db.insertIdentity(tx, { provider: provider.name, subject, personId: id, account, ...none })
  return person
}

/**
 * The first that is listed whose group the account has; what the roles of its other groups allow
 * counts for nothing, and what they deny is denied.
 */
async function grantFor(
  tx: ReadTx,
  { grants }: Pick<IdentityProviderRow, 'grants'>,
  groups: readonly string[],
): Promise<Grant | undefined> {
  const [first, ...others] = grants.filter(({ group }) => groups.includes(group))
  if (first === undefined) return undefined
  const { role, products, fleets } = first
  const names = new Set(others.map((other) => other.role).filter((name) => name !== role))
  const deniedBy = [...names].filter((name) => !isBuiltIn(name))
  return readGrant(tx, { role, deniedBy, products, fleets })
}

/** Throws `person_disabled`, `group_missing`. */
async function readAgain(
  tx: RightsTx,
  provider: IdentityProviderRow,
  { personId }: IdentityRow,
  { groups }: ProviderClaims,
  now: Date,
): Promise<PersonRow> {
  const person = await findEnabledPerson(tx, personId)
  if (person.grantedByProvider !== provider.name) return person
  const grant = await grantFor(tx, provider, groups)
  if (grant === undefined) {
    throw new KnownPersonRefusal(
      'group_missing',
      `none of your groups at ${provider.title} gives a role here any more: ask an owner, or whoever keeps the groups`,
      personId,
    )
  }
  const after = { ...person, ...grant }
  if (isSameGrant(person, after)) return person
  await changeGrant(tx, person, after, { at: now, by: `provider:${provider.name}` })
  return after
}

/**
 * The same as a confirmation with a passkey. Throws `challenge_used`, `identity_missing`,
 * `confirmation_stale`, `passkey_needed`, `session_not_found`.
 */
export async function stepUpByProvider(
  tx: WriteTx,
  app: Pick<App, 'random'>,
  actor: Current<PersonActor>,
  judged: JudgedAnswer,
): Promise<OpenedSession> {
  const now = await tx.now()
  const { provider, claims, ceremony, begunAt } = judged
  if (actor.session.factor !== 'provider') {
    throw new KnownPersonRefusal(
      'passkey_needed',
      'you came in by yourself: confirm with what you came in with, and by no provider',
      actor.id,
    )
  }
  await spendChallenge(tx, ceremony, now)
  await requireNoPasskeyRole(tx, actor.person)
  const identity = await db.findIdentity(tx, provider.name, claims.subject)
  if (identity?.personId !== actor.id) {
    throw new KnownPersonRefusal(
      'identity_missing',
      `this account of ${provider.title} is not linked with yours here: sign in there as ${actor.person.name}`,
      actor.id,
    )
  }
  const at = claims.authenticatedAt
  if (at === undefined || at.getTime() < begunAt.getTime() - minuteMs) {
    throw stale(provider, actor)
  }
  return renewSession(tx, app, actor, now)
}

function stale({ title }: IdentityProviderRow, { id }: PersonActor): KnownPersonRefusal {
  return new KnownPersonRefusal(
    'confirmation_stale',
    `${title} did not ask you anew, or does not say when it did: confirm with a passkey or a code`,
    id,
  )
}

/**
 * Throws `challenge_used`, `identity_taken`, `passkey_needed`, `provider_not_found`.
 */
export async function linkIdentity(
  tx: RightsTx,
  actor: Current<PersonActor>,
  judged: JudgedAnswer,
): Promise<IdentityView> {
  const now = await tx.now()
  const { claims, ceremony } = judged
  await spendChallenge(tx, ceremony, now)
  await requireNoPasskeyRole(tx, actor.person)
  const provider = await findProvider(tx, judged.provider.name)
  const taken = await db.findIdentity(tx, provider.name, claims.subject)
  const own = (await db.listIdentities(tx, actor.id)).find((row) => row.provider === provider.name)
  if (taken !== undefined || own !== undefined) {
    throw new Refusal<PersonRefusal>(
      'identity_taken',
      taken?.personId === actor.id || own !== undefined
        ? `you have linked an account of ${provider.title}: unlink it first`
        : `this account of ${provider.title} is linked with another person here`,
    )
  }
  const row: IdentityRow = {
    ...{ provider: provider.name, subject: claims.subject, personId: actor.id },
    ...{ account: claims.account, createdAt: now, lastUsedAt: null },
  }
  await db.insertIdentity(tx, row)
  return viewIdentity({ ...row, title: provider.title })
}

/** Throws `identity_missing`. */
export async function unlinkIdentity(
  tx: RightsTx,
  actor: Current<PersonActor>,
  provider: string,
): Promise<void> {
  if (!(await db.deleteIdentity(tx, provider, actor.id))) {
    throw new Refusal<PersonRefusal>(
      'identity_missing',
      'you have linked no account of this provider',
    )
  }
  const of = { personId: actor.id, except: actor.session.id }
  await endSessionsBegunBy(tx, ['provider'], of, await tx.now())
}

export async function listIdentities(tx: ReadTx, actor: PersonActor): Promise<IdentityView[]> {
  return (await db.listIdentities(tx, actor.id)).map(viewIdentity)
}

function viewIdentity(row: IdentityRow & { readonly title: string }): IdentityView {
  return {
    provider: row.provider,
    title: row.title,
    account: row.account,
    createdAt: formatInstant(row.createdAt),
    lastUsedAt: instantOrNull(row.lastUsedAt),
  }
}
