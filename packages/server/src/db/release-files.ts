/**
 * Hashes of plain files in older algorithms, for clients that ask for them; keyed by the digest of
 * the content.
 */
import type { ReadTx, WriteTx } from './connection.ts'

export interface FileHashesRow {
  readonly digest: string
  readonly size: number
  readonly sha1: Uint8Array
  readonly md5: Uint8Array
}

export async function insertFileHashes(
  { sql }: WriteTx,
  row: FileHashesRow,
  now: Date,
): Promise<void> {
  await sql`
    insert into release_files (digest, size, sha1, md5, created_at)
    values (${row.digest}, ${row.size}, ${Buffer.from(row.sha1)}, ${Buffer.from(row.md5)}, ${now})
    on conflict (digest) do nothing`
}

/** Lists what is known of them, at most one for each digest. */
export async function listFileHashes(
  { sql }: ReadTx,
  digests: readonly string[],
): Promise<FileHashesRow[]> {
  return sql<FileHashesRow[]>`
    select digest, size, sha1, md5 from release_files where digest = any(${[...digests]}::text[])`
}
