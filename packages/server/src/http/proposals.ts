import { cutText } from '@seaworthy/std/printable'
import {
  addProposalSignatures,
  applyProposal,
  createProposal,
  listProposals,
  rejectProposal,
  showProposal,
  showProposalChanges,
} from '@seaworthy/api/proposals'
import * as trust from '../app/trust/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const proposalEndpoints: readonly Endpoint[] = [
  audited(
    createProposal,
    {
      permission: 'proposal:write',
      subject: (call) => proposalIdOf(call.body.proposal),
      before: (app, { actor, body }, leaving) =>
        trust.verifySubmitted(app, actor, body.proposal, leaving),
    },
    async (app, tx, { actor, body }, ahead) => {
      const now = await tx.now()
      const stored = await trust.submitProposal(app, tx, actor, body.proposal, ahead, now)
      return {
        reply: await trust.viewProposal(stored, await app.trust.freshState()),
        detail: trust.describeProposalFacts(stored),
      }
    },
  ),
  read(listProposals, 'proposal:read', (app, { actor, query }) =>
    trust.listProposals(app, actor, query),
  ),
  read(showProposal, 'proposal:read', async (app, { actor, params }) => {
    const stored = await trust.findProposal(app.db.reader, actor, params.proposalId)
    const state = await app.trust.freshState()
    return {
      view: await trust.viewProposal(stored, state),
      proposal: trust.exportProposal(stored, state),
    }
  }),
  read(showProposalChanges, 'proposal:read', (app, { actor, params }, leaving) =>
    trust.describeProposalChanges(app, actor, params.proposalId, leaving?.()),
  ),
  audited(
    addProposalSignatures,
    { permission: 'proposal:write', subject: (call) => call.params.proposalId },
    async (app, tx, { actor, params, body }) => {
      const { proposalId } = params
      const stored = await trust.addSignatures(app, tx, actor, proposalId, body.signatures)
      return {
        reply: await trust.viewProposal(stored, await app.trust.freshState()),
        detail: { ...trust.describeProposalFacts(stored), signedBy: stored.signedBy },
      }
    },
  ),
  audited(
    applyProposal,
    {
      permission: 'proposal:apply',
      subject: (call) => call.params.proposalId,
      before: (app, { actor, params }, leaving) =>
        trust.verifyStored(app, actor, params.proposalId, leaving),
    },
    async (app, tx, { actor, params }, ahead) => {
      const applied = await trust.applyProposal(app, tx, actor, params.proposalId, ahead)
      return {
        reply: await trust.viewProposal(applied, app.trust.state()),
        detail: trust.describeProposalFacts(applied),
        afterCommit: () => app.trust.reload(),
      }
    },
  ),
  audited(
    rejectProposal,
    { permission: 'proposal:write', subject: (call) => call.params.proposalId },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const { proposalId } = params
      const stored = await trust.rejectProposal(tx, actor, proposalId, body.reason, now)
      return {
        reply: await trust.viewProposal(stored, await app.trust.freshState()),
        detail: { ...trust.describeProposalFacts(stored), reason: body.reason },
      }
    },
  ),
]

function proposalIdOf(proposal: Readonly<Record<string, unknown>>): string {
  const { id } = proposal
  return typeof id === 'string' ? cutText(id, 64) : 'unknown'
}
