/** The chain from the pinned root that lets a machine without network check a proposal. */
import { equalBytes } from '@seaworthy/std/bytes'
import { trustError } from './codes.ts'
import { wireJson } from './json.ts'
import { defaultTufLimits } from './metadata.ts'
import type { Envelope, Metadata, RootSigned, TargetsSigned } from './metadata.ts'
import { roleKindOf } from './names.ts'
import { parseMetadata } from './parse-metadata.ts'
import { ringAfter } from './proposal.ts'
import type { CurrentMetadata, Proposal, ProposalChain } from './proposal.ts'
import { verifyThreshold } from './threshold.ts'
import { TrustedSet } from './trusted-set.ts'

/**
 * The proposal with everything that is needed to check it without network: `roots` from the first
 * to the newest, and of `roles` those it touches, their delegators, and all channels of their
 * products, because counters count over all of them.
 */
export function withChain(
  proposal: Proposal,
  roots: readonly Metadata<RootSigned>[],
  roles: ReadonlyMap<string, Metadata<TargetsSigned>>,
): Proposal {
  const { intent } = proposal
  const touched = proposal.documents.map(({ role }) => role)
  if (intent.kind === 'rotate') touched.push(intent.role)
  const products = new Set(
    touched.flatMap((role) => {
      const kind = roleKindOf(role)
      return kind?.kind === 'product' || kind?.kind === 'channel' ? [kind.product] : []
    }),
  )
  const needed: Record<string, Envelope<TargetsSigned>> = {}
  for (const [role, metadata] of roles) {
    const kind = roleKindOf(role)
    const isNeeded =
      kind?.kind === 'targets' ||
      ((kind?.kind === 'product' || kind?.kind === 'channel') && products.has(kind.product))
    if (isNeeded) needed[role] = envelopeOf(metadata)
  }
  return { ...proposal, chain: { roots: roots.map(envelopeOf), roles: needed } }
}

function envelopeOf<S extends RootSigned | TargetsSigned>(metadata: Metadata<S>): Envelope<S> {
  return { signed: metadata.signed, signatures: metadata.signatures }
}

/**
 * Verifies a chain from the pinned root and returns what it proves to be current, as far as the
 * sender tells: it may be old, which versions show, but nobody but the right keys has signed it.
 * Expired metadata is accepted, because it has to be renewable. Throws `TrustError`.
 */
export async function verifyChain(
  anchor: Uint8Array,
  chain: ProposalChain,
): Promise<CurrentMetadata> {
  const limits = defaultTufLimits
  const roots = chain.roots.map((root) => wireJson(root))
  const from = roots.findIndex((bytes) => equalBytes(bytes, anchor))
  if (from < 0) throw trustError('root_chain_broken', 'the chain does not contain the pinned root')
  // No expiry is looked at here, so the time does not matter.
  const startAt = () => new Date(0)
  const set = await TrustedSet.fromRoot(anchor, { profile: 'strict', startAt, limits })
  for (const bytes of roots.slice(from + 1)) await set.updateRoot(bytes)
  const roles = new Map<string, Metadata<TargetsSigned>>()
  // `targets`, then products, then channels: a delegator comes before those it delegates to.
  const depth = (role: string) => (role === 'targets' ? 0 : role.split('.').length)
  const ordered = Object.entries(chain.roles).toSorted(([a], [b]) => depth(a) - depth(b))
  for (const [role, envelope] of ordered) {
    const metadata = await parseMetadata('targets', wireJson(envelope), 'strict')
    const ring = ringAfter(role, [], { root: set.root, roles })
    if (!ring) throw trustError('mix_and_match', `nobody in the chain delegates to ${role}`)
    await verifyThreshold(ring, metadata, role)
    roles.set(role, metadata)
  }
  return { root: set.root, roles }
}
