/** Which releases and devices have what was found in components. */
import type { PendingQuery, Row } from 'postgres'
import { bigintsOid, textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import type { VexRow, VexTime } from './vex.ts'
import { isStatedIn, isStatedOf, outcome, stated } from './vex.ts'
import { isNotSilent } from './presence.ts'

/** The scope of whoever asks; `null` for all. */
export interface ExposureScope {
  readonly fleets: readonly string[] | null
  readonly products: readonly string[] | null
}

export interface VulnerabilityRow {
  readonly id: number
  readonly name: string
  readonly modifiedAt: Date
  readonly withdrawnAt: Date | null
  readonly importedAt: Date
  readonly summary: string
  readonly faults: readonly string[]
  readonly aliases: readonly string[]
}

const vulnerabilityColumns = (sql: ReadTx['sql']) => sql`
  v.id, v.name, v.modified_at as "modifiedAt", v.withdrawn_at as "withdrawnAt", v.imported_at as "importedAt",
  v.summary, v.faults, ${aliasesOf(sql)} as aliases`

const aliasesMax = 32
const aliasesOf = (sql: ReadTx['sql']) => sql`
  array(select n.name from vulnerability_names n where n.vulnerability = v.id and n.kind <> 'own'
    order by n.kind, n.name limit ${aliasesMax})`

/**
 * The records about one flaw: those of the name, those of its aliases, and those that are derived
 * from any of them; at most `limit`.
 */
export async function findVulnerabilities(
  { sql }: ReadTx,
  names: readonly string[],
  limit: number,
): Promise<VulnerabilityRow[]> {
  const given = sql.array([...names], textsOid)
  return sql<VulnerabilityRow[]>`
    with known as (
      select unnest(${given}::text[]) as name
      union
      select other.name from vulnerability_names one join vulnerability_names other using (vulnerability)
      where one.name = any(${given}) and one.kind <> 'upstream' and other.kind <> 'upstream'
    )
    select ${vulnerabilityColumns(sql)} from vulnerabilities v
    where v.id in (select n.vulnerability from vulnerability_names n join known k on k.name = n.name)
    order by v.name limit ${limit}`
}

export interface ListedVulnerability extends VulnerabilityRow {
  readonly affectedCount: number
  readonly unknownCount: number
  /** Releases that have it, of which somebody states that it does not matter there. */
  readonly clearedCount: number
}

/** Records that concern a release in the scope, by name. */
export async function listVulnerabilities(
  { sql }: ReadTx,
  { products }: Pick<ExposureScope, 'products'>,
  page: { after: string; limit: number; now: Date },
): Promise<ListedVulnerability[]> {
  const within = products && sql.array([...products], textsOid)
  const time = { at: null, now: page.now, isNone: false }
  return sql<ListedVulnerability[]>`
    with stated as materialized (${stated(sql, time, sql`(${within}::text[] is null or s.product = any(${within}))`)})
    select ${vulnerabilityColumns(sql)}, r.affected as "affectedCount", r.unknown as "unknownCount",
      r.cleared as "clearedCount"
    from vulnerabilities v cross join lateral (
      select count(*) filter (where is_affected) as affected,
        count(*) filter (where is_unknown and not is_affected) as unknown,
        count(*) filter (where not is_unknown and not is_affected) as cleared
      from (
        select bool_or(${outcome(sql)} = 'affected') as is_affected, bool_or(${outcome(sql)} = 'unknown') as is_unknown
        from findings f join release_components c on c.component = f.component join sboms s on s.id = c.sbom
          left join stated x on x.vulnerability = f.vulnerability and x.component = f.component and x.sbom = s.id
        where f.vulnerability = v.id and (${within}::text[] is null or s.product = any(${within}))
        group by s.product, s.version
      ) one
    ) r
    where v.name > ${page.after} and r.affected + r.unknown + r.cleared > 0
    order by v.name limit ${page.limit}`
}

export interface FoundRow {
  readonly vulnerability: string
  readonly aliases: readonly string[]
  readonly summary: string
  readonly product: string
  readonly version: string
  readonly platform: string
  readonly purl: string
  readonly componentName: string
  readonly componentVersion: string
  readonly verdict: 'affected' | 'unknown'
  readonly fixed: string | null
  readonly confidence: 'full' | 'low' | null
  readonly reason: string | null
  readonly foundAt: Date
  /** What follows from the verdict and the statement that holds, if there is one. */
  readonly outcome: 'affected' | 'unknown' | 'cleared'
  readonly statement: FoundStatement | null
}

/** The statement that holds for what was found. */
export type FoundStatement = Pick<
  VexRow,
  'id' | 'version' | 'status' | 'justification' | 'reviewer' | 'author'
> & {
  readonly expiresAt: Date | null
}

interface StoredFound extends Omit<FoundRow, 'statement'> {
  readonly statement: (Omit<FoundStatement, 'expiresAt'> & { expiresAt: string | null }) | null
}

interface FoundPart {
  readonly limit: number
  readonly now: Date
}

/**
 * What was found, affected before unknown before cleared, and how much of it there is altogether.
 * `where` is about findings `f` and bills of materials `s`.
 */
async function listFound(
  { sql }: ReadTx,
  where: PendingQuery<Row[]>,
  { limit, now, isNone }: FoundPart & Pick<VexTime, 'isNone'>,
): Promise<{ rows: FoundRow[]; count: number }> {
  const from = sql`
    from findings f join vulnerabilities v on v.id = f.vulnerability join components p on p.id = f.component
      join release_components c on c.component = f.component join sboms s on s.id = c.sbom`
  const stored = await sql<StoredFound[]>`
    with stated as materialized (${stated(sql, { at: null, now, isNone }, where)})
    select v.name as vulnerability, ${aliasesOf(sql)} as aliases, v.summary, s.product, s.version, s.platform,
      p.purl, p.name as "componentName", p.version as "componentVersion", f.verdict, f.fixed, f.confidence,
      f.reason, f.found_at as "foundAt", ${outcome(sql)} as outcome, case when y.id is not null then
        jsonb_build_object('id', y.id, 'version', y.version, 'status', y.status, 'justification', y.justification,
          'reviewer', y.reviewer, 'author', y.author, 'expiresAt', y.expires_at) end as statement
    ${from}
      left join stated x on x.vulnerability = f.vulnerability and x.component = f.component and x.sbom = s.id
      left join vex_statements y on y.id = x.statement
    where ${where}
    order by array_position(array['affected', 'unknown', 'cleared'], ${outcome(sql)}), s.product, s.version,
      s.platform, v.name, p.purl
    limit ${limit}`
  const rows = stored.map(({ statement, ...row }) => ({
    ...row,
    statement: openStatement(statement),
  }))
  if (rows.length < limit) return { rows, count: rows.length }
  const [{ count }] = await sql<
    [{ count: number }]
  >`select count(*) as count ${from} where ${where}`
  return { rows, count }
}

function openStatement(stored: StoredFound['statement']): FoundStatement | null {
  if (stored === null) return null
  const { expiresAt } = stored
  return { ...stored, expiresAt: expiresAt === null ? null : new Date(expiresAt) }
}

export async function listFoundOf(
  tx: ReadTx,
  vulnerabilities: readonly number[],
  { products }: Pick<ExposureScope, 'products'>,
  part: FoundPart,
): Promise<{ rows: FoundRow[]; count: number }> {
  const { sql } = tx
  const within = products && sql.array([...products], textsOid)
  return listFound(
    tx,
    sql`f.vulnerability = any(${sql.array([...vulnerabilities], bigintsOid)})
      and (${within}::text[] is null or s.product = any(${within}))`,
    { ...part, isNone: !(await isStatedOf(tx, vulnerabilities)) },
  )
}

export async function listFoundIn(
  tx: ReadTx,
  release: { readonly product: string; readonly version: string },
  part: FoundPart,
): Promise<{ rows: FoundRow[]; count: number }> {
  const { product, version } = release
  const isNone = !(await isStatedIn(tx, product))
  return listFound(tx, tx.sql`s.product = ${product} and s.version = ${version}`, {
    ...part,
    isNone,
  })
}

/** What was found in what a bill of materials lists; at most as much as `part` says. */
export async function listFoundBy(
  tx: ReadTx,
  { id, product }: Pick<SbomRead, 'id' | 'product'>,
  part: FoundPart,
): Promise<{ rows: FoundRow[]; count: number }> {
  const isNone = !(await isStatedIn(tx, product))
  return listFound(tx, tx.sql`s.id = ${id}`, { ...part, isNone })
}

export interface SbomRead {
  readonly id: number
  readonly product: string
  readonly platform: string
  readonly state: 'read' | 'missing' | 'unusable'
  readonly why: string | null
  readonly componentsCount: number
  readonly othersCount: number
  readonly isIncomplete: boolean
  /** Components that were not compared with the records that there were before them. */
  readonly uncomparedCount: number
  /** What its components are packages of: `npm`, `Debian:12`. */
  readonly ecosystems: readonly string[]
}

const sbomColumns = (sql: ReadTx['sql']) => sql`
  s.id, s.product, s.platform, s.state, s.why, s.components_count as "componentsCount", s.others_count as "othersCount",
  s.is_incomplete as "isIncomplete", ${uncompared(sql)} as "uncomparedCount",
  s.ecosystems`

const uncompared = (sql: ReadTx['sql']) => sql`(
  select count(*) from components p join release_components c on c.component = p.id
  where c.sbom = s.id and not p.is_compared)`

/** Lists what is known of a release, at most once for each of its platforms. */
export async function listSboms(
  { sql }: ReadTx,
  product: string,
  version: string,
): Promise<SbomRead[]> {
  return sql<SbomRead[]>`
    select ${sbomColumns(sql)} from sboms s
    where s.product = ${product} and s.version = ${version} order by s.platform`
}

/** Finds what is known of what the device runs; `undefined` where nothing is for its platform. */
export async function findSbomOn({ sql }: ReadTx, device: string): Promise<SbomRead | undefined> {
  const [row] = await sql<SbomRead[]>`
    select ${sbomColumns(sql)} from running_releases r join devices d on d.id = r.device
      join sboms s on s.sha256 = r.sha256 and s.platform = d.platform
    where r.device = ${device}`
  return row
}

export const isInScope = (sql: ReadTx['sql'], { fleets, products }: ExposureScope) => {
  const [names, within] = [fleets, products].map((list) => list && sql.array([...list], textsOid))
  return sql`(${names!}::text[] is null or f.name = any(${names!}))
    and (${within!}::text[] is null or f.product = any(${within!}))`
}

/**
 * Counts devices anew by what they run; those that said nothing count under an empty name of a
 * release.
 */
export async function countReleases({ sql }: WriteTx, now: Date): Promise<void> {
  await sql`delete from release_counts`
  await sql`
    insert into release_counts (sha256, platform, fleet, heard_count, silent_count, counted_at)
    select coalesce(r.sha256, ''), d.platform, d.fleet, count(*) filter (where ${isNotSilent(sql, now)}),
      count(*) filter (where not ${isNotSilent(sql, now)}), ${now}
    from devices d join fleets f on f.name = d.fleet left join running_releases r on r.device = d.id
      left join device_states s on s.device = d.id
    group by 1, 2, 3`
}

export interface UntoldGroup {
  readonly reason: UntoldReason
  readonly count: number
}

export type UntoldReason =
  | 'nothing_reported'
  | 'release_unknown'
  | 'platform_unknown'
  | 'sbom_missing'
  | 'sbom_unusable'
  | 'not_compared'
  | 'no_records'

/**
 * Devices of whose release nothing was compared, as they were counted last, by the reason. At most
 * one row for each reason.
 */
export async function countUntold({ sql }: ReadTx, scope: ExposureScope): Promise<UntoldGroup[]> {
  return sql<UntoldGroup[]>`
    with waiting as materialized (
      select distinct c.sbom from components p join release_components c on c.component = p.id
      where not p.is_compared
    ), known as materialized (
      select s.sha256, s.platform, case
        when s.state <> 'read' then 'sbom_' || s.state
        when s.id in (select sbom from waiting) then 'not_compared'
        when s.ecosystems <> '{}' and not s.ecosystems && array(select ecosystem from record_imports)
          then 'no_records' end as reason
      from sboms s
    )
    select reason, sum(count)::bigint as count from (
      select n.heard_count + n.silent_count as count, case
        when n.sha256 = '' then 'nothing_reported'
        when k.sha256 is not null then k.reason
        when exists (select from sboms o where o.sha256 = n.sha256) then 'platform_unknown'
        else 'release_unknown' end as reason
      from release_counts n join fleets f on f.name = n.fleet
        left join known k on k.sha256 = n.sha256 and k.platform = n.platform
      where ${isInScope(sql, scope)}
    ) told where reason is not null group by reason order by reason`
}

export interface OpenExposure {
  readonly name: string
  readonly aliases: readonly string[]
  readonly summary: string
  readonly foundAt: Date
  readonly confirmedCount: number
  readonly lastKnownCount: number
  /** Devices that run what has it, of which somebody states that it does not matter there. */
  readonly clearedCount: number
}

/** Records that affect what devices run, by how many, as they were counted last. */
export async function listOpenExposures(
  { sql }: ReadTx,
  scope: ExposureScope,
  { limit, now }: FoundPart,
): Promise<OpenExposure[]> {
  return sql<OpenExposure[]>`
    with told as (
      select s.id, sum(n.heard_count)::bigint as heard, sum(n.silent_count)::bigint as silent
      from release_counts n join fleets f on f.name = n.fleet
        join sboms s on s.sha256 = n.sha256 and s.platform = n.platform
      where ${isInScope(sql, scope)} group by s.id
    ), stated as materialized (
      ${stated(sql, { at: null, now, isNone: false }, sql`s.id in (select id from told)`)}
    ), hit as (
      select f.vulnerability, c.sbom, bool_or(${outcome(sql)} = 'affected') as is_affected,
        bool_or(${outcome(sql)} = 'unknown') as is_unknown, min(f.found_at) as found_at
      from told t join release_components c on c.sbom = t.id join findings f on f.component = c.component
        left join stated x on x.vulnerability = f.vulnerability and x.component = f.component and x.sbom = c.sbom
      group by 1, 2
    ), counted as (
      select vulnerability, min(found_at) as found_at,
        coalesce(sum(heard) filter (where is_affected), 0)::bigint as heard,
        coalesce(sum(silent) filter (where is_affected), 0)::bigint as silent,
        coalesce(sum(heard + silent) filter (where not is_affected), 0)::bigint as cleared
      from hit h join told t on t.id = h.sbom where is_affected or not is_unknown group by 1
      order by 3 desc, 4 desc, 5 desc, 1 limit ${limit}
    )
    select v.name, ${aliasesOf(sql)} as aliases, v.summary, c.found_at as "foundAt", c.heard as "confirmedCount",
      c.silent as "lastKnownCount", c.cleared as "clearedCount"
    from counted c join vulnerabilities v on v.id = c.vulnerability
    order by c.heard desc, c.silent desc, c.cleared desc, v.name`
}
