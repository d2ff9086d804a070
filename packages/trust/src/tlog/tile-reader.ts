/**
 * Reads a log that a stranger serves. Tiles are not believed: proofs made of them are checked
 * against a signed root, and entries are handed out only after their bundle was proved to be under
 * that root.
 */
import { equalBytes } from '@seaworthy/std/bytes'
import { hashEdge, type LogEdge } from './append.ts'
import { LogError } from './codes.ts'
import { hashLength, hashLeaf, hashTree, type Sha256 } from './merkle.ts'
import { climbToRoot, planInclusion, readRanges, type ReadNodes } from './proofs.ts'
import {
  countAtLevel,
  countTileLevels,
  entryBundleBytesMax,
  formatTilePath,
  locateNode,
  parseEntryBundle,
  parseTile,
  type Tile,
  tileAt,
  tileBytesMax,
  tileWidth,
  hashWithinTile,
} from './tiles.ts'

/**
 * Fetches a file below the log's prefix, `undefined` where there is none. Must stop at `bytesMax`
 * bytes with an error of its own; what it throws goes through to the caller.
 */
export type FetchLogFile = (path: string, bytesMax: number) => Promise<Uint8Array | undefined>

/** A log at one size. `root` is signed; everything else comes from `fetch`. */
export interface LogSource {
  readonly size: number
  readonly root: Uint8Array
  readonly fetch: FetchLogFile
  readonly sha256: Sha256
}

const cachedTilesMax = 64

/**
 * Reads tree nodes out of tiles, and caches the tiles used last. Throws `tile_missing` and
 * `tile_malformed`.
 */
export function createNodeReader({
  size,
  fetch,
  sha256,
}: Pick<LogSource, 'size' | 'fetch' | 'sha256'>): ReadNodes {
  const cached = new Map<string, Promise<Uint8Array[]>>()
  const readHashes = (tile: Tile) => {
    const path = formatTilePath(tile)
    const hashes =
      cached.get(path) ??
      fetchTile(fetch, tile, tileBytesMax).then((file) =>
        parseTile(file.bytes, file.width).slice(0, tile.width),
      )
    // Setting it again puts it last, so that the first key is always the one longest unused.
    cached.delete(path)
    cached.set(path, hashes)
    if (cached.size > cachedTilesMax) cached.delete(cached.keys().next().value!)
    return hashes
  }
  return (nodes) =>
    Promise.all(
      nodes.map(async (node) => {
        const { tile, first, count } = locateNode(node, size)
        return hashWithinTile(sha256, await readHashes(tile), first, count)
      }),
    )
}

/**
 * A partial tile may have been removed once the full one exists; then its beginning is what was
 * asked for.
 */
async function fetchTile(
  fetch: FetchLogFile,
  tile: Tile,
  bytesMax: number,
): Promise<{ bytes: Uint8Array; width: number }> {
  for (const width of new Set([tile.width, tileWidth])) {
    const bytes = await fetch(formatTilePath({ ...tile, width }), bytesMax)
    if (bytes && bytes.length > bytesMax) {
      throw new LogError('tile_malformed', `a tile has at most ${bytesMax} bytes`)
    }
    if (bytes) return { bytes, width }
  }
  throw new LogError('tile_missing', `${formatTilePath(tile)} is not served`)
}

/** One entry that the checkpoint was made over. */
export interface LogEntry {
  readonly index: number
  readonly bytes: Uint8Array
}

/**
 * The entries from `firstIndex` to the end, each bundle proved before any of its entries is given.
 * Memory is bounded by one bundle. Throws `entry_mismatch`, `tile_missing`, `tile_malformed`.
 */
export async function* readEntries(
  source: LogSource,
  firstIndex: number,
): AsyncGenerator<LogEntry> {
  const { size, root, fetch, sha256 } = source
  const read = createNodeReader(source)
  for (let bundle = Math.floor(firstIndex / tileWidth); bundle * tileWidth < size; bundle++) {
    const tile = tileAt('entries', bundle, size)!
    const file = await fetchTile(fetch, tile, entryBundleBytesMax)
    const entries = parseEntryBundle(file.bytes, file.width).slice(0, tile.width)
    const start = bundle * tileWidth
    const steps = planInclusion({ start, end: start + tile.width }, size)
    const siblings = await readRanges(
      sha256,
      read,
      steps.map((s) => s.sibling),
    )
    const bundleHash = hashTree(
      sha256,
      entries.map((entry) => hashLeaf(sha256, entry)),
    )
    if (!equalBytes(climbToRoot(sha256, bundleHash, steps, siblings), root)) {
      throw new LogError('entry_mismatch', 'entries are not the ones the checkpoint was made over')
    }
    for (const [offset, bytes] of entries.entries()) {
      if (start + offset >= firstIndex) yield { index: start + offset, bytes }
    }
  }
}

/**
 * The edge from which appending to a log that is stored as tiles goes on. Throws `tile_mismatch`
 * when the edge does not give the root.
 */
export async function readLogEdge(source: LogSource): Promise<LogEdge> {
  const { size, root, fetch, sha256 } = source
  const tiles: Uint8Array[] = []
  for (let level = 0; level < countTileLevels(size); level++) {
    const tile = tileAt(level, Math.floor(countAtLevel(level, size) / tileWidth), size)
    const file = tile && (await fetchTile(fetch, tile, tileBytesMax))
    if (file) parseTile(file.bytes, file.width)
    tiles.push(tile && file ? file.bytes.slice(0, tile.width * hashLength) : new Uint8Array())
  }
  const edge: LogEdge = { size, tiles }
  if (!equalBytes(hashEdge(sha256, edge), root)) {
    throw new LogError('tile_mismatch', 'the stored tiles do not give the log’s root')
  }
  return edge
}
