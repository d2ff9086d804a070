/**
 * The audit log: entries, appended in the transaction of the action they record and never changed
 * afterwards, and the stored form of its tree, which is hashes by tile and the single newest
 * checkpoint.
 */
import { cutText } from '@seaworthy/std/printable'
import { formatInstant } from '@seaworthy/std/time'
import type { JsonValue } from '@seaworthy/trust/tuf'
import { canonicalJson } from '@seaworthy/trust/tuf'
import { bigintsOid } from './arrays.ts'
import { boundDetail } from './audit-detail.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { formatNote, noteOf } from './event-notes.ts'
import { notifyEvent } from './events.ts'

export interface AuditEntry {
  /** `token_…`, `device_…`, `provisioning_…`, `gateway_…`, `server` or `anonymous`. */
  readonly actor: string
  /** The name of the route, or of the server's own action, in the form `noun.verb`. */
  readonly action: string
  readonly subject: string
  readonly outcome: 'done' | 'refused' | 'alarm'
  /** Digests and short facts; never a secret. Numbers are integers. */
  readonly detail?: Readonly<Record<string, JsonValue>>
}

const subjectLengthMax = 300

/** The entry carries the transaction's time, as everything else that the transaction writes. */
export async function appendAudit(tx: WriteTx, entry: AuditEntry): Promise<void> {
  const { sql } = tx
  const bytes = canonicalJson({
    format: 'seaworthy-audit-v1',
    at: formatInstant(await tx.now()),
    actor: entry.actor,
    action: entry.action,
    subject: cutText(entry.subject, subjectLengthMax),
    outcome: entry.outcome,
    detail: boundDetail(entry.detail ?? {}),
  })
  await sql`insert into audit_entries (entry) values (${Buffer.from(bytes)})`
  await sql`select pg_notify('audit', '')`
  const note = noteOf(entry)
  if (note !== undefined) await notifyEvent(tx, formatNote(note))
}

export interface PendingEntry {
  readonly id: number
  readonly entry: Uint8Array
}

/** Entries without a place in the log, oldest first. */
export async function listPendingEntries({ sql }: ReadTx, max: number): Promise<PendingEntry[]> {
  return sql<PendingEntry[]>`
    select id, entry from audit_entries where leaf_index is null order by id limit ${max}`
}

export async function placeEntries(
  { sql }: WriteTx,
  ids: readonly number[],
  firstIndex: number,
): Promise<void> {
  const rows = await sql`
    update audit_entries a set leaf_index = ${firstIndex} + p.place - 1
    from unnest(${sql.array([...ids], bigintsOid)}) with ordinality as p (id, place)
    where a.id = p.id and a.leaf_index is null`
  if (rows.count !== ids.length) throw new Error('an audit entry was placed twice')
}

/**
 * Entries by their place in the log, from `firstIndex` up to but without `endIndex`. At most as
 * many as the range is long.
 */
export async function readEntries(
  { sql }: ReadTx,
  firstIndex: number,
  endIndex: number,
): Promise<Uint8Array[]> {
  const rows = await sql<{ entry: Uint8Array }[]>`
    select entry from audit_entries
    where leaf_index >= ${firstIndex} and leaf_index < ${endIndex} order by leaf_index`
  return rows.map((row) => row.entry)
}

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
