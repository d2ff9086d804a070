/** Invitations: made by whoever could give the role, accepted with a passkey. */
import type { CreationOptions, NewPasskey } from '@seaworthy/api/ceremonies'
import type { InvitationView } from '@seaworthy/api/invitations'
import type { Grant, RoleNames, Scope } from '@seaworthy/fleet/access'
import { copyScope, coversGrant } from '@seaworthy/fleet/access'
import { hexEncode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs, formatInstant } from '@seaworthy/std/time'
import { findPrincipal, setCountsAs } from '../../db/approvals.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/invitations.ts'
import type { InvitationRow } from '../../db/invitations.ts'
import type { RightsTx } from '../../db/rights.ts'
import { insertPerson, noteLetIn } from '../../db/people.ts'
import type { Actor, Current } from '../access/index.ts'
import { findMaker, grantOf, hashCode, holderBehind, requireRoomFor } from '../access/index.ts'
import type { App, Ports } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { listById } from '../paging.ts'
import type { JudgedPasskey } from './new-passkeys.ts'
import { askNewPasskey, judgeNewPasskey, storePasskey } from './new-passkeys.ts'
import type { Site } from './ceremonies.ts'
import { findPerson, readPersonGrant, requireCovers } from './people.ts'
import type { Asked, OpenedSession, Visit } from './sessions.ts'
import { openSession } from './sessions.ts'
import { endWaysIn } from './ways-in.ts'

type Deps = Pick<App, 'db' | 'secrets' | 'clock' | 'random'>

const invitationLifetimeMs = 7 * dayMs

export interface Invited {
  readonly row: InvitationRow
  /** The secret of the link: shown once, stored nowhere. */
  readonly code: string
}

export interface NewInvitation extends RoleNames, Scope {
  readonly name: string | null
  readonly email: string | null
}

/** Throws `role_unknown`, `grant_exceeds_own`, `owner_scoped`, `handed_out_too_many`. */
export async function invite(
  tx: WriteTx,
  app: Pick<Ports, 'random'>,
  actor: Current,
  wanted: NewInvitation,
  now: Date,
): Promise<Invited> {
  const grant = await readPersonGrant(tx, actor, wanted)
  return issueInvitation(tx, app, actor, { ...wanted, ...grant, personId: null }, now)
}

/**
 * An invitation for somebody who has lost every passkey. It gives nothing but a new one. Throws
 * `person_not_found`, `out_of_scope`, `person_disabled`, `handed_out_too_many`.
 */
export async function reinvite(
  tx: WriteTx,
  app: Pick<Ports, 'random'>,
  actor: Current,
  personId: string,
  now: Date,
): Promise<Invited> {
  const person = await findPerson(tx, personId)
  requireCovers(actor, person)
  requireEnabled(person)
  return issueInvitation(tx, app, actor, { ...person, personId }, now)
}

function requireEnabled({ disabledAt, name }: { disabledAt: Date | null; name: string }): void {
  if (disabledAt === null) return
  throw new Refusal<PersonRefusal>('person_disabled', `${name} is disabled: enable them first`)
}

async function issueInvitation(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  actor: Actor,
  wanted: Grant & Pick<InvitationRow, 'name' | 'email' | 'personId'>,
  now: Date,
): Promise<Invited> {
  requireRoomFor('invitations', await db.countOpenInvitations(tx, holderBehind(actor), now))
  const code = hexEncode(random.bytes(32))
  const { name, email, personId, role, deniedBy, customRoles, products, fleets } = wanted
  const row: InvitationRow = {
    ...{ name, email, personId, role, deniedBy, customRoles, products, fleets },
    id: newId('invitation', now, random),
    codeSha256: hashCode(code),
    createdAt: now,
    createdBy: actor.id,
    expiresAt: new Date(now.getTime() + invitationLifetimeMs),
    usedAt: null,
    revokedAt: null,
  }
  await db.insertInvitation(tx, row)
  return { row, code }
}

/** Throws `invitation_not_found`, `out_of_scope`. */
export async function endInvitation(
  tx: RightsTx,
  actor: Current,
  id: string,
  now: Date,
): Promise<void> {
  const row = await db.getInvitation(tx, id)
  if (row === undefined) throw notFound()
  requireCovers(actor, row)
  if (!(await db.revokeInvitation(tx, id, now))) throw notFound()
}

function notFound(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'invitation_not_found',
    'no such invitation, or it was used or revoked before',
  )
}

/** Lists the open invitations that reach no further than the actor. */
export async function listInvitations(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
  now: Date,
): Promise<Page<InvitationView>> {
  const { products, fleets } = grantOf(actor)
  return listById(
    query,
    (part) => db.listInvitations(tx, { ...part, now, products, fleets }),
    viewInvitation,
  )
}

export function viewInvitation(row: InvitationRow): InvitationView {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    personId: row.personId,
    role: row.role,
    deniedBy: [...row.deniedBy],
    ...copyScope(row),
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
    expiresAt: formatInstant(row.expiresAt),
    usedAt: instantOrNull(row.usedAt),
  }
}

/**
 * The invitation that a link is about. Throws `invitation_not_found`, `invitation_used`,
 * `invitation_void`, `invitation_expired`.
 */
export async function readInvitation(tx: ReadTx, code: string, now: Date): Promise<InvitationRow> {
  const row = await db.findInvitation(tx, hashCode(code))
  if (row === undefined) {
    throw new Refusal<PersonRefusal>(
      'invitation_not_found',
      'this link is of no invitation here: open it whole, or ask for a new one',
    )
  }
  if (row.usedAt !== null) {
    throw new Refusal<PersonRefusal>(
      'invitation_used',
      'this invitation has been used: if it was not you, tell whoever invited you; otherwise sign in',
    )
  }
  if (row.revokedAt !== null) {
    throw voided()
  }
  if (row.expiresAt.getTime() <= now.getTime()) {
    throw new Refusal<PersonRefusal>(
      'invitation_expired',
      'this invitation is older than seven days: ask for a new one',
    )
  }
  await requireStanding(tx, row)
  return row
}

/**
 * Whether the maker could give as of now what the link gives: the rights in the invitation, or
 * those that its person has got meanwhile. Throws `invitation_void`.
 */
async function requireStanding(tx: ReadTx, row: InvitationRow): Promise<void> {
  const given = row.personId === null ? row : await findPerson(tx, row.personId)
  const maker = await findMaker(tx, row.createdBy)
  if (maker !== undefined && !maker.hasEnded && coversGrant(maker.grant, given)) return
  throw voided()
}

function voided(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'invitation_void',
    'this invitation was taken back, or who made it may do less now: ask for a new one',
  )
}

export async function askInvitation(
  app: Deps,
  { code, name }: { code: string; name: string },
  site: Site,
  now: Date,
): Promise<Asked<CreationOptions>> {
  const row = await readInvitation(app.db.reader, code, now)
  const id = row.personId ?? newId('person', now, app.random)
  return askNewPasskey(app, doorOf(row), { id, name }, site, now)
}

export async function judgeInvited(
  app: Deps,
  code: string,
  answer: { passkey: NewPasskey; kept: string | undefined; site: Site },
): Promise<JudgedPasskey> {
  const row = await readInvitation(app.db.reader, code, app.clock.now())
  return judgeNewPasskey(app, doorOf(row), answer)
}

/**
 * Makes the person, or gives the person of a second invitation a new passkey, before which
 * everything ends by which they came in. Throws like `readInvitation`, and
 * `challenge_used`, `person_disabled`.
 */
export async function acceptInvitation(
  tx: RightsTx,
  app: Pick<App, 'random'>,
  { code, name }: { code: string; name: string },
  judged: JudgedPasskey,
  visit: Visit,
): Promise<OpenedSession & { invitation: InvitationRow }> {
  const now = await tx.now()
  const invitation = await readInvitation(tx, code, now)
  if (!(await db.useInvitation(tx, invitation.id, now))) throw notFound()
  const { personId } = judged.ceremony
  if (invitation.personId === null) {
    const { email, role, deniedBy, customRoles, products, fleets, createdBy } = invitation
    const grant = { role, deniedBy, customRoles, products, fleets }
    const none = { disabledAt: null, lastSignInAt: null, grantedByProvider: null }
    await insertPerson(tx, {
      ...{ ...none, ...grant, id: personId, name, email, createdAt: now, createdBy },
      letInBy: createdBy,
    })
  } else {
    requireEnabled(await findPerson(tx, personId))
    await endWaysIn(tx, personId, now)
    await noteLetIn(tx, personId, invitation.createdBy)
  }
  await countAsMaker(tx, personId, invitation.createdBy)
  await storePasskey(tx, app, judged, 'Passkey of the invitation', now)
  return { ...(await openSession(tx, app, personId, visit, now)), invitation }
}

/**
 * Whoever made the link may have opened it themselves: the account counts as theirs where two
 * persons are needed, until owners have taken it in.
 */
async function countAsMaker(tx: RightsTx, personId: string, maker: string): Promise<void> {
  const principal = (await findPrincipal(tx, maker)) ?? 'server'
  await setCountsAs(tx, personId, principal === personId ? null : principal)
}

const doorOf = ({ id }: InvitationRow) => ({ purpose: 'invitation', about: id }) as const
