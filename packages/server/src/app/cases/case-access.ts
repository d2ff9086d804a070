/** Who asks about a case, and what of it they get to see. */
import { allowedByBuiltIn, builtInRoles, permissionsOf } from '@seaworthy/fleet/access'
import { isId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import type { CaseAsker, CaseRow, SeenCase } from '../../db/cases.ts'
import { findCase, lockCase } from '../../db/cases.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current } from '../access/index.ts'
import { grantOf, holderBehind, requireUnscoped } from '../access/index.ts'
import type { CaseRefusal } from '../refusals.ts'

/**
 * Who is read in where this actor is: the person, also for their tokens. A token behind which no
 * person stands counts as one reader with the tokens that replace it.
 */
export function readerBehind(actor: Actor): string {
  const holder = holderBehind(actor)
  return actor.kind === 'token' && !isId('person', holder) ? actor.token.line : holder
}

const readingRoles = builtInRoles.filter((role) => allowedByBuiltIn(role).includes('case:read'))

/** Throws `out_of_scope`: a scope names products and fleets, and a case may be about any. */
export function askerOf(actor: Actor, now: Date): CaseAsker {
  requireUnscoped(actor, 'cases are of')
  const mayTake = permissionsOf(grantOf(actor)).includes('case:handle')
  return { reader: readerBehind(actor), mayTake, readingRoles, now }
}

/**
 * A case that the actor is read in to. Throws `case_not_found`, also for what is there and not
 * theirs to know, and `case_not_taken`.
 */
export async function requireRead(tx: ReadTx, actor: Actor, id: string, now: Date) {
  return requireReader(await findCase(tx, id, askerOf(actor, now)))
}

/** The same, locked until the transaction ends. */
export async function lockRead(tx: WriteTx, actor: Current, id: string): Promise<CaseRow> {
  return requireReader(await lockSeen(tx, actor, id))
}

/** A case that the actor is read in to or may take, locked. Throws `case_not_found`. */
export async function lockSeen(tx: WriteTx, actor: Current, id: string): Promise<SeenCase> {
  requireUnscoped(actor, 'cases are of')
  const locked = await lockCase(tx, id)
  return requireSeen(locked && (await findCase(tx, id, askerOf(actor, await tx.now()))))
}

function requireSeen(row: SeenCase | undefined): SeenCase {
  if (row !== undefined) return row
  throw new Refusal<CaseRefusal>(
    'case_not_found',
    'there is no such case, or you are not read in to it',
  )
}

function requireReader(row: SeenCase | undefined): SeenCase {
  const seen = requireSeen(row)
  if (seen.isReader) return seen
  throw new Refusal<CaseRefusal>(
    'case_not_taken',
    'nobody has taken this case yet: assign it to yourself, and you are read in to it',
  )
}
