/** Whether a call may be carried out: what needs another person's approval becomes a request. */
import type { ApprovalRefusal, Guarded, NeededRight } from '@seaworthy/fleet/access'
import { hasRight, isAsShown, needsApproval, stateOf } from '@seaworthy/fleet/access'
import { hexEncode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, hourMs } from '@seaworthy/std/time'
import type { JsonValue } from '@seaworthy/trust/tuf'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/approvals.ts'
import type { ApprovalRow } from '../../db/approvals.ts'
import { getPerson } from '../../db/people.ts'
import type { Current } from '../access/index.ts'
import { ApprovalNeededRefusal, nodeSha256 } from '../access/index.ts'
import type { Passage } from '../access/index.ts'
import type { Ports } from '../app.ts'

/** The time to decide about a request, and then to carry it out. */
export const approvalMs = 24 * hourMs
const openMax = 20
const closedKept = 200
/** How many requests one person may make within `approvalMs`, those that they withdraw included. */
const askedMax = 100
/**
 * Devices to which one person brings another release within this time, without an approval, are
 * counted together.
 */
export const togetherMs = 24 * hourMs

/** What a call would do, as it is read in the transaction that would do it. */
export interface GuardedEffect<Kind extends Guarded['kind'] = Guarded['kind']> extends Guarded {
  readonly kind: Kind
  /** What is shown to whoever decides, without the number of devices: one statement per line. */
  readonly words: readonly string[]
  /** Everything that the outcome depends on, beyond the words and the call itself. */
  readonly inputs: Readonly<Record<string, JsonValue>>
  readonly needs: NeededRight
}

export interface GuardedCall {
  readonly action: string
  readonly subject: string
  /** Parameters and body of the call. */
  readonly input: unknown
}

/**
 * Reads whether the call needs an approval, and spends the one that it has. `effectOf` answers
 * `null` for a call that touches nobody else. Throws `approval_needs_person`,
 * `approvals_too_many`, and what `effectOf` throws.
 */
export async function passGate(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  actor: Current,
  call: GuardedCall,
  effectOf: () => Promise<GuardedEffect | null>,
): Promise<Passage> {
  const rules = await db.readApprovalPolicy(tx)
  if (rules === undefined) return { isOpen: true }
  const principal = await db.findPrincipal(tx, actor.id)
  // Two calls at once do not both take the last that is free, or ask twice.
  await db.lockRequestsOf(tx, principal)
  const effect = await effectOf()
  if (effect === null) return { isOpen: true }
  const now = await tx.now()
  const since = new Date(now.getTime() - togetherMs)
  const releasedBefore = await db.countUnapproved(tx, principal, since)
  if (!needsApproval(rules, effect, releasedBefore)) {
    if (effect.kind === 'release' && effect.devicesMax !== null) {
      await db.forgetUnapproved(tx, since)
      await db.insertUnapproved(tx, { principal, devices: effect.devicesMax, at: now })
    }
    return { isOpen: true }
  }
  if (principal === undefined) throw needsPerson()
  const asked = describeRequest(call, effect, { id: principal, by: actor.id }, now, random)
  const open = await db.findOpenApproval(tx, principal, asked.callSha256)
  if (open === undefined) return ask(tx, asked, now)
  if (stateOf(open, now) === 'expired') {
    await close(tx, open, 'expired', null)
    return ask(tx, asked, now)
  }
  if (open.state === 'pending') {
    if (isAsShown(outcomeOf(open), outcomeOf(asked))) return { isOpen: false, ...required(open) }
    await close(tx, open, 'void', 'what would happen changed before anybody decided')
    return ask(tx, asked, now)
  }
  const fault = await findFault(tx, open, asked)
  if (fault === undefined) {
    await db.updateApproval(tx, { ...open, state: 'done' })
    return { isOpen: true, detail: { approval: open.id, approvedBy: open.decidedBy } }
  }
  await close(tx, open, 'void', fault)
  return {
    isOpen: false,
    entry: { action: 'approval.void', subject: open.id, detail: { reason: fault } },
    refusal: new ApprovalNeededRefusal(
      'approval_void',
      `${open.id} was approved, but ${fault}: nothing was done; ask again with the same call`,
      open.id,
    ),
  }
}

/** Why what was approved is not carried out. */
async function findFault(
  tx: ReadTx,
  approved: ApprovalRow,
  now: ApprovalRow,
): Promise<string | undefined> {
  if (!isAsShown(outcomeOf(approved), outcomeOf(now))) {
    return 'what would happen now is not what was approved'
  }
  const approver = await getPerson(tx, approved.decidedBy!)
  const isStanding =
    approver !== undefined && approver.disabledAt === null && hasRight(approver, now.needs)
  if (!isStanding) return 'whoever approved it may not do it themselves any more'
  if ((await db.findPrincipal(tx, approver.id)) === approved.principal) {
    return 'whoever approved it counts as the person who asked now'
  }
  return undefined
}

function describeRequest(
  { action, subject, input }: GuardedCall,
  { words, inputs, devicesMax, needs, kind }: GuardedEffect,
  asking: { readonly id: string; readonly by: string },
  now: Date,
  random: Ports['random'],
): ApprovalRow {
  const callSha256 = digestOf({ action, input })
  return {
    id: newId('approval', now, random),
    state: 'pending',
    action,
    subject,
    callSha256,
    effect: [...words],
    effectSha256: digestOf({
      call: hexEncode(callSha256),
      kind,
      words,
      inputs,
      needs,
    }),
    devicesMax,
    needs,
    principal: asking.id,
    requestedBy: asking.by,
    requestedAt: now,
    expiresAt: new Date(now.getTime() + approvalMs),
    decidedBy: null,
    decidedAt: null,
    reason: null,
  }
}

/**
 * A digest that is the same for the same values, whatever the order of members. Policies have
 * fractions, which canonical JSON does not take: they are written in a form that no value of a
 * request has.
 */
export function digestOf(value: unknown): Uint8Array {
  const plain = (of: unknown): JsonValue => {
    if (typeof of === 'number') return Number.isSafeInteger(of) ? of : ['number', String(of)]
    if (typeof of === 'string' || typeof of === 'boolean') return of
    if (Array.isArray(of)) return of.map(plain)
    if (typeof of !== 'object' || of === null) return null
    const members = Object.entries(of).filter(([, one]) => one !== undefined)
    return Object.fromEntries(members.map(([name, one]) => [name, plain(one)]))
  }
  return nodeSha256(canonicalJson(plain(value)))
}

const outcomeOf = ({ effectSha256, devicesMax }: ApprovalRow) => ({
  effectSha256: hexEncode(effectSha256),
  devicesMax,
})

async function ask(tx: WriteTx, row: ApprovalRow, now: Date): Promise<Passage> {
  const since = new Date(now.getTime() - approvalMs)
  if ((await db.countRequestsSince(tx, row.principal, since)) >= askedMax) {
    throw new Refusal<ApprovalRefusal>(
      'approvals_too_many',
      `you have asked ${askedMax} times within ${approvalMs / hourMs} hours: wait, or repeat a call that is open already`,
    )
  }
  if ((await db.countOpenApprovals(tx, row.principal, now)) >= openMax) {
    throw new Refusal<ApprovalRefusal>(
      'approvals_too_many',
      `${openMax} of your requests wait already: withdraw some, or wait until they are decided`,
    )
  }
  await db.forgetApprovals(tx, row.principal, closedKept, now)
  await db.insertApproval(tx, row)
  const detail = {
    action: row.action,
    about: row.subject,
    effectSha256: hexEncode(row.effectSha256),
    devicesMax: row.devicesMax,
    principal: row.principal,
    expiresAt: formatInstant(row.expiresAt),
  }
  const entry = { action: 'approval.request', subject: row.id, detail }
  return { isOpen: false, entry, ...required(row) }
}

function required({ id }: ApprovalRow) {
  return {
    refusal: new ApprovalNeededRefusal(
      'approval_required',
      `another person must approve this first: ${id} says what would happen; repeat the same call once it is approved`,
      id,
    ),
  }
}

async function close(
  tx: WriteTx,
  row: ApprovalRow,
  state: 'void' | 'expired',
  reason: string | null,
): Promise<void> {
  await db.updateApproval(tx, { ...row, state, reason: reason ?? row.reason })
}

function needsPerson(): Refusal<ApprovalRefusal> {
  return new Refusal<ApprovalRefusal>(
    'approval_needs_person',
    'this needs another person’s approval, and this token goes back to no person, or to an account that owners have not taken in yet, so that nobody is another one: use a token that a person has made',
  )
}
