import {
  approveRequest,
  listApprovals,
  rejectRequest,
  setApprovalPolicy,
  showApproval,
  showApprovalPolicy,
  withdrawRequest,
} from '@seaworthy/api/approvals'
import type { ApprovalView } from '@seaworthy/api/approvals'
import { requirePerson } from '../app/access/index.ts'
import * as approvals from '../app/approvals/index.ts'
import { audited, endsRights, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const approvalEndpoints: readonly Endpoint[] = [
  read(listApprovals, 'approval:read', (app, { actor, query, now }) =>
    approvals.listApprovals(app.db.reader, actor, query, now),
  ),
  read(showApproval, 'approval:read', (app, { actor, params, now }) =>
    approvals.showApproval(app.db.reader, actor, params.approvalId, now),
  ),
  audited(
    approveRequest,
    { permission: 'approval:decide', subject: ({ params }) => params.approvalId },
    async (_app, tx, { actor, params }) => {
      const view = await approvals.approveRequest(tx, requirePerson(actor), params.approvalId)
      return { reply: view, detail: factsOf(view) }
    },
  ),
  audited(
    rejectRequest,
    { permission: 'approval:decide', subject: ({ params }) => params.approvalId },
    async (_app, tx, { actor, params, body }) => {
      const { approvalId } = params
      const view = await approvals.rejectRequest(tx, actor, approvalId, body.reason)
      return { reply: view, detail: { ...factsOf(view), reason: body.reason } }
    },
  ),
  audited(
    withdrawRequest,
    { permission: 'approval:decide', subject: ({ params }) => params.approvalId },
    async (_app, tx, { actor, params }) => {
      const view = await approvals.withdrawRequest(tx, actor, params.approvalId)
      return { reply: view, detail: factsOf(view) }
    },
  ),
  read(showApprovalPolicy, 'approval:read', (app) => approvals.showPolicy(app.db.reader)),
  endsRights(
    setApprovalPolicy,
    {
      permission: 'owner:write',
      subject: () => 'approval-policy',
      effect: (_app, tx, { body }) => approvals.policyEffect(tx, body),
    },
    async (_app, tx, { actor, body }) => {
      const reply = await approvals.setPolicy(tx, actor, body)
      return { reply, detail: { ...body } }
    },
  ),
]

function factsOf({ action, subject, effectSha256, requestedBy }: ApprovalView) {
  return { action, about: subject, effectSha256, requestedBy: requestedBy.id }
}
