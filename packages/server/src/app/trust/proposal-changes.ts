/** What a proposal changes, in the words that signers read. */
import type { ProposalChangesView } from '@seaworthy/api/proposals'
import type { CurrentMetadata, Proposal, Release } from '@seaworthy/trust/tuf'
import { describeProposal, listReleases, roleKindOf } from '@seaworthy/trust/tuf'
import type { Actor } from '../access/index.ts'
import type { App } from '../app.ts'
import { describeReleaseChanges } from '../content/index.ts'
import { currentOf, findProposal } from './proposals.ts'

/** The most releases of one proposal whose content is looked at. */
const releasesMax = 10

/** Describes it against what is signed now. Throws `proposal_not_found`, `out_of_scope`. */
export async function describeProposalChanges(
  app: Pick<App, 'contentReads' | 'db' | 'store' | 'trust'>,
  actor: Actor,
  proposalId: string,
  leaving: AbortSignal | undefined,
): Promise<ProposalChangesView> {
  const { row, proposal } = await findProposal(app.db.reader, actor, proposalId)
  const current = currentOf(await app.trust.freshState())
  const documents = await describeProposal(proposal, current)
  const releases: ProposalChangesView['releases'] = []
  const proposed = row.state === 'open' ? listProposed(proposal, current) : []
  for (const { release, before } of proposed.slice(0, releasesMax)) {
    const changes = await describeReleaseChanges(
      app,
      before && readable(before),
      readable(release),
      leaving,
    )
    const { product, version, channel } = release
    releases.push({ product, version, channel, from: before?.version ?? null, changes })
  }
  return { documents, releases, releasesCount: proposed.length }
}

function readable({ product, version, sha256 }: Release) {
  return { product, version, digest: `sha256:${sha256}` }
}

/** Releases that the proposal adds to a channel, each with the one that the channel has now. */
function listProposed({ documents }: Proposal, current: CurrentMetadata) {
  return documents.flatMap(({ role, signed }) => {
    if (roleKindOf(role)?.kind !== 'channel' || signed._type !== 'targets') return []
    const metadata = current.roles.get(role)?.signed
    const listed = metadata === undefined ? [] : listReleases(metadata).releases
    return listReleases(signed)
      .releases.filter(({ path }) => !listed.some((release) => release.path === path))
      .map((release) => ({ release, before: listed[0] }))
  })
}
