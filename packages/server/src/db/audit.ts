/**
 * Audit entries, appended in the transaction of the action they record. They are never changed
 * afterwards.
 */
import { cutText } from '@seaworthy/std/printable'
import type { JsonValue } from '@seaworthy/trust/tuf'
import { canonicalJson } from '@seaworthy/trust/tuf'
import { formatInstant } from '@seaworthy/std/time'
import { bigintsOid } from './arrays.ts'
import { boundDetail } from './audit-detail.ts'
import type { ReadTx, WriteTx } from './connection.ts'

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
