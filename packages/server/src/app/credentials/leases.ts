/**
 * Leases: who asks for a stored credential and why, who has it, and until when. What is handed out
 * is made in `opening.ts`, after the lease is on record.
 */
import type { LeaseView } from '@seaworthy/api/leases'
import { permissionsOf } from '@seaworthy/fleet/access'
import { hexEncode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import { quoted } from '@seaworthy/std/printable'
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs, formatInstant, secondMs } from '@seaworthy/std/time'
import { readApprovalPolicy } from '../../db/approvals.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { LeaseEnd, LeaseRow } from '../../db/leases.ts'
import * as db from '../../db/leases.ts'
import type { StoredCredentialRow } from '../../db/stored-credentials.ts'
import { getStoredCredential, lockStoredCredential } from '../../db/stored-credentials.ts'
import type { Actor, Current } from '../access/index.ts'
import { grantOf } from '../access/index.ts'
import type { App } from '../app.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import type { LeaseRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { readPage, viewPage } from '../paging.ts'
import { requireCredentialKey } from './envelope.ts'
import { requireFound, requireReach } from './stored-credentials.ts'

/** The time to have it approved and to open it. */
export const requestMs = 2 * dayMs
const requestsMax = 100
const accountBytes = 10

type LeaseState = LeaseView['state']

function stateOf({ endedAt, openedAt, expiresAt, requestedAt }: LeaseRow, now: Date): LeaseState {
  if (endedAt !== null) return 'ended'
  if (openedAt !== null) return expiresAt!.getTime() > now.getTime() ? 'open' : 'ended'
  return requestedAt.getTime() + requestMs > now.getTime() ? 'requested' : 'ended'
}

/** The holder of a lease: a person, or the line of a token, which stays when it is refreshed. */
function holderOf(actor: Actor): string {
  return actor.kind === 'token' ? actor.token.line : actor.id
}

/**
 * Asks for a credential. Nothing is handed out yet. Throws `out_of_scope`,
 * `stored_credential_not_found`, `leases_too_many`.
 */
export async function requestLease(
  app: Pick<App, 'random'>,
  tx: WriteTx,
  actor: Current,
  wanted: { readonly credential: string; readonly reason: string; readonly seconds: number },
): Promise<LeaseRow> {
  requireReach(actor)
  const { credential, reason, seconds } = wanted
  const { id: credentialId } = requireFound(await lockStoredCredential(tx, credential), credential)
  const now = await tx.now()
  const requestedBy = holderOf(actor)
  const since = new Date(now.getTime() - dayMs)
  if ((await db.countLeasesSince(tx, requestedBy, since)) >= requestsMax) {
    throw new Refusal<LeaseRefusal>(
      'leases_too_many',
      `you have asked for ${requestsMax} leases within 24 hours: wait, or open one that you have`,
    )
  }
  const row: LeaseRow = {
    ...{ id: newId('lease', now, app.random), credential, credentialId, reason, seconds },
    ...{ requestedBy, requestedAt: now, version: null, openedAt: null, expiresAt: null },
    ...{ endedAt: null, endedBy: null, endReason: null },
    ...{ account: null, accountMadeAt: null, accountGoneAt: null, accountFailedAt: null },
  }
  await db.insertLease(tx, row)
  return row
}

/** A lease that may be opened now, and what it would hand out, both locked. */
async function requireOpenable(
  app: Pick<App, 'credentialKey'>,
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<{ readonly lease: LeaseRow; readonly credential: StoredCredentialRow }> {
  requireReach(actor)
  requireCredentialKey(app)
  const lease = requireLease(await db.lockLease(tx, id))
  if (lease.requestedBy !== holderOf(actor)) throw notOwn()
  const state = stateOf(lease, await tx.now())
  if (state !== 'requested') {
    throw new Refusal<LeaseRefusal>(
      'lease_closed',
      `this lease is ${state} already, and hands out nothing a second time: request another one`,
    )
  }
  const credential = await getStoredCredential(tx, lease.credential)
  if (credential?.id !== lease.credentialId) requireFound(undefined, lease.credential)
  return { lease, credential: credential! }
}

/** Whoever may replace a credential could have stored it, and may end the leases of others. */
const mayReplace = (actor: Actor) => permissionsOf(grantOf(actor)).includes('credential:write')

/** What is handed out, for whoever must approve it. Throws what `openLease` throws. */
export async function leaseEffect(
  app: Pick<App, 'credentialKey'>,
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<GuardedEffect<'credential-lease'>> {
  const { lease, credential } = await requireOpenable(app, tx, actor, id)
  const { name, version, target, memberOf } = credential
  return {
    kind: 'credential-lease',
    devicesMax: null,
    words: [
      target === null || memberOf === null
        ? `Would hand out the credential ${name}, for ${describeSpan(lease.seconds)}; whoever has seen it knows it until it is replaced.`
        : `Would hand out an account of its own in the PostgreSQL ${target}, a member of ${memberOf}, made with the credential ${name}, for ${describeSpan(lease.seconds)}.`,
      `The reason given: ${quoted(lease.reason)}`,
    ],
    inputs: { credential: credential.id, version, requestedBy: lease.requestedBy },
    needs: { permission: 'credential:lease', fleet: null },
  }
}

function describeSpan(seconds: number): string {
  const minutes = seconds / 60
  if (seconds % 3600 === 0) return seconds === 3600 ? 'one hour' : `${seconds / 3600} hours`
  return seconds % 60 === 0 && minutes < 600 ? `${minutes} minutes` : `${seconds} seconds`
}

/**
 * Records that the credential is handed out; `handOut` does it. Throws `lease_not_found`,
 * `lease_not_own`, `lease_closed`, `lease_needs_rule`, and what `requestLease` throws.
 */
export async function openLease(
  app: Pick<App, 'credentialKey' | 'random'>,
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<{ readonly lease: LeaseRow; readonly credential: StoredCredentialRow }> {
  const { lease, credential } = await requireOpenable(app, tx, actor, id)
  await requireRule(tx, actor)
  const now = await tx.now()
  const opened: LeaseRow = {
    ...lease,
    version: credential.version,
    openedAt: now,
    expiresAt: new Date(now.getTime() + lease.seconds * secondMs),
    account:
      credential.kind === 'postgresql'
        ? `seaworthy_lease_${hexEncode(app.random.bytes(accountBytes))}`
        : null,
  }
  await db.updateLease(tx, opened)
  return { lease: opened, credential }
}

/**
 * Without the rule that another person agrees, a credential is handed out only to those who could
 * replace it. Throws `lease_needs_rule`.
 */
async function requireRule(tx: ReadTx, actor: Current): Promise<void> {
  if ((await readApprovalPolicy(tx))?.credentialLease === true) return
  if (mayReplace(actor)) return
  throw new Refusal<LeaseRefusal>(
    'lease_needs_rule',
    'nobody has to agree to leases here, so that only owners and admins have them: ask an owner for the rule that another person approves each lease',
  )
}

/**
 * Ends a lease before its time: its holder, or whoever may replace credentials. Throws
 * `lease_not_found`, `lease_not_own`, `lease_closed`.
 */
export async function endLease(tx: WriteTx, actor: Current, id: string): Promise<LeaseRow> {
  requireReach(actor)
  const lease = requireLease(await db.lockLease(tx, id))
  const isOwn = lease.requestedBy === holderOf(actor)
  if (!isOwn && !mayReplace(actor)) throw notOwn()
  const now = await tx.now()
  const state = stateOf(lease, now)
  if (state === 'ended') {
    throw new Refusal<LeaseRefusal>('lease_closed', 'this lease has ended already')
  }
  const held: LeaseEnd = isOwn ? 'returned' : 'revoked'
  return finishLease(tx, lease, state === 'requested' && isOwn ? 'withdrawn' : held, actor.id, now)
}

/** Writes the end of a lease that is locked. */
export async function finishLease(
  tx: WriteTx,
  lease: LeaseRow,
  endReason: LeaseEnd,
  endedBy: string,
  now: Date,
): Promise<LeaseRow> {
  const ended = { ...lease, endedAt: now, endedBy, endReason }
  await db.updateLease(tx, ended)
  return ended
}

function requireLease(lease: LeaseRow | undefined): LeaseRow {
  if (lease !== undefined) return lease
  throw new Refusal<LeaseRefusal>('lease_not_found', 'no such lease, or it ended long ago')
}

function notOwn(): Refusal<LeaseRefusal> {
  return new Refusal<LeaseRefusal>(
    'lease_not_own',
    'somebody else has asked for this lease, or you did with another credential of yours',
  )
}

/** Throws `out_of_scope`. */
export async function listLeases(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & {
    readonly credential?: string | undefined
    readonly state?: LeaseState | undefined
  },
  now: Date,
): Promise<Page<LeaseView>> {
  requireReach(actor)
  const { after = null, credential = null, state = null } = query
  const askedSince = new Date(now.getTime() - requestMs)
  const page = await readPage(
    query,
    (limit) => db.listLeases(tx, { after, limit, credential, state, now, askedSince }),
    ({ id }) => id,
  )
  return viewPage(page, (row) => viewLease(row, now))
}

export function viewLease(row: LeaseRow, now: Date): LeaseView {
  const { id, credential, reason, seconds, requestedBy, version, account } = row
  const hasExpired = row.endedAt === null && stateOf(row, now) === 'ended'
  return {
    ...{ id, credential, reason, seconds, requestedBy, version, account },
    state: stateOf(row, now),
    requestedAt: formatInstant(row.requestedAt),
    openedAt: instantOrNull(row.openedAt),
    expiresAt: instantOrNull(row.expiresAt),
    endedAt: instantOrNull(row.endedAt),
    endedBy: row.endedBy,
    endReason: hasExpired ? 'expired' : row.endReason,
    accountGoneAt: instantOrNull(row.accountGoneAt),
  }
}
