/**
 * Appends to a log, in pure code. The edge is all that is needed to go on: the partial tile of
 * every level. The caller stores tiles and edge (or loads the edge from the tiles) and signs only
 * what is stored.
 */
import { joinBytes } from '@seaworthy/std/bytes'
import {
  coverRange,
  foldHashes,
  hashLength,
  hashTree,
  type Sha256,
  type TreeNode,
} from './merkle.ts'
import {
  countAtLevel,
  formatTilePath,
  hashWithinTile,
  locateNode,
  parseTile,
  tileWidth,
} from './tiles.ts'

/**
 * The right edge of a tree. `tiles[l]` are the hashes of the partial tile of level `l`; empty where
 * there is none.
 */
export interface LogEdge {
  readonly size: number
  readonly tiles: readonly Uint8Array[]
}

export const emptyLogEdge: LogEdge = { size: 0, tiles: [] }

/** A tile to be stored under its path; stored bytes of a path never change. */
export interface StoredTile {
  readonly path: string
  readonly bytes: Uint8Array
}

/**
 * Adds leaves at the end. `tiles` are those that the tree of the new size has and the old one had
 * not: every tile that became full and the partial tile of each level that changed.
 */
export function appendLeaves(
  sha256: Sha256,
  edge: LogEdge,
  leafHashes: readonly Uint8Array[],
): { edge: LogEdge; tiles: StoredTile[]; root: Uint8Array } {
  const size = edge.size + leafHashes.length
  const partials = [...edge.tiles]
  const stored: StoredTile[] = []
  let added = leafHashes
  for (let level = 0; added.length > 0; level++) {
    const before = partials[level] ?? new Uint8Array()
    const row = [...parseTile(before, before.length / hashLength), ...added]
    let index = Math.floor(countAtLevel(level, edge.size) / tileWidth)
    const completed: Uint8Array[] = []
    let from = 0
    for (; from + tileWidth <= row.length; from += tileWidth, index++) {
      const full = row.slice(from, from + tileWidth)
      stored.push({
        path: formatTilePath({ level, index, width: tileWidth }),
        bytes: joinBytes(full),
      })
      completed.push(hashTree(sha256, full))
    }
    const rest = row.slice(from)
    const partial = joinBytes(rest)
    partials[level] = partial
    if (rest.length > 0) {
      stored.push({ path: formatTilePath({ level, index, width: rest.length }), bytes: partial })
    }
    added = completed
  }
  const next: LogEdge = { size, tiles: partials }
  return { edge: next, tiles: stored, root: hashEdge(sha256, next) }
}

/** The root of the tree with this edge. */
export function hashEdge(sha256: Sha256, edge: LogEdge): Uint8Array {
  if (edge.size === 0) return hashTree(sha256, [])
  const hashAt = (node: TreeNode) => {
    const { tile, first, count } = locateNode(node, edge.size)
    const hashes = parseTile(edge.tiles[Number(tile.level)] ?? new Uint8Array(), tile.width)
    return hashWithinTile(sha256, hashes, first, count)
  }
  return foldHashes(sha256, coverRange({ start: 0, end: edge.size }).map(hashAt))
}
