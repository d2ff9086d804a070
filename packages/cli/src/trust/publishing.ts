/** Has the server publish a proposal, and believes that it did only after verifying it. */
import { TrustError } from '@seaworthy/std/refusal'
import type { ProposalView } from '@seaworthy/api/proposals'
import { applyProposal } from '@seaworthy/api/proposals'
import { equalBytes } from '@seaworthy/std/bytes'
import type { Proposal } from '@seaworthy/trust/tuf'
import { canonicalJson, defaultTufLimits, parseMetadata } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError, doNotTrust } from '../failure.ts'
import type { Connection } from '../connection.ts'
import { ensureAnchor, rootDigestOf } from './anchor.ts'
import { createMetadataFetch, openForRoles } from './repository-view.ts'

/** How long processes and caches of a server may take until all of them show what was published. */
const visibleMsMax = 15_000
const visiblePollMs = 200

/**
 * Has the server publish, then verifies from our own anchor that what it serves is what was signed.
 */
export async function publishProposal(
  context: Context,
  connection: Connection,
  proposal: Proposal,
): Promise<ProposalView> {
  const view = await connection.client.call(applyProposal, { params: { proposalId: proposal.id } })
  if (view.state !== 'applied') return view
  const { clock, sleep, signal } = context.ports
  const startedMs = clock.monotonicMs()
  const isOver = () => clock.monotonicMs() - startedMs > visibleMsMax
  if (proposal.kind === 'trust-init') {
    while (!(await anchorFirstRoot(context, connection, proposal))) {
      if (isOver())
        throw new CliError('refused', 'the server does not serve the first root', {
          wayOut: doNotTrust,
        })
      await sleep(visiblePollMs, signal)
    }
  }
  for (;;) {
    let missing: string | undefined
    try {
      missing = await findUnpublished(context, connection, proposal)
    } catch (error) {
      // The server may be between two states, and serve a new root beside what an older one signed.
      if (!(error instanceof TrustError) || isOver()) throw error
      missing = proposal.title
    }
    if (missing === undefined) return view
    if (isOver()) {
      throw new CliError(
        'refused',
        `the server says it published ${missing}, but does not serve it`,
        { wayOut: doNotTrust },
      )
    }
    await sleep(visiblePollMs, signal)
  }
}

/**
 * Finds a role of the proposal that is still served in an older version. Throws when something else
 * is served in its place.
 */
async function findUnpublished(
  context: Context,
  connection: Connection,
  proposal: Proposal,
): Promise<string | undefined> {
  const { documents } = proposal
  const { current } = await openForRoles(context, connection, changedRoles(proposal))
  for (const { role, signed } of documents) {
    const served = role === 'root' ? current.root?.signed : current.roles.get(role)?.signed
    if (served === undefined || served.version < signed.version) return role
    if (served.version > signed.version) continue
    if (equalBytes(canonicalJson(served), canonicalJson(signed))) continue
    throw new CliError(
      'refused',
      `the server serves another ${role} than the one it was given to publish`,
      { wayOut: doNotTrust },
    )
  }
  return undefined
}

/**
 * Anchors trust in the first root without trust on first use: it must be the one of the proposal
 * that was looked at. Returns false while it is not served.
 */
async function anchorFirstRoot(
  context: Context,
  connection: Connection,
  proposal: Proposal,
): Promise<boolean> {
  if (connection.server.rootDigest !== undefined) return true
  const bytes = await createMetadataFetch(connection)('1.root.json', defaultTufLimits.rootBytesMax)
  if (bytes === undefined) return false
  const served = await parseMetadata('root', bytes, 'strict')
  const root = proposal.documents.find(({ role }) => role === 'root')
  const isSame =
    root !== undefined && equalBytes(canonicalJson(served.signed), canonicalJson(root.signed))
  if (!isSame)
    throw new CliError('refused', 'the first root that is served is not the one signed', {
      wayOut: doNotTrust,
    })
  await ensureAnchor(context, connection, rootDigestOf(served.bytes))
  context.say(
    `Trust is anchored at root sha256:${rootDigestOf(served.bytes)}. Give this digest to the others (seaworthy login … --root).`,
  )
  return true
}

export function changedRoles({ documents }: Proposal): string[] {
  return documents.map(({ role }) => role)
}
