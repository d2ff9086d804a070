/** Requests for approval as people see them and decide about them. */
import type { ApprovalView } from '@seaworthy/api/approvals'
import type { AccessRefusal, ApprovalRefusal } from '@seaworthy/fleet/access'
import {
  hasRight,
  mayDecide,
  permissionsOf,
  requireApprover,
  requireRejecter,
  stateOf,
} from '@seaworthy/fleet/access'
import { hexEncode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import * as db from '../../db/approvals.ts'
import type { ListedApproval } from '../../db/approvals.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current, PersonActor } from '../access/index.ts'
import { grantOf, requireOwnFactor } from '../access/index.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { readPage, viewPage } from '../paging.ts'
import { approvalMs } from './gate.ts'

/** Lists the actor's own requests and those that they reach, newest first. */
export async function listApprovals(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly state?: 'open' | 'closed' | undefined },
  now: Date,
): Promise<Page<ApprovalView>> {
  const reader = await readerOf(tx, actor)
  const { products, fleets } = reader.grant
  const permissions = permissionsOf(reader.grant)
  const asked = {
    ...{ products, fleets, permissions, now },
    isAuditor: permissions.includes('log:read'),
    principal: reader.principal ?? null,
    state: query.state ?? null,
  }
  const page = await readPage(
    query,
    (limit) => db.listApprovals(tx, { ...asked, after: query.after ?? null, limit }),
    ({ id }) => id,
  )
  return viewPage(page, (row) => viewApproval(row, reader, now))
}

/** Throws `approval_not_found`, `out_of_scope`. */
export async function showApproval(
  tx: ReadTx,
  actor: Actor,
  id: string,
  now: Date,
): Promise<ApprovalView> {
  const reader = await readerOf(tx, actor)
  return viewApproval(requireSeen(await db.getApproval(tx, id), reader), reader, now)
}

interface Reader {
  readonly principal: string | undefined
  readonly grant: ReturnType<typeof grantOf>
}

async function readerOf(tx: ReadTx, actor: Actor): Promise<Reader> {
  return { principal: await db.findPrincipal(tx, actor.id), grant: grantOf(actor) }
}

/** Throws `approval_not_found`, `out_of_scope`. */
function requireSeen(
  row: ListedApproval | undefined,
  { principal, grant }: Reader,
): ListedApproval {
  if (row === undefined) {
    throw new Refusal<ApprovalRefusal>(
      'approval_not_found',
      'no such request, or it was closed long ago',
    )
  }
  const isSeen =
    row.principal === principal ||
    hasRight(grant, row.needs) ||
    hasRight(grant, { ...row.needs, permission: 'log:read' })
  if (isSeen) return row
  throw new Refusal<AccessRefusal>('out_of_scope', 'this request is about what you do not reach')
}

async function lockSeen(
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<{ row: ListedApproval; reader: Reader }> {
  const reader = await readerOf(tx, actor)
  return { row: requireSeen(await db.lockApproval(tx, id), reader), reader }
}

/**
 * Approves it for as long as a request is open. Throws `approval_not_found`, `out_of_scope`,
 * `approval_own`, `permission_denied`, `passkey_needed`, `approval_closed`.
 */
export async function approveRequest(
  tx: WriteTx,
  actor: Current<PersonActor>,
  id: string,
): Promise<ApprovalView> {
  const { row, reader } = await lockSeen(tx, actor, id)
  requireApprover(row, reader)
  requireOwnFactor(actor, 'an approval is not taken')
  const now = await tx.now()
  requireState(row, ['pending'], now)
  const expiresAt = new Date(now.getTime() + approvalMs)
  const after = { ...row, state: 'approved', decidedBy: actor.id, decidedAt: now } as const
  return store(tx, { ...after, expiresAt, decidedByName: actor.person.name }, reader, now)
}

/**
 * Rejects it, also after it was approved, while it is not carried out. Throws
 * `approval_not_found`, `out_of_scope`, `approval_own`, `permission_denied`, `approval_closed`.
 */
export async function rejectRequest(
  tx: WriteTx,
  actor: Current,
  id: string,
  reason: string,
): Promise<ApprovalView> {
  const { row, reader } = await lockSeen(tx, actor, id)
  requireRejecter(row, reader)
  const now = await tx.now()
  requireState(row, ['pending', 'approved'], now)
  const after = { ...row, state: 'rejected', decidedBy: actor.id, decidedAt: now, reason } as const
  await db.updateApproval(tx, after)
  return viewApproval((await db.getApproval(tx, id))!, reader, now)
}

/** Throws `approval_not_found`, `out_of_scope`, `approval_not_own`, `approval_closed`. */
export async function withdrawRequest(
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<ApprovalView> {
  const { row, reader } = await lockSeen(tx, actor, id)
  if (row.principal !== reader.principal) {
    throw new Refusal<ApprovalRefusal>(
      'approval_not_own',
      'somebody else asks for this: reject it, if you may decide about it',
    )
  }
  const now = await tx.now()
  requireState(row, ['pending', 'approved'], now)
  return store(tx, { ...row, state: 'withdrawn' }, reader, now)
}

function requireState(
  row: ListedApproval,
  wanted: readonly ('pending' | 'approved')[],
  now: Date,
): void {
  const state = stateOf(row, now)
  if (wanted.some((one) => one === state)) return
  throw new Refusal<ApprovalRefusal>(
    'approval_closed',
    `this request is ${state} already${state === 'expired' ? ': whoever asked repeats the call' : ''}`,
  )
}

async function store(
  tx: WriteTx,
  row: ListedApproval,
  reader: Reader,
  now: Date,
): Promise<ApprovalView> {
  await db.updateApproval(tx, row)
  return viewApproval(row, reader, now)
}

function viewApproval(row: ListedApproval, reader: Reader, now: Date): ApprovalView {
  const state = stateOf(row, now)
  return {
    id: row.id,
    state,
    action: row.action,
    subject: row.subject,
    effect: [...row.effect],
    devicesMax: row.devicesMax,
    effectSha256: hexEncode(row.effectSha256),
    requestedBy: { id: row.principal, name: row.principalName },
    requestedAt: formatInstant(row.requestedAt),
    expiresAt: formatInstant(row.expiresAt),
    decidedBy: row.decidedBy === null ? null : { id: row.decidedBy, name: row.decidedByName },
    decidedAt: instantOrNull(row.decidedAt),
    reason: row.reason,
    isOwn: row.principal === reader.principal,
    mayDecide: (state === 'pending' || state === 'approved') && mayDecide(row, reader),
  }
}
