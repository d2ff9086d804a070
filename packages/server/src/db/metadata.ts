/**
 * TUF metadata: the exact bytes of every version. They count only after the chain has been
 * verified.
 */
import type { ReadTx, WriteTx } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

export interface MetadataRow {
  readonly role: string
  readonly version: number
  readonly bytes: Uint8Array
  readonly publishedAt: Date
}

export async function getMetadata(
  { sql }: ReadTx,
  role: string,
  version: number,
): Promise<Uint8Array | undefined> {
  const [row] = await sql<{ bytes: Uint8Array }[]>`
    select bytes from tuf_metadata where role = ${role} and version = ${version}`
  return row?.bytes
}

/**
 * The newest version of every role, and every version of the root, oldest first. At most one for
 * each role, and one for each root that holders have signed. It goes from role to role in the
 * index, so that it reads no older version, however many there are.
 */
export async function listCurrentMetadata({ sql }: ReadTx): Promise<MetadataRow[]> {
  return sql<MetadataRow[]>`
    with recursive names as (
      select min(role) as role from tuf_metadata
      union all
      select (select min(t.role) from tuf_metadata t where t.role > n.role)
      from names n where n.role is not null
    )
    select newest.* from names cross join lateral (
      select role, version, bytes, published_at as "publishedAt" from tuf_metadata m
      where m.role = names.role order by version desc
      limit case when names.role = 'root' then null else 1 end
    ) newest
    order by role, version`
}

/** Every version of every role. At most as many as were ever signed; only a backup reads them. */
export async function listAllMetadata({ sql }: ReadTx): Promise<MetadataRow[]> {
  return sql<MetadataRow[]>`select role, version, bytes from tuf_metadata order by role, version`
}

/** Role and version of all that is stored. At most as many as were ever signed. */
export async function listMetadataVersions({
  sql,
}: ReadTx): Promise<{ role: string; version: number }[]> {
  return sql<{ role: string; version: number }[]>`
    select role, version from tuf_metadata order by role, version`
}

export async function insertMetadata({ sql }: WriteTx, row: MetadataRow): Promise<void> {
  await sql`
    insert into tuf_metadata (role, version, bytes, published_at)
    values (${row.role}, ${row.version}, ${Buffer.from(row.bytes)}, ${row.publishedAt})`
}

/**
 * Allows one publication at a time, over all processes; the lock is held until the end of the
 * transaction.
 */
export async function lockPublication({ sql }: WriteTx): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKeys.metadata}::int)`
}

/** Tells every worker to load the metadata again. */
export async function notifyMetadata({ sql }: WriteTx): Promise<void> {
  await sql`select pg_notify('metadata', '')`
}

/**
 * The version of the newest timestamp, or 0 when there is none: one look-up tells whether anything
 * was published.
 */
export async function newestTimestampVersion({ sql }: ReadTx): Promise<number> {
  const [row] = await sql<{ version: number | null }[]>`
    select max(version) as version from tuf_metadata where role = 'timestamp'`
  return row?.version ?? 0
}

/** Answers false when this alarm was raised before. */
export async function insertLifetimeAlarm(
  { sql }: WriteTx,
  alarm: { role: string; version: number; level: number; at: Date },
): Promise<boolean> {
  const rows = await sql`
    insert into lifetime_alarms (role, version, level, raised_at)
    values (${alarm.role}, ${alarm.version}, ${alarm.level}, ${alarm.at}) on conflict do nothing`
  return rows.count === 1
}
