/**
 * Proposals: metadata that waits for offline signatures. The format of the document is defined in
 * `trust`; here it is only carried.
 */
import { z } from 'zod'
import { idField, instant, pageOf, pageQuery, text } from './fields.ts'
import { changesView } from './release-contents.ts'
import { defineRoute } from './route.ts'

export const proposalState = z.enum(['open', 'applied', 'rejected', 'outdated'])

const proposalDocument = z.record(z.string(), z.unknown())

export const proposalView = z.object({
  id: idField('proposal'),
  /** `trust-init`, `product-create`, `channel-create`, `publish`, `withdraw`, `rotate`, `renew` */
  kind: z.string(),
  title: z.string(),
  state: proposalState,
  createdAt: instant,
  createdBy: z.string(),
  /** Who signed each document, and how many signatures it needs. */
  roles: z.array(
    z.object({
      role: z.string(),
      version: z.number().int(),
      signedKeyIds: z.array(z.string()),
      threshold: z.number().int(),
      complete: z.boolean(),
    }),
  ),
  complete: z.boolean(),
})
export type ProposalView = z.output<typeof proposalView>

const proposalParams = z.strictObject({ proposalId: idField('proposal') })
const proposalBytesMax = 8 * 1024 * 1024

export const createProposal = defineRoute({
  name: 'proposal.create',
  method: 'POST',
  path: '/v1/proposals',
  auth: 'actor',
  summary: 'Store a proposal built and checked by the CLI. The server checks it again.',
  body: z.strictObject({ proposal: proposalDocument }),
  bodyBytesMax: proposalBytesMax,
  reply: proposalView,
  status: 201,
})

export const listProposals = defineRoute({
  name: 'proposal.list',
  method: 'GET',
  path: '/v1/proposals',
  auth: 'actor',
  summary: 'List proposals, newest first.',
  query: pageQuery.extend({ state: proposalState.optional() }),
  reply: pageOf(proposalView),
})

export const showProposal = defineRoute({
  name: 'proposal.show',
  method: 'GET',
  path: '/v1/proposals/:proposalId',
  auth: 'actor',
  summary: 'Show one proposal with its documents and the signatures so far.',
  params: proposalParams,
  reply: z.object({ view: proposalView, proposal: proposalDocument }),
})

const proposalChanges = z.object({
  /** What the documents would change, entry by entry. */
  documents: z.array(z.string()),
  /** Releases that an open proposal adds, the first 10, compared with those that devices have. */
  releases: z.array(
    z.object({
      product: z.string(),
      version: z.string(),
      channel: z.string(),
      /** The newest release of the channel; null where it has none. */
      from: z.string().nullable(),
      changes: changesView,
    }),
  ),
  releasesCount: z.number().int(),
})
export type ProposalChangesView = z.output<typeof proposalChanges>

export const showProposalChanges = defineRoute({
  name: 'proposal.changes',
  method: 'GET',
  path: '/v1/proposals/:proposalId/changes',
  auth: 'actor',
  summary:
    'Show what a proposal changes, as this server reads it. Signers compute it on their own machines.',
  params: proposalParams,
  reply: proposalChanges,
})

export const addProposalSignatures = defineRoute({
  name: 'proposal.sign',
  method: 'POST',
  path: '/v1/proposals/:proposalId/signatures',
  auth: 'actor',
  summary:
    'Add signatures (the `seaworthy-signatures-v1` file). Each is verified before it is stored.',
  params: proposalParams,
  body: z.strictObject({ signatures: proposalDocument }),
  bodyBytesMax: 256 * 1024,
  reply: proposalView,
})

export const applyProposal = defineRoute({
  name: 'proposal.apply',
  method: 'POST',
  path: '/v1/proposals/:proposalId/apply',
  auth: 'actor',
  summary:
    'Publish a complete proposal: its documents, a new snapshot and a new timestamp, in one transaction.',
  params: proposalParams,
  reply: proposalView,
})

export const rejectProposal = defineRoute({
  name: 'proposal.reject',
  method: 'POST',
  path: '/v1/proposals/:proposalId/reject',
  auth: 'actor',
  summary: 'Close a proposal for good without publishing it.',
  params: proposalParams,
  body: z.strictObject({ reason: text(1000, 1) }),
  reply: proposalView,
})
