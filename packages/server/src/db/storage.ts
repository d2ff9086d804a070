/** What products may hold in the registry, and what they hold. */
import type { Digest } from '@seaworthy/oci/digests'
import type { ReadTx, WriteTx } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

export interface StorageRow {
  readonly usedBytes: number
  /** What is set aside for uploads that have not ended. */
  readonly uploadingBytes: number
  /** `null`: without a limit. */
  readonly quotaBytes: number | null
}

export interface ContentRow {
  readonly digest: Digest
  readonly bytes: number
}

export interface UploadRow {
  readonly id: string
  readonly product: string
  /** The actor whose budget of unfinished uploads it takes from. */
  readonly actor: string
}

/**
 * Locks the product's storage: others who set something aside for it wait until the transaction
 * ends.
 */
export async function lockStorage({ sql }: WriteTx, product: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKeys.storage}, hashtext(${product}))`
}

export async function readStorage({ sql }: ReadTx, product: string): Promise<StorageRow> {
  const [row] = await sql<[StorageRow]>`
    select
      coalesce((select sum(bytes) from product_content where product = ${product}), 0)::float8
        as "usedBytes",
      coalesce((select sum(bytes) from product_uploads where product = ${product}), 0)::float8
        as "uploadingBytes",
      (select bytes from product_quotas where product = ${product})::float8 as "quotaBytes"`
  return row
}

export async function setQuota(
  { sql }: WriteTx,
  quota: { readonly product: string; readonly bytes: number | null },
  by: string,
  now: Date,
): Promise<void> {
  const { product, bytes } = quota
  if (bytes === null) {
    await sql`delete from product_quotas where product = ${product}`
    return
  }
  await sql`
    insert into product_quotas (product, bytes, changed_at, changed_by)
    values (${product}, ${bytes}, ${now}, ${by})
    on conflict (product) do update set
      bytes = excluded.bytes, changed_at = excluded.changed_at, changed_by = excluded.changed_by`
}

export async function countUploads({ sql }: ReadTx, actor: string): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from product_uploads where actor = ${actor}`
  return row.count
}

/** What is set aside for an upload; 0 for one that is not known. */
export async function readUpload({ sql }: ReadTx, id: string): Promise<number> {
  const [row] = await sql<{ bytes: number }[]>`
    select bytes::float8 as bytes from product_uploads where id = ${id}`
  return row?.bytes ?? 0
}

export async function setUpload(
  { sql }: WriteTx,
  { id, product, actor }: UploadRow,
  bytes: number,
  now: Date,
): Promise<void> {
  await sql`
    insert into product_uploads (id, product, actor, bytes, used_at)
    values (${id}, ${product}, ${actor}, ${bytes}, ${now})
    on conflict (id) do update set bytes = excluded.bytes, used_at = excluded.used_at`
}

export async function deleteUpload({ sql }: WriteTx, id: string): Promise<void> {
  await sql`delete from product_uploads where id = ${id}`
}

export async function deleteUploadsBefore({ sql }: WriteTx, unusedSince: Date): Promise<number> {
  const { count } = await sql`delete from product_uploads where used_at < ${unusedSince}`
  return count
}

export async function hasContent({ sql }: ReadTx, product: string, digest: Digest) {
  const rows = await sql`
    select 1 from product_content where product = ${product} and digest = ${digest}`
  return rows.length > 0
}

export async function addContent(
  { sql }: WriteTx,
  product: string,
  { digest, bytes }: ContentRow,
  now: Date,
): Promise<void> {
  await sql`
    insert into product_content (product, digest, bytes, added_at)
    values (${product}, ${digest}, ${bytes}, ${now}) on conflict do nothing`
}

export async function removeContent(
  { sql }: WriteTx,
  product: string,
  digest: Digest,
): Promise<void> {
  await sql`delete from product_content where product = ${product} and digest = ${digest}`
}

/** The digests of what counts for a product: at most as many as its repository has. */
export async function listContent({ sql }: ReadTx, product: string): Promise<Digest[]> {
  const rows = await sql<{ digest: Digest }[]>`
    select digest from product_content where product = ${product}`
  return rows.map(({ digest }) => digest)
}

/** The products that something counts for: at most as many as there are repositories. */
export async function listCounted({ sql }: ReadTx): Promise<string[]> {
  const rows = await sql<{ product: string }[]>`select distinct product from product_content`
  return rows.map(({ product }) => product)
}

/** Content that was added since then is newer than the list of what the repository has. */
export async function removeContentBefore(
  { sql }: WriteTx,
  product: string,
  digests: readonly Digest[],
  addedBefore: Date,
): Promise<number> {
  const { count } = await sql`
    delete from product_content
    where product = ${product} and digest = any(${[...digests]}::text[])
      and added_at < ${addedBefore}`
  return count
}
