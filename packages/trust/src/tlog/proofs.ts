/** Proofs of inclusion and consistency (RFC 6962 sections 2.1.1 and 2.1.2). Pure. */
import { equalBytes } from '@seaworthy/std/bytes'
import { invariant } from '@seaworthy/std/refusal'
import { LogError } from './codes.ts'
import type { LeafRange, Sha256, TreeNode } from './merkle.ts'
import { coverRange, foldHashes, hashLength, hashNode, hashTree, splitPoint } from './merkle.ts'

/**
 * One step up from a subtree to its parent: on which side its sibling stands, and what that spans.
 */
export interface ProofStep {
  readonly side: 'left' | 'right'
  readonly sibling: LeafRange
}

/** The steps from the subtree `range` up to the root of a tree of `size` leaves, lowest first. */
export function planInclusion(range: LeafRange, size: number): ProofStep[] {
  const steps: ProofStep[] = []
  let [start, end] = [0, size]
  while (start !== range.start || end !== range.end) {
    invariant(range.start >= start && range.end <= end && end - start > 1, 'a subtree of this tree')
    const middle = start + splitPoint(end - start)
    if (range.end <= middle) {
      steps.unshift({ side: 'right', sibling: { start: middle, end } })
      end = middle
    } else {
      invariant(range.start >= middle, 'a subtree of this tree')
      steps.unshift({ side: 'left', sibling: { start, end: middle } })
      start = middle
    }
  }
  return steps
}

/** The proof that the first `oldSize` leaves of a tree of `newSize` have a root of their own. */
export interface ConsistencyPlan {
  /** The subtree that both trees share at the right edge of the old one. */
  readonly shared: LeafRange
  /** It is the whole old tree, whose root the verifier has: RFC 6962 leaves it out of the proof. */
  readonly sharedIsOldRoot: boolean
  readonly steps: readonly ProofStep[]
}

/** Needs `0 < oldSize <= newSize` (RFC 6962 section 2.1.2). */
export function planConsistency(oldSize: number, newSize: number): ConsistencyPlan {
  invariant(oldSize > 0 && oldSize <= newSize, 'the old tree is a beginning of the new one')
  const steps: ProofStep[] = []
  let [start, end] = [0, newSize]
  while (end !== oldSize) {
    const middle = start + splitPoint(end - start)
    if (oldSize <= middle) {
      steps.unshift({ side: 'right', sibling: { start: middle, end } })
      end = middle
    } else {
      steps.unshift({ side: 'left', sibling: { start, end: middle } })
      start = middle
    }
  }
  return { shared: { start, end }, sharedIsOldRoot: start === 0, steps }
}

/** The root that a subtree's hash leads to. `siblings` belongs to `steps`, hash by hash. */
export function climbToRoot(
  sha256: Sha256,
  hash: Uint8Array,
  steps: readonly ProofStep[],
  siblings: readonly Uint8Array[],
): Uint8Array {
  return steps.reduce(
    (below, { side }, i) =>
      side === 'left'
        ? hashNode(sha256, siblings[i]!, below)
        : hashNode(sha256, below, siblings[i]!),
    hash,
  )
}

/** Both roots that the shared subtree of a consistency plan leads to. */
export function climbToRoots(
  sha256: Sha256,
  shared: Uint8Array,
  steps: readonly ProofStep[],
  siblings: readonly Uint8Array[],
): { oldRoot: Uint8Array; newRoot: Uint8Array } {
  let oldRoot = shared
  for (const [i, { side }] of steps.entries()) {
    if (side === 'left') oldRoot = hashNode(sha256, siblings[i]!, oldRoot)
  }
  return { oldRoot, newRoot: climbToRoot(sha256, shared, steps, siblings) }
}

/** Reads hashes of complete subtrees; the answer has the order of the question. */
export type ReadNodes = (nodes: readonly TreeNode[]) => Promise<Uint8Array[]>

/** The hash of each range, in order; one read for all of them. */
export async function readRanges(
  sha256: Sha256,
  read: ReadNodes,
  ranges: readonly LeafRange[],
): Promise<Uint8Array[]> {
  const covers = ranges.map(coverRange)
  const hashes = await read(covers.flat())
  let offset = 0
  return covers.map((cover) => foldHashes(sha256, hashes.slice(offset, (offset += cover.length))))
}

/** The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 section 2.1.1). */
export function proveInclusion(
  sha256: Sha256,
  read: ReadNodes,
  index: number,
  size: number,
): Promise<Uint8Array[]> {
  requireLeaf(index, size)
  const steps = planInclusion({ start: index, end: index + 1 }, size)
  return readRanges(
    sha256,
    read,
    steps.map((s) => s.sibling),
  )
}

/**
 * The consistency proof between two sizes of one log (RFC 6962 section 2.1.2). From size 0 it is
 * empty.
 */
export async function proveConsistency(
  sha256: Sha256,
  read: ReadNodes,
  oldSize: number,
  newSize: number,
): Promise<Uint8Array[]> {
  requireSizes(oldSize, newSize)
  if (oldSize === 0) return []
  const { shared, sharedIsOldRoot, steps } = planConsistency(oldSize, newSize)
  const ranges = steps.map((s) => s.sibling)
  return readRanges(sha256, read, sharedIsOldRoot ? ranges : [shared, ...ranges])
}

/**
 * Throws `proof_malformed` or `inclusion_refuted` unless the leaf stands at `index` under `root`.
 */
export function verifyInclusion(
  sha256: Sha256,
  claim: { leafHash: Uint8Array; index: number; size: number; root: Uint8Array },
  proof: readonly Uint8Array[],
): void {
  requireLeaf(claim.index, claim.size)
  requireHashes([claim.leafHash, claim.root, ...proof])
  const steps = planInclusion({ start: claim.index, end: claim.index + 1 }, claim.size)
  requireLength(proof, steps.length)
  if (!equalBytes(climbToRoot(sha256, claim.leafHash, steps, proof), claim.root)) {
    throw new LogError('inclusion_refuted', 'the entry is not in the log at that position')
  }
}

/** Throws `proof_malformed` or `consistency_refuted` unless the new tree extends the old one. */
export function verifyConsistency(
  sha256: Sha256,
  claim: { oldSize: number; oldRoot: Uint8Array; newSize: number; newRoot: Uint8Array },
  proof: readonly Uint8Array[],
): void {
  const { oldSize, oldRoot, newSize, newRoot } = claim
  requireSizes(oldSize, newSize)
  requireHashes([oldRoot, newRoot, ...proof])
  const refuted = () =>
    new LogError('consistency_refuted', 'the newer tree does not contain the older one')
  if (oldSize === 0) {
    requireLength(proof, 0)
    if (!equalBytes(oldRoot, hashTree(sha256, []))) throw refuted()
    if (newSize === 0 && !equalBytes(newRoot, oldRoot)) throw refuted()
    return
  }
  const { sharedIsOldRoot, steps } = planConsistency(oldSize, newSize)
  requireLength(proof, steps.length + (sharedIsOldRoot ? 0 : 1))
  const shared = sharedIsOldRoot ? oldRoot : proof[0]!
  const siblings = sharedIsOldRoot ? proof : proof.slice(1)
  const found = climbToRoots(sha256, shared, steps, siblings)
  if (!equalBytes(found.oldRoot, oldRoot) || !equalBytes(found.newRoot, newRoot)) throw refuted()
}

function requireSizes(smaller: number, larger: number): void {
  if (!Number.isSafeInteger(smaller) || !Number.isSafeInteger(larger) || smaller < 0) {
    throw new LogError('proof_malformed', 'tree sizes are whole numbers from 0 to 2^53 - 1')
  }
  if (smaller > larger) {
    throw new LogError('proof_malformed', 'the proof is about more leaves than the tree has')
  }
}

function requireLeaf(index: number, size: number): void {
  requireSizes(index, size)
  if (index === size) throw new LogError('proof_malformed', 'the tree has no such leaf')
}

function requireHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.some((h) => h.length !== hashLength)) {
    throw new LogError('proof_malformed', 'a hash has 32 bytes')
  }
}

function requireLength(proof: readonly Uint8Array[], length: number): void {
  if (proof.length !== length) {
    throw new LogError('proof_malformed', `the proof has ${proof.length} hashes, not ${length}`)
  }
}
