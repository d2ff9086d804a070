/**
 * The audit log as a Merkle tree: rows become leaves in order, tiles and the signed checkpoint are
 * stored in the same transaction, and only what is stored is ever served. The previous state is
 * verified before it is extended: a database whose tiles do not give the signed root gets no
 * further signature.
 */
import { createHash } from 'node:crypto'
import { utf8Encode } from '@seaworthy/std/bytes'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import type { LogEdge, NoteSigner, StoredTile, Tile, TreeHead } from '@seaworthy/trust/tlog'
import {
  appendLeaves,
  encodeEntryBundle,
  emptyLogEdge,
  hashEdge,
  hashLeaf,
  LogError,
  parseTilePath,
  readLogEdge,
  signCheckpoint,
  tileWidth,
  verifyCheckpoint,
} from '@seaworthy/trust/tlog'
import type { LogState } from '../../db/audit-log.ts'
import {
  listPendingEntries,
  lockLogState,
  placeEntries,
  readEntries,
  readLogState,
  readTileHashes,
  writeLogState,
  writeTileHashes,
} from '../../db/audit-log.ts'
import type { Db, ReadTx, WriteTx } from '../../db/connection.ts'
import type { ServerRefusal } from '../refusals.ts'

const hashBytes = 32
const batchMax = 1000

export const nodeSha256 = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update(bytes).digest()

export interface LogKeeper {
  readonly signer: NoteSigner
  readonly origin: string
}

/** The log begins empty, and that is signed too. */
export async function createLog(tx: WriteTx, keeper: LogKeeper, now: Date): Promise<void> {
  const root = hashEdge(nodeSha256, emptyLogEdge)
  const checkpoint = await signCheckpoint({ origin: keeper.origin, size: 0, root }, [keeper.signer])
  await writeLogState(tx, { size: 0, root, checkpoint, signedAt: now })
}

/**
 * The stored head, after its own signature was verified. Throws `LogError` on another origin, size
 * or root.
 */
export async function verifyLogState(state: LogState, keeper: LogKeeper): Promise<TreeHead> {
  const head = await verifyCheckpoint(utf8Encode(state.checkpoint), {
    origin: keeper.origin,
    logKeys: [keeper.signer.key],
    witnesses: [],
    witnessesMin: 0,
  })
  const isSame = head.size === state.size && Buffer.from(head.root).equals(state.root)
  invariant(isSame, 'the stored checkpoint is of the stored size and root')
  return head
}

/**
 * Gives up to `batchMax` waiting entries their places; answers the new head, or `undefined` when
 * nothing waited. Throws `log_truncated` when the stored log is shorter than the one remembered.
 * The row of the state is locked until the commit, so that there is never a second checkpoint for a
 * size.
 */
export async function sequenceEntries(
  db: Db,
  keeper: LogKeeper,
  remembered: TreeHead | undefined,
  now: Date,
): Promise<(TreeHead & { isMore: boolean }) | undefined> {
  const waiting = await listPendingEntries(db.reader, 1)
  if (waiting.length === 0) return undefined
  return db.write(async (tx) => {
    const state = await lockLogState(tx)
    invariant(state !== undefined, 'the log was created at the first start')
    const before = await verifyLogState(state, keeper)
    if (before.size < (remembered?.size ?? 0)) {
      throw new LogError('log_truncated', 'the stored log is shorter than it was before')
    }
    const entries = await listPendingEntries(tx, batchMax)
    if (entries.length === 0) return undefined
    const edge = await loadEdge(tx, before)
    const leaves = entries.map(({ entry }) => hashLeaf(nodeSha256, entry))
    const appended = appendLeaves(nodeSha256, edge, leaves)
    await placeEntries(
      tx,
      entries.map(({ id }) => id),
      before.size,
    )
    for (const tile of appended.tiles) await storeTile(tx, tile)
    const head = { origin: keeper.origin, size: appended.edge.size, root: appended.root }
    await writeLogState(tx, {
      size: head.size,
      root: head.root,
      checkpoint: await signCheckpoint(head, [keeper.signer]),
      signedAt: now,
    })
    return { ...head, isMore: entries.length === batchMax }
  })
}

function loadEdge(tx: ReadTx, head: TreeHead): Promise<LogEdge> {
  if (head.size === 0) return Promise.resolve(emptyLogEdge)
  return readLogEdge({
    size: head.size,
    root: head.root,
    sha256: nodeSha256,
    fetch: (path) => readHashTile(tx, parseTilePath(path)),
  })
}

async function storeTile(tx: WriteTx, { path, bytes }: StoredTile): Promise<void> {
  const tile = parseTilePath(path)
  invariant(tile !== undefined && tile.level !== 'entries', 'appending makes tiles of hashes')
  await writeTileHashes(tx, { level: tile.level, index: tile.index, hashes: bytes })
}

/** A narrower tile is the beginning of the stored one. */
async function readHashTile(tx: ReadTx, tile: Tile | undefined): Promise<Uint8Array | undefined> {
  if (tile === undefined || tile.level === 'entries') return undefined
  const hashes = await readTileHashes(tx, tile.level, tile.index)
  const length = tile.width * hashBytes
  return hashes === undefined || hashes.length < length ? undefined : hashes.subarray(0, length)
}

/** A file below `/log/tile/`, or `undefined` when the log has no such tile. */
export async function readLogTile(tx: ReadTx, path: string): Promise<Uint8Array | undefined> {
  const tile = parseTilePath(path)
  if (tile?.level !== 'entries') return readHashTile(tx, tile)
  const first = tile.index * tileWidth
  const entries = await readEntries(tx, first, first + tile.width)
  return entries.length < tile.width ? undefined : encodeEntryBundle(entries)
}

/** The newest signed checkpoint. Throws `log_unavailable` before the first start is through. */
export async function readCheckpoint(tx: ReadTx): Promise<LogState> {
  const state = await readLogState(tx)
  if (state !== undefined) return state
  throw new Refusal<ServerRefusal>('log_unavailable', 'there is no checkpoint yet')
}
