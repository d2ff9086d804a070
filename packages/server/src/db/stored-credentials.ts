/** Credentials that people put in and lend for a time, encrypted; nothing here opens them. */
import type { ReadTx, WriteTx } from './connection.ts'

export interface StoredCredentialRow {
  readonly id: string
  readonly name: string
  readonly kind: 'value' | 'postgresql'
  readonly version: number
  readonly about: string
  /** Which PostgreSQL it opens; `null` for a plain value. */
  readonly target: string | null
  /** The role there of which each account for a lease is a member. */
  readonly memberOf: string | null
  /** The key that it is encrypted under, encrypted itself. */
  readonly wrapped: Uint8Array
  readonly sealed: Uint8Array
  readonly createdAt: Date
  readonly createdBy: string
  readonly setAt: Date
  readonly setBy: string
}

const columns = (sql: ReadTx['sql']) => sql`
  id, name, kind, version, about, target, member_of as "memberOf", wrapped, sealed,
  created_at as "createdAt", created_by as "createdBy", set_at as "setAt", set_by as "setBy"`

export async function listStoredCredentials(
  { sql }: ReadTx,
  page: { readonly after: string; readonly limit: number },
): Promise<StoredCredentialRow[]> {
  return sql<StoredCredentialRow[]>`
    select ${columns(sql)} from stored_credentials where name > ${page.after}
    order by name limit ${page.limit}`
}

export async function countStoredCredentials({ sql }: ReadTx): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from stored_credentials`
  return row.count
}

export async function getStoredCredential(
  { sql }: ReadTx,
  name: string,
): Promise<StoredCredentialRow | undefined> {
  const [row] = await sql<StoredCredentialRow[]>`
    select ${columns(sql)} from stored_credentials where name = ${name}`
  return row
}

/** Locks the credential: it stays as it is until the transaction ends. */
export async function lockStoredCredential(
  { sql }: WriteTx,
  name: string,
): Promise<StoredCredentialRow | undefined> {
  const [row] = await sql<StoredCredentialRow[]>`
    select ${columns(sql)} from stored_credentials where name = ${name} for update`
  return row
}

/** Answers false when there is one of that name. */
export async function insertStoredCredential(
  { sql }: WriteTx,
  row: StoredCredentialRow,
): Promise<boolean> {
  const rows = await sql`
    insert into stored_credentials (id, name, kind, version, about, target, member_of, wrapped, sealed,
      created_at, created_by, set_at, set_by)
    values (${row.id}, ${row.name}, ${row.kind}, ${row.version}, ${row.about}, ${row.target},
      ${row.memberOf}, ${Buffer.from(row.wrapped)}, ${Buffer.from(row.sealed)}, ${row.createdAt},
      ${row.createdBy}, ${row.setAt}, ${row.setBy})
    on conflict (name) do nothing`
  return rows.count === 1
}

export async function updateStoredCredential(
  { sql }: WriteTx,
  row: StoredCredentialRow,
): Promise<void> {
  await sql`
    update stored_credentials set version = ${row.version}, about = ${row.about},
      target = ${row.target}, member_of = ${row.memberOf}, wrapped = ${Buffer.from(row.wrapped)},
      sealed = ${Buffer.from(row.sealed)}, set_at = ${row.setAt}, set_by = ${row.setBy}
    where id = ${row.id}`
}

export async function deleteStoredCredential({ sql }: WriteTx, id: string): Promise<void> {
  await sql`delete from stored_credentials where id = ${id}`
}
