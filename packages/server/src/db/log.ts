/** The stored form of the audit log's tree: hashes by tile, and the single newest checkpoint. */
import type { ReadTx, WriteTx } from './connection.ts'

export interface LogState {
  readonly size: number
  readonly root: Uint8Array
  /** The checkpoint as a signed note. */
  readonly checkpoint: string
  readonly signedAt: Date
}

export async function readLogState({ sql }: ReadTx): Promise<LogState | undefined> {
  const [row] = await sql<LogState[]>`
    select size, root, checkpoint, signed_at as "signedAt" from log_state`
  return row
}

/**
 * The same state, locked until the end of the transaction: checkpoints are signed one after the
 * other, so that there are never two for one size.
 */
export async function lockLogState({ sql }: WriteTx): Promise<LogState | undefined> {
  const [row] = await sql<LogState[]>`
    select size, root, checkpoint, signed_at as "signedAt" from log_state for update`
  return row
}

export async function writeLogState({ sql }: WriteTx, state: LogState): Promise<void> {
  await sql`
    insert into log_state (size, root, checkpoint, signed_at)
    values (${state.size}, ${Buffer.from(state.root)}, ${state.checkpoint}, ${state.signedAt})
    on conflict (only_row) do update
    set size = excluded.size, root = excluded.root, checkpoint = excluded.checkpoint,
      signed_at = excluded.signed_at`
}

/** The hashes of a tile as far as they are known: a wider tile begins with every narrower one. */
export async function readTileHashes(
  { sql }: ReadTx,
  level: number,
  index: number,
): Promise<Uint8Array | undefined> {
  const [row] = await sql<{ hashes: Uint8Array }[]>`
    select hashes from log_tiles where level = ${level} and index = ${index}`
  return row?.hashes
}

export async function writeTileHashes(
  { sql }: WriteTx,
  tile: { level: number; index: number; hashes: Uint8Array },
): Promise<void> {
  await sql`
    insert into log_tiles (level, index, hashes)
    values (${tile.level}, ${tile.index}, ${Buffer.from(tile.hashes)})
    on conflict (level, index) do update set hashes = excluded.hashes`
}
