/** Leases of stored credentials (A8): asked for with a reason, opened once, and over by then. */
import { z } from 'zod'
import { idField, instant, nameField, pageOf, pageQuery, text } from './fields.ts'
import { defineRoute } from './route.ts'

const leaseParams = z.strictObject({ leaseId: idField('lease') })

const leaseState = z.enum(['requested', 'open', 'ended'])

const leaseView = z.object({
  id: idField('lease'),
  /** The name of the credential, which may have been removed since. */
  credential: nameField,
  state: leaseState,
  reason: z.string(),
  seconds: z.number().int(),
  /** A person, or the first of a line of tokens that were refreshed. */
  requestedBy: z.string(),
  requestedAt: instant,
  /** The version that was handed out. */
  version: z.number().int().nullable(),
  openedAt: instant.nullable(),
  expiresAt: instant.nullable(),
  endedAt: instant.nullable(),
  endedBy: z.string().nullable(),
  /** Null also for a request that nobody opened in time. */
  endReason: z.enum(['withdrawn', 'returned', 'revoked', 'expired', 'failed']).nullable(),
  /** The account that was made for this lease alone. */
  account: z.string().nullable(),
  /** When that account was found to be gone. */
  accountGoneAt: instant.nullable(),
})
export type LeaseView = z.output<typeof leaseView>

export const listLeases = defineRoute({
  name: 'lease.list',
  method: 'GET',
  path: '/v1/leases',
  auth: 'actor',
  summary: 'List leases of stored credentials, newest first.',
  query: pageQuery.extend({ credential: nameField.optional(), state: leaseState.optional() }),
  reply: pageOf(leaseView),
})

export const requestLease = defineRoute({
  name: 'lease.request',
  method: 'POST',
  path: '/v1/leases',
  auth: 'actor',
  summary: 'Ask for a stored credential, with the reason. Nothing is handed out yet.',
  body: z.strictObject({
    credential: nameField,
    reason: text(120, 1),
    seconds: z.number().int().min(60).max(604_800),
  }),
  reply: leaseView,
  status: 201,
})

export const openLease = defineRoute({
  name: 'lease.open',
  method: 'POST',
  path: '/v1/leases/:leaseId/open',
  auth: 'actor',
  stepUp: true,
  summary:
    'Get what the lease is of, once. Where the rules say so, another person must approve it first.',
  params: leaseParams,
  reply: z.object({
    lease: leaseView,
    /** The value, or the URL of the PostgreSQL with the account for this lease, as Base64. */
    value: z.string(),
  }),
})

export const endLease = defineRoute({
  name: 'lease.end',
  method: 'POST',
  path: '/v1/leases/:leaseId/end',
  auth: 'actor',
  summary: 'End a lease before its time: one’s own, or with the right to replace credentials, any.',
  params: leaseParams,
  reply: leaseView,
})
