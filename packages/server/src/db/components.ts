/** Bills of materials of releases, and the components that they list, each stored once. */
import { bigintsOid, textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

export interface ComponentRow {
  readonly id: number
  readonly purl: string
  readonly name: string
  readonly version: string
  readonly ecosystem: string
  readonly release: string
  readonly subjectName: string
  readonly subjectVersion: string
}

export interface NewComponent extends Omit<ComponentRow, 'id'> {
  /** SHA-256 of all the others, in hex. */
  readonly sha256: string
  readonly subjectKey: string
  /** The key in hex; `null` where every record of the subject must be judged. */
  readonly versionKey: string | null
}

export interface SbomRow {
  readonly product: string
  readonly version: string
  readonly platform: string
  readonly sha256: string
  readonly state: 'read' | 'missing' | 'unusable'
  /** Why there is none; `null` where it was read. */
  readonly why: string | null
  readonly componentsCount: number
  readonly othersCount: number
  readonly isIncomplete: boolean
  /** What its components are packages of, each once: `npm`, `Debian:12`. */
  readonly ecosystems: readonly string[]
}

/**
 * Allows one comparison of records and components at a time, so that neither a new record nor a new
 * component misses the other.
 */
export async function lockComparison({ sql }: WriteTx): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKeys.comparison}::int)`
}

/**
 * Registered releases of which no bill of materials was read yet, or none that could be used before
 * `againBefore`; oldest first.
 */
export async function listUnreadReleases(
  { sql }: ReadTx,
  againBefore: Date,
  limit: number,
): Promise<{ product: string; version: string; digest: string; platforms: readonly string[] }[]> {
  return sql`
    select r.product, r.version, r.digest,
      array(select p ->> 'platform' from jsonb_array_elements(r.platforms) p) as platforms
    from releases r
    where not exists (
      select from sboms s where s.product = r.product and s.version = r.version
        and (s.state <> 'unusable' or s.read_at >= ${againBefore}))
    order by r.created_at limit ${limit}`
}

/** Stores them with their components; what was read already stays as it is. */
export async function insertSbom(
  { sql }: WriteTx,
  row: SbomRow,
  components: readonly NewComponent[],
  now: Date,
): Promise<void> {
  const [sbom] = await sql<{ id: number }[]>`
    insert into sboms (product, version, platform, sha256, state, why, components_count, others_count, is_incomplete,
      ecosystems, read_at)
    values (${row.product}, ${row.version}, ${row.platform}, ${row.sha256}, ${row.state}, ${row.why},
      ${row.componentsCount}, ${row.othersCount}, ${row.isIncomplete}, ${sql.array([...row.ecosystems], textsOid)}, ${now})
    on conflict (product, version, platform) do update set state = excluded.state, why = excluded.why,
      components_count = excluded.components_count, others_count = excluded.others_count,
      is_incomplete = excluded.is_incomplete, ecosystems = excluded.ecosystems, read_at = excluded.read_at
    where sboms.state = 'unusable'
    returning id`
  if (sbom === undefined) return
  for (let i = 0; i < components.length; i += statementMax) {
    const part = components.slice(i, i + statementMax)
    const column = (pick: (one: NewComponent) => string | null) =>
      sql.array(part.map(pick), textsOid)
    await sql`
      insert into components (sha256, purl, name, version, ecosystem, release, subject_name, subject_version,
        subject_key, version_key)
      select decode(g.sha256, 'hex'), g.purl, g.name, g.version, g.ecosystem, g.release, g.subject_name,
        g.subject_version, g.subject_key, decode(g.version_key, 'hex')
      from unnest(
        ${column((c) => c.sha256)}, ${column((c) => c.purl)}, ${column((c) => c.name)}, ${column((c) => c.version)},
        ${column((c) => c.ecosystem)}, ${column((c) => c.release)}, ${column((c) => c.subjectName)},
        ${column((c) => c.subjectVersion)}, ${column((c) => c.subjectKey)}, ${column((c) => c.versionKey)}
      ) as g (sha256, purl, name, version, ecosystem, release, subject_name, subject_version, subject_key, version_key)
      order by 1 on conflict (sha256) do nothing`
    await sql`
      insert into release_components (component, sbom)
      select c.id, ${sbom.id} from unnest(${column((c) => c.sha256)}) as g (sha256)
        join components c on c.sha256 = decode(g.sha256, 'hex')
      on conflict do nothing`
  }
}

const statementMax = 1000

/** The next components that were not compared with the records that there were before them. */
export async function listNewComponents({ sql }: ReadTx, limit: number): Promise<ComponentRow[]> {
  return sql<ComponentRow[]>`
    select ${componentColumns(sql)} from components c where not c.is_compared order by c.id limit ${limit}`
}

export async function markCompared({ sql }: WriteTx, ids: readonly number[]): Promise<void> {
  await sql`update components set is_compared = true where id = any(${sql.array([...ids], bigintsOid)})`
}

export const componentColumns = (sql: ReadTx['sql']) => sql`
  c.id, c.purl, c.name, c.version, c.ecosystem, c.release, c.subject_name as "subjectName",
  c.subject_version as "subjectVersion"`

/**
 * How many releases of these products (`null`: of all), and components of them, still wait to be
 * read and compared.
 */
export async function countUnread(
  { sql }: ReadTx,
  { products }: { readonly products: readonly string[] | null },
): Promise<{ releasesCount: number; componentsCount: number }> {
  const within = products && sql.array([...products], textsOid)
  const [row] = await sql<[{ releasesCount: number; componentsCount: number }]>`
    select (select count(*) from releases r
        where (${within}::text[] is null or r.product = any(${within})) and not exists (
          select from sboms s where s.product = r.product and s.version = r.version)
      ) as "releasesCount",
      (select count(*) from components p
        where not p.is_compared and (${within}::text[] is null or exists (
          select from release_components c join sboms s on s.id = c.sbom
          where c.component = p.id and s.product = any(${within})))
      ) as "componentsCount"`
  return row
}
