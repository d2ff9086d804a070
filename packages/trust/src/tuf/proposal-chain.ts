/** The chain from the pinned root that lets a machine without network check a proposal. */
import { equalBytes } from '@seaworthy/std/bytes'
import type { ClientState } from './client-state.ts'
import { isTrustError, trustError } from './codes.ts'
import { wireJson } from './json.ts'
import { defaultTufLimits } from './metadata.ts'
import type { Envelope, Metadata, RootSigned, TargetsSigned } from './metadata.ts'
import { delegatorOf, roleKindOf } from './names.ts'
import { parseMetadata } from './parse-metadata.ts'
import { ringAfter } from './proposal.ts'
import type { CurrentMetadata, Proposal, ProposalChain } from './proposal.ts'
import { listReleases } from './release.ts'
import { findSigners, verifyThreshold } from './threshold.ts'
import type { KeyRing } from './threshold.ts'
import { TrustedSet } from './trusted-set.ts'
import { VersionMarks } from './version-marks.ts'

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
  if (intent.kind === 'product-retire') touched.push(intent.product)
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

/** What a machine has verified by itself, as its client stores it. */
export type KnownMetadata = Pick<ClientState, 'roots' | 'roles' | 'marks'>

export interface VerifiedChain extends CurrentMetadata {
  readonly root: Metadata<RootSigned>
  /** Whether what this machine has verified was brought to bear: it is of the same repository. */
  readonly isKnown: boolean
  /** Roles (and `root`) of which this machine knows a newer version than the chain brings. */
  readonly newer: readonly string[]
}

/**
 * Verifies a chain from the pinned root and returns what it proves to be current. Where `known` is
 * of the same repository, nothing older than that counts: the newest root of both says who signs,
 * a role that is known in a newer version is taken in that one, and marks hold. Else it is current
 * as far as the sender tells: it may be old, which versions show, but nobody but the right keys has
 * signed it. Expired metadata is accepted, because it has to be renewable. Throws `TrustError`.
 */
export async function verifyChain(
  anchor: Uint8Array,
  chain: ProposalChain,
  known: readonly KnownMetadata[] = [],
): Promise<VerifiedChain> {
  const limits = defaultTufLimits
  const roots = chain.roots.map((root) => wireJson(root))
  const from = roots.findIndex((bytes) => equalBytes(bytes, anchor))
  if (from < 0) throw trustError('root_chain_broken', 'the chain does not contain the pinned root')
  // No expiry is looked at here, so the time does not matter.
  const startAt = () => new Date(0)
  const set = await TrustedSet.fromRoot(anchor, { profile: 'strict', startAt, limits })
  const verified = new Map([[set.root.signed.version, set.root.bytes]])
  for (const bytes of roots.slice(from + 1)) {
    await set.updateRoot(bytes)
    verified.set(set.root.signed.version, set.root.bytes)
  }
  const brought = set.root.signed.version
  const ours: KnownMetadata[] = []
  for (const one of known) if (await liftRoot(set, verified, one)) ours.push(one)
  const newer = set.root.signed.version > brought ? ['root'] : []
  const roles = new Map<string, Metadata<TargetsSigned>>()
  const given = new Map(Object.entries(chain.roles))
  for (const role of byDepth([...given.keys(), ...ours.flatMap(offlineRoles)])) {
    const ring = ringAfter(role, [], { root: set.root, roles })
    const envelope = given.get(role)
    if (!ring) {
      if (!envelope) continue
      throw trustError('mix_and_match', `nobody in the chain delegates to ${role}`)
    }
    const held = await findHeld(role, ring, ours)
    const offered = envelope && (await parseMetadata('targets', wireJson(envelope), 'strict'))
    if (held && (!offered || offered.signed.version < held.signed.version)) {
      if (offered) newer.push(role)
      roles.set(role, held)
    } else if (offered) {
      await verifyThreshold(ring, offered, role)
      await refuseOlder(role, { ring, offered, held }, ours)
      roles.set(role, offered)
    }
  }
  return { root: set.root, roles, isKnown: ours.length > 0, newer }
}

/** `targets`, then products, then channels: a delegator comes before those it delegates to. */
function byDepth(names: readonly string[]): string[] {
  const depth = (role: string) => (role === 'targets' ? 0 : role.split('.').length)
  return [...new Set(names)].toSorted((a, b) => depth(a) - depth(b))
}

/** The stored roles that a chain can bring. */
function offlineRoles({ roles }: KnownMetadata): string[] {
  return [...roles.keys()].filter((role) => role !== 'timestamp' && role !== 'snapshot')
}

/**
 * Goes on to the newest root that is known, where one of the known is among those verified, or
 * follows upon them. Returns false for roots of another repository. Throws `root_chain_broken` for
 * two roots of one version in the same repository.
 */
async function liftRoot(
  set: TrustedSet,
  verified: Map<number, Uint8Array>,
  known: KnownMetadata,
): Promise<boolean> {
  const own: { version: number; bytes: Uint8Array }[] = []
  for (const bytes of known.roots) {
    const { signed } = await parseMetadata('root', bytes, 'strict')
    own.push({ version: signed.version, bytes })
  }
  const isSame = ({ version, bytes }: (typeof own)[number]) => {
    const other = verified.get(version)
    return other && equalBytes(other, bytes)
  }
  const isOurs = own.some((root) => isSame(root) === true)
  const forked = own.find((root) => isSame(root) === false)
  if (forked !== undefined) {
    if (!isOurs) return false
    throw trustError(
      'root_chain_broken',
      `root ${forked.version} is another than the one that was verified here`,
    )
  }
  for (const { version, bytes } of own) {
    if (version <= set.root.signed.version) continue
    try {
      await set.updateRoot(bytes)
    } catch (error) {
      // Roots that do not follow upon these are of another repository.
      if (isOurs || !isTrustError(error)) throw error
      return false
    }
    verified.set(version, bytes)
  }
  return own.some((root) => isSame(root) === true)
}

/** The newest known version of a role that the keys of `ring` have signed. */
async function findHeld(
  role: string,
  ring: KeyRing,
  known: readonly KnownMetadata[],
): Promise<Metadata<TargetsSigned> | undefined> {
  let newest: Metadata<TargetsSigned> | undefined
  for (const { roles } of known) {
    const bytes = roles.get(role)
    if (!bytes) continue
    const held = await parseMetadata('targets', bytes, 'strict')
    if (newest && newest.signed.version >= held.signed.version) continue
    if ((await findSigners(ring, held.signedBytes, held.signatures)).length < ring.role.threshold)
      continue
    newest = held
  }
  return newest
}

/** Throws where the role is not as new as the marks, or another than the one of its version. */
async function refuseOlder(
  role: string,
  {
    ring,
    offered,
    held,
  }: { ring: KeyRing; offered: Metadata<TargetsSigned>; held: Metadata<TargetsSigned> | undefined },
  known: readonly KnownMetadata[],
): Promise<void> {
  const { version } = offered.signed
  if (held?.signed.version === version && !equalBytes(held.signedBytes, offered.signedBytes)) {
    throw trustError(
      'mix_and_match',
      `${role} ${version} is another than the one that was verified here`,
    )
  }
  const delegated = { ...ring, delegator: delegatorOf(role)! }
  for (const one of known) {
    const marks = new VersionMarks(one.marks ?? new Map(), () => {})
    await marks.refuseOlder(role, delegated, version)
    const { floor } = listReleases(offered.signed)
    const highest = await marks.floorFor(role, delegated)
    if (floor >= highest) continue
    throw trustError(
      'rollback',
      `${role} ${version} has the floor ${floor} after ${highest}, which was verified here`,
    )
  }
}
