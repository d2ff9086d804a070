/** Proposals as they were submitted, with the signatures so far. */
import type { ReadTx, WriteTx } from './connection.ts'

export type ProposalState = 'open' | 'applied' | 'rejected' | 'outdated'

export interface ProposalRow {
  readonly id: string
  readonly kind: string
  readonly title: string
  readonly state: ProposalState
  /** The roles that the document changes. */
  readonly roles: readonly string[]
  /** The proposal as canonical JSON. */
  readonly document: Uint8Array
  readonly createdAt: Date
  readonly createdBy: string
}

const columns = (sql: ReadTx['sql']) => sql`
  id, kind, title, state, roles, document, created_at as "createdAt", created_by as "createdBy"`

export async function insertProposal({ sql }: WriteTx, row: ProposalRow): Promise<boolean> {
  const inserted = await sql`
    insert into proposals (id, kind, title, state, roles, document, created_at, created_by)
    values (${row.id}, ${row.kind}, ${row.title}, ${row.state}, ${[...row.roles]}::text[],
      ${Buffer.from(row.document)}, ${row.createdAt}, ${row.createdBy})
    on conflict (id) do nothing`
  return inserted.count === 1
}

export async function getProposal({ sql }: ReadTx, id: string): Promise<ProposalRow | undefined> {
  const [row] = await sql<ProposalRow[]>`select ${columns(sql)} from proposals where id = ${id}`
  return row
}

export async function lockProposal({ sql }: WriteTx, id: string): Promise<ProposalRow | undefined> {
  const [row] = await sql<ProposalRow[]>`
    select ${columns(sql)} from proposals where id = ${id} for update`
  return row
}

export async function setProposalDocument(
  { sql }: WriteTx,
  id: string,
  document: Uint8Array,
): Promise<void> {
  await sql`update proposals set document = ${Buffer.from(document)} where id = ${id}`
}

export async function closeProposal(
  { sql }: WriteTx,
  id: string,
  closing: { state: Exclude<ProposalState, 'open'>; at: Date; reason: string | null },
): Promise<void> {
  await sql`
    update proposals set state = ${closing.state}, closed_at = ${closing.at}, closed_reason = ${closing.reason}
    where id = ${id} and state = 'open'`
}

/** Lists proposals, newest first; `before` is the last id of the page before. */
export async function listProposals(
  { sql }: ReadTx,
  page: { before: string | null; limit: number; state: ProposalState | null },
): Promise<ProposalRow[]> {
  return sql<ProposalRow[]>`
    select ${columns(sql)} from proposals
    where (${page.before}::text is null or id < ${page.before})
      and (${page.state}::text is null or state = ${page.state})
    order by id desc limit ${page.limit}`
}

/**
 * Closes the open proposals that change one of `roles`, of which a new version was published: each
 * is based on the version before. No document is read, however many there are.
 */
export async function closeOvertaken(
  { sql }: WriteTx,
  roles: readonly string[],
  at: Date,
): Promise<void> {
  await sql`
    update proposals set state = 'outdated', closed_at = ${at}
    where state = 'open' and roles && ${[...roles]}::text[]`
}
