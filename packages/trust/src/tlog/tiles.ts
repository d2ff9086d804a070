/**
 * Where the hashes and entries of a log lie: C2SP tlog-tiles. Pure: coordinates, paths, encodings.
 */
import { LogError } from './codes.ts'
import { foldHashes, hashLength, hashTree, type Sha256, type TreeNode } from './merkle.ts'

/** Hashes in a full tile, and entries in a full bundle. */
export const tileWidth = 256
/** Levels of the tree that one tile holds. */
const tileHeight = 8
/** A tile of 64 levels would hold more leaves than there are whole numbers. */
const tileLevelMax = 6
/** An entry's length is written in two bytes. */
const entryBytesMax = 65_535
export const tileBytesMax = tileWidth * hashLength
export const entryBundleBytesMax = tileWidth * (2 + entryBytesMax)

/**
 * `level` is a tile level (8 tree levels each) or the entries themselves; `width` below 256 is
 * partial.
 */
export interface Tile {
  readonly level: number | 'entries'
  readonly index: number
  readonly width: number
}

/** `tile/0/x001/x234/067`, with `.p/W` for a partial one; relative to the log's prefix. */
export function formatTilePath({ level, index, width }: Tile): string {
  const groups = [String(index % 1000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  }
  const partial = width === tileWidth ? '' : `.p/${width}`
  return `tile/${level}/${groups.join('/')}${partial}`
}

/** The inverse of `formatTilePath`; any other path gives `undefined` (a server answers 404). */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(
    path,
  )
  if (!match) return undefined
  const tile: Tile = {
    level: match[1] === 'entries' ? 'entries' : Number(match[1]),
    index: Number(match[2]!.replaceAll(/[x/]/g, '')),
    width: match[3] === undefined ? tileWidth : Number(match[3]),
  }
  // Only the one spelling: leading zeros, empty leading groups and width 256 do not come back the
  // same.
  return formatTilePath(tile) === path ? tile : undefined
}

/** How many hashes (or entries) of a level exist in a tree of `size` leaves. */
export function countAtLevel(level: Tile['level'], size: number): number {
  return level === 'entries' ? size : Math.floor(size / tileWidth ** level)
}

/**
 * The tile with this level and index as a tree of `size` has it, or `undefined` where it has none.
 */
export function tileAt(level: Tile['level'], index: number, size: number): Tile | undefined {
  const width = Math.min(tileWidth, countAtLevel(level, size) - index * tileWidth)
  return width > 0 && (level === 'entries' || level <= tileLevelMax)
    ? { level, index, width }
    : undefined
}

/** The number of levels, counted from 0, on which a tree of `size` has tiles. */
export function countTileLevels(size: number): number {
  let levels = 0
  while (countAtLevel(levels, size) > 0) levels++
  return levels
}

/**
 * The tile of a tree of `size` from which the node's hash is computed, and the hashes in it that
 * are needed.
 */
export function locateNode(
  { level, index }: TreeNode,
  size: number,
): { tile: Tile; first: number; count: number } {
  const tileLevel = Math.floor(level / tileHeight)
  const count = 2 ** (level % tileHeight)
  const first = (index * count) % tileWidth
  const tile = tileAt(tileLevel, Math.floor((index * count) / tileWidth), size)
  if (!tile || first + count > tile.width) {
    throw new LogError('proof_malformed', 'a node outside of the tree')
  }
  return { tile, first, count }
}

/**
 * Cuts a tile's bytes into hashes. Throws `tile_malformed` unless there are exactly `width` of
 * them.
 */
export function parseTile(bytes: Uint8Array, width: number): Uint8Array[] {
  if (bytes.length !== width * hashLength) {
    throw new LogError('tile_malformed', `a tile of width ${width} has ${width * hashLength} bytes`)
  }
  return Array.from({ length: width }, (_, i) => bytes.slice(i * hashLength, (i + 1) * hashLength))
}

/** The hash of the complete subtree over `count` (a power of two) hashes of a tile. */
export function hashWithinTile(
  sha256: Sha256,
  hashes: readonly Uint8Array[],
  first: number,
  count: number,
): Uint8Array {
  return count === 1
    ? foldHashes(sha256, [hashes[first]!])
    : hashTree(sha256, hashes.slice(first, first + count))
}

/**
 * Entries with their lengths in front. More than 256, or one above 65,535 bytes, throws
 * `tile_malformed`.
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (entries.length === 0 || entries.length > tileWidth) {
    throw new LogError('tile_malformed', 'a bundle has 1 to 256 entries')
  }
  const bundle = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0))
  const view = new DataView(bundle.buffer)
  let offset = 0
  for (const entry of entries) {
    if (entry.length > entryBytesMax) {
      throw new LogError('tile_malformed', `an entry has at most ${entryBytesMax} bytes`)
    }
    view.setUint16(offset, entry.length)
    bundle.set(entry, offset + 2)
    offset += 2 + entry.length
  }
  return bundle
}

/** Throws `tile_malformed` unless the bytes are exactly `width` entries. */
export function parseEntryBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Uint8Array[] = []
  let offset = 0
  while (entries.length < width) {
    if (offset + 2 > bytes.length) throw new LogError('tile_malformed', 'the bundle ends too early')
    const end = offset + 2 + view.getUint16(offset)
    if (end > bytes.length) throw new LogError('tile_malformed', 'an entry ends behind the bundle')
    entries.push(bytes.slice(offset + 2, end))
    offset = end
  }
  if (offset !== bytes.length) {
    throw new LogError('tile_malformed', 'bytes behind the last entry of the bundle')
  }
  return entries
}
