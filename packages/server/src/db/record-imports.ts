/** The imports of records of vulnerabilities, by ecosystem. */
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

export interface RecordImport {
  /** As records name it, with the release of a distribution: `npm`, `Debian:12`. */
  readonly ecosystem: string
  readonly importedAt: Date
  /** When the newest of these records was changed by its source. */
  readonly newestAt: Date
}

/** A bound well above the few dozens that real sources have. */
const kept = 1000

/** Notes them, each ecosystem once; the ecosystems that were imported last stay, at most 1,000. */
export async function noteImports(
  { sql }: WriteTx,
  newest: ReadonlyMap<string, Date>,
  now: Date,
): Promise<void> {
  if (newest.size === 0) return
  const rows = [...newest]
  await sql`
    insert into record_imports (ecosystem, imported_at, newest_at)
    select g.ecosystem, ${now}, g.newest_at::timestamptz from unnest(
      ${sql.array(
        rows.map(([ecosystem]) => ecosystem),
        textsOid,
      )},
      ${sql.array(
        rows.map(([, at]) => at.toISOString()),
        textsOid,
      )}
    ) as g (ecosystem, newest_at)
    on conflict (ecosystem) do update set imported_at = excluded.imported_at,
      newest_at = greatest(record_imports.newest_at, excluded.newest_at)`
  await sql`
    delete from record_imports where ecosystem in (
      select ecosystem from record_imports order by imported_at desc, ecosystem offset ${kept})`
}

/** All of them, by name: at most 1,000 rows. */
export async function listRecordImports({ sql }: ReadTx): Promise<RecordImport[]> {
  return sql<RecordImport[]>`
    select ecosystem, imported_at as "importedAt", newest_at as "newestAt" from record_imports
    order by ecosystem limit ${kept}`
}
