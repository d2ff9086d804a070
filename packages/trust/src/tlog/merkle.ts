/**
 * The Merkle tree of RFC 6962 section 2.1. Pure; SHA-256 comes as a function.
 * Sizes and indexes are whole numbers from 0 to 2^53 - 1, so no bit operators: they cut at 32 bits.
 */
import { invariant } from '@seaworthy/std/refusal'

/** SHA-256 of the bytes: always 32 new bytes. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

export const hashLength = 32

/** The complete subtree over the leaves `[index * 2^level, (index + 1) * 2^level)`. */
export interface TreeNode {
  readonly level: number
  readonly index: number
}

/** The leaves from `start` to `end`, `end` excluded. */
export interface LeafRange {
  readonly start: number
  readonly end: number
}

/** `SHA-256(0x00 || entry)`. */
export function hashLeaf(sha256: Sha256, entry: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(entry.length + 1)
  prefixed.set(entry, 1)
  return sha256(prefixed)
}

/** `SHA-256(0x01 || left || right)`. */
export function hashNode(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(1 + 2 * hashLength)
  joined[0] = 1
  joined.set(left, 1)
  joined.set(right, 1 + hashLength)
  return sha256(joined)
}

/** The root over leaf hashes: `MTH` of RFC 6962. No leaves give `SHA-256("")`. */
export function hashTree(sha256: Sha256, leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array())
  let row = leaves
  // Pairing row by row and carrying the odd one up is the same tree as splitting at powers of two.
  while (row.length > 1) {
    const above: Uint8Array[] = []
    for (let i = 0; i + 1 < row.length; i += 2) above.push(hashNode(sha256, row[i]!, row[i + 1]!))
    if (row.length % 2 === 1) above.push(row.at(-1)!)
    row = above
  }
  return row[0]!
}

/** Joins the hashes of neighbouring subtrees that `coverRange` named, right to left. */
export function foldHashes(sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array {
  invariant(hashes.length > 0, 'there is something to fold')
  return hashes.reduceRight((right, left) => hashNode(sha256, left, right))
}

/** The largest power of two below `size`, for `size` above 1. */
export function splitPoint(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

/**
 * The complete subtrees that make up a range, left to right, the largest first. The range must be a
 * node of some tree's splitting: it starts at a multiple of a power of two that is not below its
 * length.
 */
export function coverRange({ start, end }: LeafRange): TreeNode[] {
  const nodes: TreeNode[] = []
  let from = start
  while (from < end) {
    let level = 0
    while (2 ** (level + 1) <= end - from && from % 2 ** (level + 1) === 0) level++
    nodes.push({ level, index: from / 2 ** level })
    from += 2 ** level
  }
  return nodes
}
