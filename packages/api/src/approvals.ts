/**
 * Approvals by another person (A2): what the rules name is done only after somebody else, with the
 * right to do it themselves, has seen what would happen and said yes. A call that needs it answers
 * `approval_required` with the id of the request; the same call again, once it is approved, is
 * carried out.
 */
import { z } from 'zod'
import { idField, instant, pageOf, pageQuery, text } from './fields.ts'
import { defineRoute } from './route.ts'

const approvalParams = z.strictObject({ approvalId: idField('approval') })

const approvalState = z.enum([
  'pending',
  'approved',
  'rejected',
  'withdrawn',
  /** What was approved is not what would happen any more. */
  'void',
  'expired',
  'done',
])

export const approvalView = z.object({
  id: idField('approval'),
  state: approvalState,
  /** The route that was called, such as `rollout.create`. */
  action: z.string(),
  subject: z.string(),
  /** What will happen, one statement per line. */
  effect: z.array(z.string()),
  /** How many devices it may reach at most; null where it is not about devices. */
  devicesMax: z.number().int().min(0).nullable(),
  /** SHA-256 of the effect and of all that it depends on. */
  effectSha256: z.string(),
  /** The person who asks, themselves or by a credential that they handed out. */
  requestedBy: z.object({ id: z.string(), name: z.string().nullable() }),
  requestedAt: instant,
  /** The end of the time to decide, or of the time to carry out what was approved. */
  expiresAt: instant,
  decidedBy: z.object({ id: z.string(), name: z.string().nullable() }).nullable(),
  decidedAt: instant.nullable(),
  /** Why it was rejected, or became void. */
  reason: z.string().nullable(),
  /** Whether whoever reads this asked for it. */
  isOwn: z.boolean(),
  /** Whether whoever reads this may decide about it, with a browser and a fresh confirmation. */
  mayDecide: z.boolean(),
})
export type ApprovalView = z.output<typeof approvalView>

export const listApprovals = defineRoute({
  name: 'approval.list',
  method: 'GET',
  path: '/v1/approvals',
  auth: 'actor',
  summary: 'List requests for approval, newest first: one’s own, and those one could decide about.',
  query: pageQuery.extend({ state: z.enum(['open', 'closed']).optional() }),
  reply: pageOf(approvalView),
})

export const showApproval = defineRoute({
  name: 'approval.show',
  method: 'GET',
  path: '/v1/approvals/:approvalId',
  auth: 'actor',
  summary: 'Show one request for approval.',
  params: approvalParams,
  reply: approvalView,
})

export const approveRequest = defineRoute({
  name: 'approval.approve',
  method: 'POST',
  path: '/auth/approvals/:approvalId/approve',
  auth: 'session',
  stepUp: true,
  summary: 'Approve what another person asked for. It is carried out when they call it again.',
  params: approvalParams,
  reply: approvalView,
})

export const rejectRequest = defineRoute({
  name: 'approval.reject',
  method: 'POST',
  path: '/v1/approvals/:approvalId/reject',
  auth: 'actor',
  summary: 'Reject what another person asked for, or take back an approval not yet carried out.',
  params: approvalParams,
  body: z.strictObject({ reason: text(500, 1) }),
  reply: approvalView,
})

export const withdrawRequest = defineRoute({
  name: 'approval.withdraw',
  method: 'POST',
  path: '/v1/approvals/:approvalId/withdraw',
  auth: 'actor',
  summary: 'Withdraw one’s own request.',
  params: approvalParams,
  reply: approvalView,
})

/** What needs another person's approval. Where nothing does, there are no rules. */
export const approvalRules = z.strictObject({
  /**
   * What may bring another release to more devices than this: rollouts, and what a fleet follows.
   * Null: never.
   */
  releaseDevicesAbove: z.number().int().min(0).max(100_000_000).nullable(),
  deviceRemoval: z.boolean(),
  /** Each lease of a stored credential. */
  credentialLease: z.boolean(),
})

const policyView = z.object({
  rules: approvalRules,
  /** Null while nothing needs an approval. A change needs one, too, from then on. */
  since: instant.nullable(),
  setBy: z.string().nullable(),
})

export const showApprovalPolicy = defineRoute({
  name: 'approval-policy.show',
  method: 'GET',
  path: '/v1/approval-policy',
  auth: 'actor',
  summary: 'Show what needs another person’s approval.',
  reply: policyView,
})

export const setApprovalPolicy = defineRoute({
  name: 'approval-policy.set',
  method: 'PUT',
  path: '/auth/approval-policy',
  auth: 'session',
  stepUp: true,
  summary:
    'Say what needs another person’s approval; once something does, a change of that needs it too.',
  body: approvalRules,
  reply: policyView,
})
