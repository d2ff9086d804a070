/**
 * Registered releases: a directory for people. What a device may run is decided by the signed
 * metadata only.
 */
import type { ReadTx, WriteTx } from './connection.ts'

export interface ReleaseRow {
  readonly product: string
  readonly version: string
  readonly kind: 'bundle' | 'container' | 'os-image'
  readonly digest: string
  readonly length: number
  readonly totalBytes: number
  readonly platforms: readonly { platform: string; digest: string; bytes: number }[]
  readonly createdAt: Date
  readonly createdBy: string
}

const columns = (sql: ReadTx['sql']) => sql`
  product, version, kind, digest, length, total_bytes as "totalBytes", platforms,
  created_at as "createdAt", created_by as "createdBy"`

/** Answers false when the product already has a release of that version. */
export async function insertRelease({ sql }: WriteTx, row: ReleaseRow): Promise<boolean> {
  const inserted = await sql`
    insert into releases (product, version, kind, digest, length, total_bytes, platforms, created_at, created_by)
    values (${row.product}, ${row.version}, ${row.kind}, ${row.digest}, ${row.length}, ${row.totalBytes},
      ${sql.json(row.platforms.map((platform) => ({ ...platform })))}, ${row.createdAt}, ${row.createdBy})
    on conflict do nothing`
  return inserted.count === 1
}

export async function getRelease(
  { sql }: ReadTx,
  product: string,
  version: string,
): Promise<ReleaseRow | undefined> {
  const [row] = await sql<ReleaseRow[]>`
    select ${columns(sql)} from releases where product = ${product} and version = ${version}`
  return row
}

/** Lists releases, newest first; `after` is the version of the last release of the page before. */
export async function listReleases(
  { sql }: ReadTx,
  page: { product: string; after: string | null; limit: number },
): Promise<ReleaseRow[]> {
  return sql<ReleaseRow[]>`
    select ${columns(sql)} from releases
    where product = ${page.product} and (${page.after}::text is null or (created_at, version) < (
      select created_at, version from releases where product = ${page.product} and version = ${page.after}))
    order by created_at desc, version desc limit ${page.limit}`
}

/** Lists them, at most one for each release that builders have registered. */
export async function listReleaseDigests({
  sql,
}: ReadTx): Promise<{ product: string; digest: string }[]> {
  return sql<{ product: string; digest: string }[]>`
    select product, digest from releases order by product, digest`
}

export async function newestReleaseKind(
  { sql }: ReadTx,
  product: string,
): Promise<ReleaseRow['kind'] | undefined> {
  const [row] = await sql<Pick<ReleaseRow, 'kind'>[]>`
    select kind from releases where product = ${product} order by created_at desc limit 1`
  return row?.kind
}
