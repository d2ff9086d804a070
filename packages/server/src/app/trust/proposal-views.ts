/** What people see of proposals, one by one and in lists. */
import type { ProposalView } from '@seaworthy/api/proposals'
import { maxOf } from '@seaworthy/std/numbers'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { CurrentMetadata, JsonValue, Proposal } from '@seaworthy/trust/tuf'
import { proposalProgress } from '@seaworthy/trust/tuf'
import type { ProposalState } from '../../db/proposals.ts'
import { getProposals, listProposalSizes } from '../../db/proposals.ts'
import type { Actor } from '../access/index.ts'
import { grantOf } from '../access/index.ts'
import type { App, TrustState } from '../app.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage, shortenPage } from '../paging.ts'
import { currentOf, readDocument, requireReachToRead } from './proposals.ts'
import type { StoredProposal } from './proposals.ts'
import { sha256Hex } from './trust-plane.ts'

/**
 * Lists proposals, newest first; those beyond the actor's scope are left out, and not read. A page
 * is shorter than asked for where its documents are large.
 */
export async function listProposals(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  query: PageQuery & { readonly state?: ProposalState | undefined },
): Promise<Page<ProposalView>> {
  const { after: before = null, state: wanted = null } = query
  const { products } = grantOf(actor)
  const page = shortenPage(
    await readPage(
      query,
      (limit) => listProposalSizes(app.db.reader, { before, state: wanted, products, limit }),
      (row) => row.id,
    ),
  )
  const rows = await getProposals(
    app.db.reader,
    page.items.map(({ id }) => id),
  )
  const state = await app.trust.freshState()
  const items: ProposalView[] = []
  for (const row of rows) {
    const proposal = await readDocument(row)
    if (isReached(actor, proposal)) items.push(await viewProposal({ row, proposal }, state))
  }
  return { items, next: page.next }
}

function isReached(actor: Actor, proposal: Proposal): boolean {
  try {
    requireReachToRead(actor, proposal)
    return true
  } catch (error) {
    if (error instanceof Refusal && error.code === 'out_of_scope') return false
    throw error
  }
}

/** What a person sees of a proposal; thresholds are counted again each time. */
export async function viewProposal(
  { row, proposal }: StoredProposal,
  state: TrustState | undefined,
): Promise<ProposalView> {
  const progress = await proposalProgress(proposal, currentBefore(proposal, row.state, state))
  const roles = proposal.documents.map(({ role, signed, signatures }) => {
    const own = progress.filter((entry) => entry.role === role)
    return {
      role,
      version: signed.version,
      signedKeyIds: signatures.map(({ keyid }) => keyid),
      threshold: maxOf(
        own.map(({ threshold }) => threshold),
        0,
      ),
      complete: row.state === 'applied' || (own.length > 0 && own.every(({ isMet }) => isMet)),
    }
  })
  return {
    id: row.id,
    kind: row.kind,
    title: row.title,
    state: row.state,
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
    roles,
    complete: roles.every(({ complete }) => complete),
  }
}

/**
 * The metadata that a proposal is compared with. For an applied root proposal, the old keys are
 * those of the root before it.
 */
function currentBefore(
  proposal: Proposal,
  rowState: ProposalState,
  state: TrustState | undefined,
): CurrentMetadata {
  const current = currentOf(state)
  if (rowState !== 'applied' || state === undefined) return current
  const replaced = proposal.base['root']?.version
  const root = state.roots.find(({ signed }) => signed.version === replaced)
  return root === undefined ? current : { ...current, root }
}

/** Facts for the audit entry: what exactly was proposed, signed or published. */
export function describeProposalFacts({
  row,
  proposal,
}: StoredProposal): Record<string, JsonValue> {
  return {
    kind: row.kind,
    sha256: sha256Hex(row.document),
    roles: proposal.documents.map(({ role, signed }) => `${role}/${signed.version}`),
  }
}
