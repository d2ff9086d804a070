/** What is decided about people: their roles, and whether they may come in at all. */
import type { PersonView } from '@seaworthy/api/people'
import type { AccessRefusal, Grant, RoleNames, Scope } from '@seaworthy/fleet/access'
import {
  checkGrant,
  copyScope,
  coversGrant,
  coversScope,
  isSameGrant,
  needsPasskey,
} from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { readApprovalPolicy } from '../../db/approvals.ts'
import type { ReadTx } from '../../db/connection.ts'
import { listInvitationsTo, revokeInvitation } from '../../db/invitations.ts'
import * as db from '../../db/people.ts'
import type { ListedPerson, PersonRow } from '../../db/people.ts'
import type { RightsTx } from '../../db/rights.ts'
import { endSessionsBegunBy, endSessionsOf } from '../../db/sessions.ts'
import type { Actor, Current, EndedWithMaker } from '../access/index.ts'
import {
  endHandedOut,
  findMaker,
  grantOf,
  KnownPersonRefusal,
  listStaying,
  readGrant,
} from '../access/index.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { otherFactors, passkeyRoles } from './sign-in-policy.ts'
import { endWaysIn } from './ways-in.ts'
import { instantOrNull } from '../views.ts'
import { listById } from '../paging.ts'

export function viewPerson(row: ListedPerson): PersonView {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    role: row.role,
    deniedBy: [...row.deniedBy],
    ...copyScope(row),
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
    disabledAt: instantOrNull(row.disabledAt),
    lastSignInAt: instantOrNull(row.lastSignInAt),
    passkeysCount: row.passkeysCount,
  }
}

/** Lists the people who reach no further than the actor, and the actor. */
export async function listPeople(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
): Promise<Page<PersonView>> {
  const { products, fleets } = grantOf(actor)
  const scope = { self: actor.id, products, fleets }
  return listById(query, (part) => db.listPeople(tx, { ...part, ...scope }), viewPerson)
}

/** Throws `person_not_found`, `out_of_scope`. */
export async function showPerson(tx: ReadTx, actor: Actor, id: string): Promise<PersonView> {
  const person = await findPerson(tx, id)
  if (person.id === actor.id || coversScope(grantOf(actor), person)) return viewPerson(person)
  throw new Refusal<AccessRefusal>('out_of_scope', 'this person reaches further than you')
}

export async function findPerson(tx: ReadTx, id: string): Promise<ListedPerson> {
  const person = await db.getPerson(tx, id)
  if (person !== undefined) return person
  throw new Refusal<PersonRefusal>('person_not_found', 'no such person')
}

/** The person, who is signing in. Throws `person_disabled`. */
export async function findEnabledPerson(tx: ReadTx, id: string): Promise<ListedPerson> {
  const person = await db.getPerson(tx, id)
  if (person !== undefined && person.disabledAt === null) return person
  throw new KnownPersonRefusal('person_disabled', 'your account is disabled: ask an owner', id)
}

/**
 * Guards what is given to people, and says what the roles are. Throws `role_unknown`,
 * `owner_scoped`, `grant_exceeds_own`.
 */
export async function readPersonGrant(
  tx: ReadTx,
  actor: Actor,
  wanted: RoleNames & Scope,
): Promise<Grant> {
  checkOwnerScope(wanted)
  const grant = await readGrant(tx, wanted)
  checkGrant(grantOf(actor), grant)
  return grant
}

function checkOwnerScope({ role, deniedBy, products, fleets }: RoleNames & Scope): void {
  const isWhole = products === null && fleets === null && deniedBy.length === 0
  if (role !== 'owner' || isWhole) return
  throw new Refusal<PersonRefusal>(
    'owner_scoped',
    'an owner reaches everything and is denied nothing: leave out products, fleets and roles that deny, or give another role such as admin',
  )
}

/**
 * Guards changes of a person: an actor that could not give the person's rights must not take them
 * either. Throws `out_of_scope`.
 */
export function requireCovers(actor: Actor, person: Grant): void {
  if (coversGrant(grantOf(actor), person)) return
  throw new Refusal<AccessRefusal>(
    'out_of_scope',
    'this person may do more than you: only somebody who could give these rights may change them',
  )
}

export interface PersonChange {
  readonly name?: string | undefined
  readonly email?: string | null | undefined
  readonly role?: string | undefined
  readonly deniedBy?: readonly string[] | undefined
  readonly products?: readonly string[] | null | undefined
  readonly fleets?: readonly string[] | null | undefined
}

type Stays = Awaited<ReturnType<typeof listStaying>>

/** What ended with a change of a person. */
interface EndedWithPerson extends EndedWithMaker {
  readonly endedPasskeys: number
  readonly endedSessions: number
}

/**
 * A person who gets more than the maker of their invitation could give must come in anew. Throws
 * `person_not_found`, `out_of_scope`, `role_unknown`, `grant_exceeds_own`, `owner_scoped`,
 * `owner_last`.
 */
export async function setPerson(
  tx: RightsTx,
  actor: Current,
  id: string,
  change: PersonChange,
): Promise<{ person: ListedPerson; ended: EndedWithPerson; stays: Stays }> {
  const now = await tx.now()
  const before = await findPerson(tx, id)
  requireCovers(actor, before)
  const given = Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined),
  ) as Partial<ListedPerson>
  const { role, deniedBy, products, fleets } = given
  const isGrant = [role, deniedBy, products, fleets].some((part) => part !== undefined)
  const grantedByProvider = isGrant ? null : before.grantedByProvider
  const wanted: ListedPerson = { ...before, ...given, grantedByProvider }
  const after = { ...wanted, ...(await readPersonGrant(tx, actor, wanted)) }
  const endedWithGrant = await changeGrant(tx, before, after, { at: now, by: actor.id })
  const waysIn = await endWaysOpenToLess(tx, before, after, now)
  const person = { ...after, passkeysCount: after.passkeysCount - waysIn.endedPasskeys }
  const stays = await listStaying(tx, id, now)
  return { person, ended: { ...waysIn, ...endedWithGrant }, stays }
}

/**
 * Writes what the person may do from now on and who says so, and ends what exceeds it. Throws
 * `owner_last`.
 */
export async function changeGrant(
  tx: RightsTx,
  before: PersonRow,
  after: PersonRow,
  given: { readonly at: Date; readonly by: string },
): Promise<EndedWithMaker> {
  const now = given.at
  if (before.role === 'owner' && after.role !== 'owner') await requireOtherOwner(tx, before)
  await db.updatePerson(tx, after)
  // For some roles, a session that was opened without a passkey is not enough.
  if (needsPasskey(await passkeyRoles(tx), after)) {
    await endSessionsBegunBy(tx, otherFactors, { personId: after.id }, now)
  }
  const isSame = isSameGrant(before, after)
  if (!isSame) await db.noteGrant(tx, after.id, given)
  if (!isSame) await endInvitationsTo(tx, after.id, now)
  return endHandedOut(tx, after.id, after, now)
}

/**
 * Ends the person's sessions, what they have handed out, and the invitations to them, and names
 * what of it stays. Throws `person_not_found`, `out_of_scope`, `owner_last`.
 */
export async function disablePerson(
  tx: RightsTx,
  actor: Current,
  id: string,
): Promise<{
  person: ListedPerson
  ended: Omit<EndedWithPerson, 'endedPasskeys'>
  stays: Stays
}> {
  const now = await tx.now()
  const before = await findPerson(tx, id)
  requireCovers(actor, before)
  await requireOtherOwner(tx, before)
  const after = { ...before, disabledAt: before.disabledAt ?? now }
  await db.updatePerson(tx, after)
  const endedSessions = await endSessionsOf(tx, id, now)
  await endInvitationsTo(tx, id, now)
  const ended = { endedSessions, ...(await endHandedOut(tx, id, null, now)) }
  return { person: after, ended, stays: await listStaying(tx, id, now) }
}

/** Throws `person_not_found`, `out_of_scope`. */
export async function enablePerson(
  tx: RightsTx,
  actor: Current,
  id: string,
): Promise<ListedPerson> {
  const before = await findPerson(tx, id)
  requireCovers(actor, before)
  const after = { ...before, disabledAt: null }
  await db.updatePerson(tx, after)
  return after
}

/**
 * Throws `owner_last` when the person is the only owner who can sign in, or one of two who must
 * approve each other's changes of the rules for approvals.
 */
async function requireOtherOwner(tx: ReadTx, person: PersonRow): Promise<void> {
  if (person.role !== 'owner' || person.disabledAt !== null) return
  const owners = await db.countOwners(tx)
  const hasRules = (await readApprovalPolicy(tx)) !== undefined
  if (owners > (hasRules ? 2 : 1)) return
  if (owners > 1) {
    throw new Refusal<PersonRefusal>(
      'owner_last',
      `${person.name} is one of two owners, who approve each other’s changes of the rules for approvals: make another person owner first, or end those rules together`,
    )
  }
  throw new Refusal<PersonRefusal>(
    'owner_last',
    `${person.name} is the only owner: make another person owner first`,
  )
}

/** Ends all invitations to the person: they were made for the person's earlier rights. */
async function endInvitationsTo(tx: RightsTx, personId: string, now: Date): Promise<void> {
  for (const { id } of await listInvitationsTo(tx, personId)) await revokeInvitation(tx, id, now)
}

/**
 * Ends all by which the person comes in where somebody who could not give these rights may have the
 * account: whoever makes an invitation can open its link. `before` says what they could have had
 * until now.
 */
export async function endWaysOpenToLess(
  tx: RightsTx,
  before: PersonRow,
  after: Grant,
  now: Date,
): Promise<{ endedPasskeys: number; endedSessions: number }> {
  const none = { endedPasskeys: 0, endedSessions: 0 }
  if (coversGrant(before, after)) return none
  const maker = await findMaker(tx, before.letInBy)
  const isSafe = maker !== undefined && coversGrant(maker.grant, after)
  return isSafe ? none : endWaysIn(tx, before.id, now)
}
