/** Which product an Omaha client means by its app id. */
import type { ReadTx, WriteTx } from './connection.ts'

export interface OmahaAppRow {
  readonly product: string
  readonly appId: string
  readonly changedAt: Date
  readonly changedBy: string
}

export async function writeOmahaApp({ sql }: WriteTx, row: OmahaAppRow): Promise<void> {
  await sql`
    insert into omaha_apps (product, app_id, changed_at, changed_by)
    values (${row.product}, ${row.appId}, ${row.changedAt}, ${row.changedBy})
    on conflict (product) do update set
      app_id = excluded.app_id, changed_at = excluded.changed_at, changed_by = excluded.changed_by`
  await sql`select pg_notify('omaha_apps', '')`
}

/** All of them, for the table in memory: at most one for each product. */
export async function listOmahaApps({ sql }: ReadTx): Promise<OmahaAppRow[]> {
  return sql<OmahaAppRow[]>`
    select product, app_id as "appId", changed_at as "changedAt", changed_by as "changedBy"
    from omaha_apps`
}
