/** Sign-in, confirmation, and sessions; `access/session-limits.ts` says when one ends. */
import type { RequestOptions } from '@seaworthy/api/ceremonies'
import type { PasskeyProof } from '@seaworthy/api/ceremonies'
import type { SelfView, SessionView } from '@seaworthy/api/sessions'
import type { AccessRefusal } from '@seaworthy/fleet/access'
import { needsPasskey, permissionsOf } from '@seaworthy/fleet/access'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { findPasskey, listPasskeys, notePasskeyUse } from '../../db/passkeys.ts'
import { getPassword } from '../../db/passwords.ts'
import { getPerson, noteSignIn } from '../../db/people.ts'
import { countRecoveryCodes } from '../../db/recovery-codes.ts'
import type { RightsTx } from '../../db/rights.ts'
import * as db from '../../db/sessions.ts'
import type { ListedSession, SessionRow } from '../../db/sessions.ts'
import type { Actor, Current, PersonActor } from '../access/index.ts'
import {
  createCredential,
  grantOf,
  KnownPersonRefusal,
  sessionLimits,
  steppedUpUntil,
} from '../access/index.ts'
import type { App, Ports, WriteTx } from '../app.ts'
import type { ReadTx } from '../../db/connection.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { listById } from '../paging.ts'
import type { Ceremony, Site } from './ceremonies.ts'
import {
  beginCeremony,
  openCeremony,
  requestOptions,
  spendChallenge,
  wrongChallenge,
} from './ceremonies.ts'
import { findEnabledPerson, requireCovers, viewPerson } from './people.ts'
import { verifyProof } from './passkey-answers.ts'
import { passkeyRoles } from './sign-in-policy.ts'

/** How many sessions a person may have open; the next one ends that which was used longest ago. */
const sessionsMax = 50

/** Where a session was begun, for the person who looks through their sessions. */
export interface Visit {
  readonly address: string
  readonly userAgent: string
}

/** How a session begins that was opened without a passkey. */
interface Beginning extends Visit {
  /** What the person came in with; a passkey unless it says otherwise. */
  readonly factor?: SessionRow['factor']
  /** When the person last proved who they are; now unless it says otherwise. */
  readonly steppedUpAt?: Date | null
  /** The longest time that the session lasts. */
  readonly lifetimeMs?: number
}

type Deps = Pick<App, 'db' | 'secrets' | 'clock' | 'random'>

/** Options with the text that the browser keeps until the answer. */
export interface Asked<Options> {
  readonly options: Options
  readonly kept: string
}

/** Asks nobody in particular, so that it does not reveal who has an account here. */
export function askSignIn(app: Deps, site: Site, now: Date): Asked<RequestOptions> {
  const about = { purpose: 'sign-in', about: '', personId: '', rpId: site.rpId } as const
  const { challenge, kept } = beginCeremony(app, about, now)
  return { options: requestOptions(site, challenge, []), kept }
}

/** An answer that was judged before the transaction, which must spend its challenge. */
type Judged = Awaited<ReturnType<typeof verifyProof>> & { readonly ceremony: Ceremony }

export async function judgeSignIn(
  app: Deps,
  answer: { proof: PasskeyProof; kept: string | undefined; site: Site },
): Promise<Judged> {
  const { proof, kept, site } = answer
  const ceremony = openCeremony(app, kept, { purpose: 'sign-in', rpId: site.rpId }, app.clock.now())
  const passkey = await findPasskey(app.db.reader, proof.id)
  return { ...(await verifyProof(proof, passkey, ceremony, site)), ceremony }
}

/** Throws `challenge_used`, `passkey_copied`, `person_disabled`. */
export async function signIn(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  judged: Judged,
  visit: Visit,
  now: Date,
): Promise<OpenedSession> {
  await spendChallenge(tx, judged.ceremony, now)
  await useKey(tx, judged, now)
  const { personId } = judged.passkey
  await findEnabledPerson(tx, personId)
  return openSession(tx, { random }, personId, visit, now)
}

/** Throws `passkey_copied`. */
async function useKey(
  tx: WriteTx,
  { passkey, signCount, isBackedUp }: Judged,
  now: Date,
): Promise<void> {
  if (await notePasskeyUse(tx, { id: passkey.id, signCount, isBackedUp, now })) return
  throw new KnownPersonRefusal(
    'passkey_copied',
    'the counter of this passkey went backwards, so there may be a copy of it: sign in with another one and remove it',
    passkey.personId,
  )
}

export interface OpenedSession {
  readonly actor: PersonActor
  /** The value of the cookie: shown once, stored nowhere. */
  readonly secret: string
}

/**
 * A new session with a secret that nobody has seen before. Somebody who has just proved who they
 * are need not confirm it again for a while.
 */
export async function openSession(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  personId: string,
  beginning: Beginning,
  now: Date,
): Promise<OpenedSession> {
  const { address, userAgent, factor = 'passkey', steppedUpAt = now } = beginning
  const { lifetimeMs = sessionLimits.lifetimeMs } = beginning
  const id = newId('session', now, random)
  const credential = createCredential('session', id, random)
  const session: SessionRow = {
    id,
    personId,
    secretSha256: credential.secretSha256,
    createdAt: now,
    lastUsedAt: now,
    expiresAt: new Date(now.getTime() + lifetimeMs),
    steppedUpAt,
    endedAt: null,
    ...{ factor, address, userAgent },
  }
  await db.insertSession(tx, session, new Date(now.getTime() - sessionLimits.lifetimeMs))
  await db.expireSessionsBeyond(tx, session, sessionsMax, now)
  await noteSignIn(tx, personId, now)
  const person = (await getPerson(tx, personId))!
  return { actor: { kind: 'person', id: personId, person, session }, secret: credential.text }
}

export async function askStepUp(
  app: Deps,
  actor: PersonActor,
  site: Site,
  now: Date,
): Promise<Asked<RequestOptions>> {
  const passkeys = await listPasskeys(app.db.reader, actor.id)
  const { challenge, kept } = beginCeremony(
    app,
    { purpose: 'step-up', about: actor.session.id, personId: actor.id, rpId: site.rpId },
    now,
  )
  const here = passkeys.filter(({ rpId }) => rpId === site.rpId)
  return { options: requestOptions(site, challenge, here), kept }
}

export async function judgeStepUp(
  app: Deps,
  actor: PersonActor,
  answer: { proof: PasskeyProof; kept: string | undefined; site: Site },
): Promise<Judged> {
  const { proof, kept, site } = answer
  const ceremony = openCeremony(app, kept, { purpose: 'step-up', rpId: site.rpId }, app.clock.now())
  if (ceremony.about !== actor.session.id) throw wrongChallenge()
  const known = await findPasskey(app.db.reader, proof.id)
  // Somebody else's passkey counts as none.
  const own = known?.personId === actor.id ? known : undefined
  return { ...(await verifyProof(proof, own, ceremony, site)), ceremony }
}

/**
 * Opens dangerous routes for a while. The session gets a new secret, so that the old one is worth
 * nothing. Throws `challenge_used`, `passkey_copied`, `session_not_found`.
 */
export async function stepUp(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  actor: Current<PersonActor>,
  judged: Judged,
  now: Date,
): Promise<OpenedSession> {
  await spendChallenge(tx, judged.ceremony, now)
  await useKey(tx, judged, now)
  return renewSession(tx, { random }, actor, now)
}

/** The session of somebody who has just confirmed. Throws `session_not_found`. */
export async function renewSession(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  actor: Current<PersonActor>,
  now: Date,
): Promise<OpenedSession> {
  const { id } = actor.session
  const { text, secretSha256 } = createCredential('session', id, random)
  if (!(await db.stepUpSession(tx, { id, secretSha256, now }))) throw noSession()
  const session = { ...actor.session, secretSha256, steppedUpAt: now, lastUsedAt: now }
  return { actor: { ...actor, session }, secret: text }
}

export async function signOut(tx: RightsTx, actor: Current<PersonActor>, now: Date): Promise<void> {
  await db.endSession(tx, actor.session.id, now)
}

/**
 * Ends a session: one's own, or that of a person whose rights the actor could give. Throws
 * `session_not_found`, also for a session that the actor may not know of, `out_of_scope`.
 */
export async function revokeSession(
  tx: RightsTx,
  actor: Current,
  sessionId: string,
  now: Date,
): Promise<{ personId: string }> {
  const session = await db.getSession(tx, sessionId)
  if (session === undefined) throw noSession()
  const { personId, person } = session
  if (personId !== actor.id) {
    const own = grantOf(actor)
    const permissions = permissionsOf(own)
    if (!permissions.includes('person:read')) throw noSession()
    if (!permissions.includes('person:write')) {
      throw new Refusal<AccessRefusal>(
        'permission_denied',
        'this needs the permission person:write',
      )
    }
    requireCovers(actor, person)
  }
  if (!(await db.endSession(tx, sessionId, now))) throw noSession()
  return { personId }
}

function noSession(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>('session_not_found', 'no such session, or it has ended')
}

/** Lists everybody’s sessions for whoever sees people, otherwise the actor's own. */
export async function listSessions(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { person?: string | undefined },
  now: Date,
): Promise<Page<SessionView>> {
  const grant = grantOf(actor)
  const { products, fleets } = grant
  const seesAll = permissionsOf(grant).includes('person:read')
  const personId = seesAll ? (query.person ?? null) : actor.id
  const idleSince = new Date(now.getTime() - sessionLimits.idleMs)
  const whose = { now, idleSince, personId, self: actor.id, products, fleets }
  return listById(
    query,
    (part) => db.listSessions(tx, { ...part, ...whose }),
    (row) => viewSession(row, actor),
  )
}

function viewSession(row: ListedSession, actor: Actor): SessionView {
  return {
    id: row.id,
    personId: row.personId,
    personName: row.person.name,
    createdAt: formatInstant(row.createdAt),
    lastUsedAt: formatInstant(row.lastUsedAt),
    expiresAt: formatInstant(row.expiresAt),
    address: row.address,
    userAgent: row.userAgent,
    factor: row.factor,
    isCurrent: actor.kind === 'person' && actor.session.id === row.id,
  }
}

/** Who is signed in, as the pages see it. */
export async function viewSelf(tx: ReadTx, actor: PersonActor, now: Date): Promise<SelfView> {
  const person = await getPerson(tx, actor.id)
  const until = steppedUpUntil(actor.session, now)
  const password = await getPassword(tx, actor.id)
  return {
    person: viewPerson(person ?? { ...actor.person, passkeysCount: 0 }),
    session: viewSession({ ...actor.session, person: actor.person }, actor),
    permissions: [...permissionsOf(actor.person)],
    steppedUpUntil: until === undefined ? null : formatInstant(until),
    recoveryCodesLeft: await countRecoveryCodes(tx, actor.id),
    password:
      password === undefined
        ? null
        : {
            name: password.name,
            createdAt: formatInstant(password.createdAt),
            lastUsedAt: instantOrNull(password.lastUsedAt),
          },
    mayUsePassword: !needsPasskey(await passkeyRoles(tx), actor.person),
  }
}
