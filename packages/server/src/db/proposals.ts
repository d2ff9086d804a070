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

/**
 * Lists ids of proposals and the sizes of their documents, newest first, without reading any;
 * `before` is the last id of the page before. `products` leaves out what concerns others.
 */
export async function listProposalSizes(
  { sql }: ReadTx,
  page: {
    before: string | null
    limit: number
    state: ProposalState | null
    products: readonly string[] | null
  },
): Promise<{ id: string; bytes: number }[]> {
  const products = page.products === null ? null : [...page.products]
  return sql<{ id: string; bytes: number }[]>`
    select id, octet_length(document) as bytes from proposals
    where (${page.before}::text is null or id < ${page.before})
      and (${page.state}::text is null or state = ${page.state})
      and (${products}::text[] is null or not exists (
        select 1 from unnest(roles) as role
        where split_part(role, '.', 1) <> all(${products}::text[])))
    order by id desc limit ${page.limit}`
}

/** Finds those of `ids` that there are, newest first. At most one for each id. */
export async function getProposals(
  { sql }: ReadTx,
  ids: readonly string[],
): Promise<ProposalRow[]> {
  return sql<ProposalRow[]>`
    select ${columns(sql)} from proposals where id = any(${[...ids]}::text[]) order by id desc`
}

/**
 * How many proposals are open: those that `actor` submitted, and those that change each of
 * `products`, where a top-level role stands for itself. At most one for each of the given products.
 */
export async function countOpenProposals(
  { sql }: ReadTx,
  actor: string,
  products: readonly string[],
): Promise<{ ofActor: number; products: { product: string; count: number }[] }> {
  const [own] = await sql<{ count: number }[]>`
    select count(*) from proposals where state = 'open' and created_by = ${actor}`
  const counted = await sql<{ product: string; count: number }[]>`
    select product, count(distinct id) from proposals,
      lateral (select split_part(unnest(roles), '.', 1) as product) changed
    where state = 'open' and product = any(${[...products]}::text[]) group by product`
  return { ofActor: own!.count, products: [...counted] }
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

/**
 * Deletes what `actor` submitted and nobody published, but for the newest that stay within both
 * limits. The audit log keeps who submitted and closed each.
 */
export async function deleteClosed(
  { sql }: WriteTx,
  actor: string,
  kept: { readonly count: number; readonly bytes: number },
): Promise<void> {
  await sql`
    delete from proposals where id in (
      select id from (
        select id, row_number() over newest as place, sum(octet_length(document)) over newest as bytes
        from proposals where created_by = ${actor} and state in ('rejected', 'outdated')
        window newest as (order by id desc)
      ) closed where place > ${kept.count} or bytes > ${kept.bytes})`
}
