/** Advisories: drafts, which stay sealed here, and the versions that the public has. */
import type { AdvisoryContent, AdvisoryPublisher } from '@seaworthy/response/advisories'
import type { ReadTx, WriteTx } from './connection.ts'

export type AdvisoryState = 'draft' | 'reviewed' | 'published' | 'corrected' | 'withdrawn'

export interface AdvisoryRow {
  readonly id: string
  readonly caseId: string
  readonly name: string | null
  readonly sealed: Uint8Array
  readonly revision: number
  readonly state: AdvisoryState
  readonly editedBy: string
  readonly reviewedBy: string | null
  readonly openedAt: Date
}

export interface AdvisoryVersionRow {
  readonly advisoryId: string
  readonly version: number
  readonly at: Date
  readonly what: string
  readonly content: AdvisoryContent
  readonly withdrawnBecause: string | null
  readonly csaf: string
  readonly signature: string | null
  readonly publishedBy: string
  readonly reviewedBy: string | null
}

export interface PublisherRow {
  readonly publisher: AdvisoryPublisher
  readonly openPgpKey: string | null
  readonly openPgpFingerprint: string | null
  readonly setAt: Date
  readonly setBy: string
  readonly serial: number
}

const columns = (sql: ReadTx['sql']) => sql`
  a.id, a.case_id as "caseId", a.name, a.sealed, a.revision, a.state, a.edited_by as "editedBy",
  a.reviewed_by as "reviewedBy", a.opened_at as "openedAt"`

/** The condition on advisories that a reader may see: they are read in to their cases. */
const isRead = ({ sql }: ReadTx, reader: string) => sql`
  exists (select 1 from case_readers r where r.case_id = a.case_id and r.reader = ${reader})`

export async function insertAdvisory({ sql }: WriteTx, row: AdvisoryRow): Promise<void> {
  await sql`
    insert into advisories (id, case_id, name, sealed, revision, state, edited_by, reviewed_by,
      opened_at)
    values (${row.id}, ${row.caseId}, ${row.name}, ${Buffer.from(row.sealed)}, ${row.revision},
      ${row.state}, ${row.editedBy}, ${row.reviewedBy}, ${row.openedAt})`
}

/** Writes what may change; its case stays. */
export async function updateAdvisory({ sql }: WriteTx, row: AdvisoryRow): Promise<void> {
  await sql`
    update advisories set name = ${row.name}, sealed = ${Buffer.from(row.sealed)},
      revision = ${row.revision}, state = ${row.state}, edited_by = ${row.editedBy},
      reviewed_by = ${row.reviewedBy}
    where id = ${row.id}`
}

/** Finds an advisory; `undefined` also for one of a case that the reader is not read in to. */
export async function findAdvisory(
  tx: ReadTx,
  id: string,
  reader: string,
): Promise<AdvisoryRow | undefined> {
  const { sql } = tx
  const [row] = await sql<AdvisoryRow[]>`
    select ${columns(sql)} from advisories a where a.id = ${id} and ${isRead(tx, reader)}`
  return row
}

/** Finds an advisory and locks it: it stays as it is until the transaction ends. */
export async function lockAdvisory(
  tx: WriteTx,
  id: string,
  reader: string,
): Promise<AdvisoryRow | undefined> {
  const { sql } = tx
  const [row] = await sql<AdvisoryRow[]>`
    select ${columns(sql)} from advisories a where a.id = ${id} and ${isRead(tx, reader)}
    for update of a`
  return row
}

/** Lists them, newest first; `after` is the id of the last one of the page before. */
export async function listAdvisories(
  tx: ReadTx,
  reader: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<AdvisoryRow[]> {
  const { sql } = tx
  return sql<AdvisoryRow[]>`
    select ${columns(sql)} from advisories a
    where ${isRead(tx, reader)} and (${page.after}::text is null or a.id < ${page.after})
    order by a.id desc limit ${page.limit}`
}

/** Counts the advisories that have a name, which are those that were published. */
export async function countNamed({ sql }: ReadTx): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from advisories where name is not null`
  return row.count
}

/** The highest number among the names that begin with this text. */
export async function highestNumber({ sql }: ReadTx, beginning: string): Promise<number> {
  const [row] = await sql<[{ highest: number | null }]>`
    select max(substr(name, ${beginning.length + 1})::int) as highest from advisories
    where starts_with(name, ${beginning}) and substr(name, ${beginning.length + 1}) ~ '^[0-9]{1,9}$'`
  return row.highest ?? 0
}

const versionColumns = (sql: ReadTx['sql']) => sql`
  v.advisory_id as "advisoryId", v.version, v.at, v.what, v.content,
  v.withdrawn_because as "withdrawnBecause", v.csaf, v.signature, v.published_by as "publishedBy",
  v.reviewed_by as "reviewedBy"`

export async function insertAdvisoryVersion(
  { sql }: WriteTx,
  row: AdvisoryVersionRow,
): Promise<void> {
  await sql`
    insert into advisory_versions (advisory_id, version, at, what, content, withdrawn_because,
      csaf, signature, published_by, reviewed_by)
    values (${row.advisoryId}, ${row.version}, ${row.at}, ${row.what},
      ${sql.json(plainOf(row.content))}, ${row.withdrawnBecause}, ${row.csaf}, ${row.signature},
      ${row.publishedBy}, ${row.reviewedBy})`
}

type JsonOf = Parameters<WriteTx['sql']['json']>[0]
const plainOf = (value: object) => ({ ...value }) as JsonOf

/** The versions of one advisory, oldest first: at most as many as one may have. */
export async function listAdvisoryVersions(
  { sql }: ReadTx,
  advisoryId: string,
): Promise<AdvisoryVersionRow[]> {
  return sql<AdvisoryVersionRow[]>`
    select ${versionColumns(sql)} from advisory_versions v
    where v.advisory_id = ${advisoryId} order by v.version`
}

/** Lists the versions of the advisory that the public knows by this name, at most as many. */
export async function listPublicVersions(
  { sql }: ReadTx,
  name: string,
): Promise<AdvisoryVersionRow[]> {
  return sql<AdvisoryVersionRow[]>`
    select ${versionColumns(sql)} from advisory_versions v
    join advisories a on a.id = v.advisory_id
    where a.name = ${name} order by v.version`
}

export interface UnsignedRow {
  readonly advisoryId: string
  readonly name: string
  readonly version: number
  readonly csaf: string
}

const newestVersions = (sql: ReadTx['sql']) => sql`
  select a.name, v.advisory_id as "advisoryId", v.version, v.at, v.csaf, v.signature
  from advisories a
  join lateral (
    select * from advisory_versions l where l.advisory_id = a.id
    order by l.version desc limit 1) v on true
  where a.name is not null`

/** What the public reads without a signature: the first of it, and how many there are. */
export async function findUnsigned({
  sql,
}: ReadTx): Promise<{ readonly count: number; readonly next: UnsignedRow | undefined }> {
  const [next] = await sql<UnsignedRow[]>`
    select n."advisoryId", n.name, n.version, n.csaf from (${newestVersions(sql)}) n
    where n.signature is null order by n.at, n.name limit 1`
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from (${newestVersions(sql)}) n where n.signature is null`
  return { count: row.count, next }
}

/** The newest version of an advisory that the public knows by this name. */
export async function findNewestVersion(
  { sql }: ReadTx,
  name: string,
): Promise<UnsignedRow | undefined> {
  const [row] = await sql<UnsignedRow[]>`
    select n."advisoryId", n.name, n.version, n.csaf from (${newestVersions(sql)}) n
    where n.name = ${name}`
  return row
}

export async function writeSignature(
  { sql }: WriteTx,
  { advisoryId, version }: Pick<UnsignedRow, 'advisoryId' | 'version'>,
  signature: string,
): Promise<void> {
  await sql`
    update advisory_versions set signature = ${signature}
    where advisory_id = ${advisoryId} and version = ${version}`
}

/** Takes all signatures away: another key than the one that made them counts now. */
export async function clearSignatures({ sql }: WriteTx): Promise<void> {
  await sql`update advisory_versions set signature = null where signature is not null`
}

/** What lists say of the newest version of an advisory. */
export interface PublicHeadRow {
  readonly name: string
  readonly content: Pick<
    AdvisoryContent,
    'title' | 'summary' | 'credits' | 'cvss3' | 'cvss4' | 'affected' | 'ids'
  >
  readonly isWithdrawn: boolean
  readonly isSigned: boolean
  readonly firstPublishedAt: Date
  readonly changedAt: Date
}

/** What the public knows, the newest change first: at most as many as may be published. */
export async function listPublicHeads({ sql }: ReadTx): Promise<PublicHeadRow[]> {
  return sql<PublicHeadRow[]>`
    select a.name, v.content - 'description' - 'action' - 'workaround' - 'references' as content,
      v.withdrawn_because is not null as "isWithdrawn", v.signature is not null as "isSigned",
      first.at as "firstPublishedAt", v.at as "changedAt"
    from advisories a
    join advisory_versions first on first.advisory_id = a.id and first.version = 1
    join lateral (
      select * from advisory_versions l where l.advisory_id = a.id
      order by l.version desc limit 1) v on true
    where a.name is not null
    order by v.at desc, a.name desc`
}

const publisherColumns = (sql: ReadTx['sql']) => sql`
  publisher, openpgp_key as "openPgpKey", openpgp_fingerprint as "openPgpFingerprint",
  set_at as "setAt", set_by as "setBy", serial::float8 as serial`

export async function findPublisher({ sql }: ReadTx): Promise<PublisherRow | undefined> {
  const [row] = await sql<PublisherRow[]>`select ${publisherColumns(sql)} from advisory_publisher`
  return row
}

/** Allows one publication at a time: waits for another that is under way. */
export async function lockPublisher({ sql }: WriteTx): Promise<PublisherRow | undefined> {
  const [row] = await sql<PublisherRow[]>`
    select ${publisherColumns(sql)} from advisory_publisher for update`
  return row
}

export async function writePublisher(
  { sql }: WriteTx,
  row: Omit<PublisherRow, 'serial'>,
): Promise<void> {
  await sql`
    insert into advisory_publisher (publisher, openpgp_key, openpgp_fingerprint, set_at, set_by,
      serial)
    values (${sql.json(plainOf(row.publisher))}, ${row.openPgpKey}, ${row.openPgpFingerprint},
      ${row.setAt}, ${row.setBy}, 1)
    on conflict (only_row) do update set publisher = excluded.publisher,
      openpgp_key = excluded.openpgp_key, openpgp_fingerprint = excluded.openpgp_fingerprint,
      set_at = excluded.set_at, set_by = excluded.set_by,
      serial = advisory_publisher.serial + 1`
}

/** Tells every worker that the pages of the public have changed. */
export async function raiseSerial({ sql }: WriteTx): Promise<void> {
  await sql`update advisory_publisher set serial = serial + 1`
}
