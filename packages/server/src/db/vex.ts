/** Statements on vulnerabilities in releases, and which findings they are about. */
import type { VexJustification, VexStatus } from '@seaworthy/response/vex'
import type { PendingQuery, Row } from 'postgres'
import { bigintsOid, textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

type Part = PendingQuery<Row[]>

export interface VexKey {
  readonly vulnerability: string
  readonly product: string
  readonly version: string
  readonly purl: string
}

export interface VexRow extends VexKey {
  readonly id: string
  readonly status: VexStatus
  readonly justification: VexJustification | null
  readonly impact: string
  readonly action: string
  readonly notes: string
  readonly evidence: readonly string[]
  readonly isInherited: boolean
  readonly reviewer: string
  /** The author whom an imported document names. */
  readonly author: string | null
  /** When the document says that it was stated. */
  readonly authoredAt: Date | null
  readonly statedAt: Date
  readonly expiresAt: Date | null
  /** SHA-256 of what records said of the component then, in hex. */
  readonly basis: string
  readonly endedAt: Date | null
  readonly endedBy: string | null
  readonly endedWhy: 'replaced' | 'withdrawn' | 'record_changed' | null
}

const columns = (sql: ReadTx['sql']) => sql`
  x.id, x.vulnerability, x.product, x.version, x.purl, x.status, x.justification, x.impact, x.action, x.notes, x.evidence,
  x.is_inherited as "isInherited", x.reviewer, x.author, x.authored_at as "authoredAt", x.stated_at as "statedAt", x.expires_at as "expiresAt",
  x.basis, x.ended_at as "endedAt", x.ended_by as "endedBy", x.ended_why as "endedWhy"`

export async function insertVexStatement({ sql }: WriteTx, row: VexRow): Promise<void> {
  await sql`
    insert into vex_statements (id, vulnerability, product, version, purl, status, justification, impact, action,
      notes, evidence, is_inherited, reviewer, author, authored_at, stated_at, expires_at, basis)
    values (${row.id}, ${row.vulnerability}, ${row.product}, ${row.version}, ${row.purl}, ${row.status},
      ${row.justification}, ${row.impact}, ${row.action}, ${row.notes}, ${sql.array([...row.evidence], textsOid)},
      ${row.isInherited}, ${row.reviewer}, ${row.author}, ${row.authoredAt}, ${row.statedAt}, ${row.expiresAt}, ${row.basis})`
}

/** Finds what is stated and has not been ended, also where it has expired. */
export async function findVexStatement({ sql }: ReadTx, key: VexKey): Promise<VexRow | undefined> {
  const [row] = await sql<VexRow[]>`
    select ${columns(sql)} from vex_statements x
    where x.vulnerability = ${key.vulnerability} and x.product = ${key.product} and x.version = ${key.version}
      and x.purl = ${key.purl} and x.ended_at is null`
  return row
}

export async function getVexStatement({ sql }: ReadTx, id: string): Promise<VexRow | undefined> {
  const [row] = await sql<VexRow[]>`select ${columns(sql)} from vex_statements x where x.id = ${id}`
  return row
}

export async function endVexStatement(
  { sql }: WriteTx,
  id: string,
  ended: { readonly at: Date; readonly by: string; readonly why: 'replaced' | 'withdrawn' },
): Promise<void> {
  await sql`
    update vex_statements set ended_at = ${ended.at}, ended_by = ${ended.by}, ended_why = ${ended.why}
    where id = ${id} and ended_at is null`
}

export interface VexFilter {
  readonly vulnerability: string | null
  readonly product: string | null
  readonly version: string | null
  readonly purl: string | null
  /**
   * Which statements; those to look at again have expired, or were ended because a record changed.
   */
  readonly state: 'in-force' | 'reopened' | 'all'
  /** The products whose statements are listed; `null` for all. */
  readonly products: readonly string[] | null
  readonly now: Date
}

/** A page of statements by id, which is by age. */
export async function listVexStatements(
  { sql }: ReadTx,
  filter: VexFilter,
  page: { readonly after: string; readonly limit: number },
): Promise<VexRow[]> {
  const { vulnerability, product, version, purl, state, now } = filter
  const within = filter.products && sql.array([...filter.products], textsOid)
  return sql<VexRow[]>`
    select ${columns(sql)} from vex_statements x
    where x.id > ${page.after}
      and (${vulnerability}::text is null or x.vulnerability = ${vulnerability})
      and (${product}::text is null or x.product = ${product})
      and (${version}::text is null or x.version = ${version})
      and (${purl}::text is null or x.purl = ${purl})
      and (${within}::text[] is null or x.product = any(${within}))
      and case ${state}
        when 'in-force' then x.ended_at is null and (x.expires_at is null or x.expires_at > ${now})
        when 'reopened' then (x.ended_at is null and x.expires_at <= ${now}) or (x.ended_why = 'record_changed'
          and not exists (select from vex_statements y where y.vulnerability = x.vulnerability
            and y.product = x.product and y.version = x.version and y.purl = x.purl and y.id > x.id))
        else true end
    order by x.id limit ${page.limit}`
}

/** Whether the release's bill of materials, of any platform, lists the component. */
export async function hasComponent(
  { sql }: ReadTx,
  { product, version, purl }: VexKey,
): Promise<boolean> {
  const [row] = await sql<[{ isThere: boolean }]>`
    select exists (
      select from components p join release_components c on c.component = p.id join sboms s on s.id = c.sbom
      where p.purl = ${purl} and s.product = ${product} and s.version = ${version}) as "isThere"`
  return row.isThere
}

/**
 * Whether the record is one of the flaw of that name: it has it as its own name or as an alias, or
 * is derived from that one alone.
 */
const isNamed = (sql: ReadTx['sql'], vulnerability: Part, name: Part) => sql`
  exists (select from vulnerability_names n where n.vulnerability = ${vulnerability} and n.name = ${name}
    and (n.kind <> 'upstream' or not exists (select from vulnerability_names o
      where o.vulnerability = n.vulnerability and o.kind = 'upstream' and o.name <> n.name)))`

/**
 * What records of the flaw say of the component in the release, as a digest; empty for nothing.
 * `key` has the columns of a statement.
 */
const basisOf = (sql: ReadTx['sql'], key: Part) => sql`
  (select coalesce(encode(sha256(convert_to(string_agg(said.line, E'\n' order by said.line), 'UTF8')), 'hex'), '')
    from (
      select distinct (v.name || ' ' || s.subject_key || ' ' || s.affected::text) collate "C" as line
      from sboms b join release_components c on c.sbom = b.id
        join components p on p.id = c.component and p.purl = ${key}.purl
        join vulnerability_subjects s on s.subject_key = p.subject_key
        join vulnerabilities v on v.id = s.vulnerability and v.withdrawn_at is null
      where b.product = ${key}.product and b.version = ${key}.version
        and ${isNamed(sql, sql`v.id`, sql`${key}.vulnerability`)}
    ) said)`

export async function readBasis({ sql }: ReadTx, key: VexKey): Promise<string> {
  const [row] = await sql<[{ basis: string }]>`
    select ${basisOf(sql, sql`x`)} as basis
    from (select ${key.vulnerability}::text as vulnerability, ${key.product}::text as product,
      ${key.version}::text as version, ${key.purl}::text as purl) x`
  return row.basis
}

/**
 * Statements that have not been ended and are about a flaw with one of these names, or with one
 * that a stored record of these names has. At most as many as there are for them.
 */
export async function listVexStatementsNamed(
  { sql }: ReadTx,
  names: readonly string[],
): Promise<string[]> {
  const given = sql.array([...names], textsOid)
  const rows = await sql<{ id: string }[]>`
    select x.id from vex_statements x
    where x.ended_at is null and (x.vulnerability = any(${given}) or x.vulnerability in (
      select other.name from vulnerability_names own join vulnerability_names other using (vulnerability)
      where own.kind = 'own' and own.name = any(${given})))`
  return rows.map(({ id }) => id)
}

/** Ends those of the statements whose records say something else now; answers how many. */
export async function endOutdatedVexStatements(
  { sql }: WriteTx,
  ids: readonly string[],
  now: Date,
): Promise<number> {
  if (ids.length === 0) return 0
  const ended = await sql`
    update vex_statements x set ended_at = ${now}, ended_why = 'record_changed'
    where x.id = any(${sql.array([...ids], textsOid)}) and x.ended_at is null and x.basis <> ${basisOf(sql, sql`x`)}`
  return ended.count
}

/** Which statements count: those of now, or those that were in force at an instant. */
export interface VexTime {
  readonly at: Date | null
  readonly now: Date
  /** Nobody ever stated anything of what is asked: then most of the question is not planned. */
  readonly isNone: boolean
}

/** Whether anybody ever stated something of one of the records' flaws, under any of their names. */
export async function isStatedOf(
  { sql }: ReadTx,
  vulnerabilities: readonly number[],
): Promise<boolean> {
  const [row] = await sql<[{ isStated: boolean }]>`
    select exists (
      select from vulnerability_names n join vex_statements x on x.vulnerability = n.name
      where n.vulnerability = any(${sql.array([...vulnerabilities], bigintsOid)})) as "isStated"`
  return row.isStated
}

/** Whether anybody ever stated something of a release of the product. */
export async function isStatedIn({ sql }: ReadTx, product: string): Promise<boolean> {
  const [row] = await sql<[{ isStated: boolean }]>`
    select exists (select from vex_statements where product = ${product}) as "isStated"`
  return row.isStated
}

/**
 * Which statement holds for which finding in which bill of materials, as `vulnerability`,
 * `component`, `sbom`, `statement` and `status`: the one of the release itself, else the one of the
 * last release before it that has the very same component, if it is inherited. The worst of
 * several for one release, under several names of a flaw, counts. `within` narrows down the
 * findings `f` and bills `s`.
 */
export const stated = (sql: ReadTx['sql'], { at, now, isNone }: VexTime, within: Part) =>
  isNone
    ? sql`
  select null::bigint as vulnerability, null::bigint as component, null::bigint as sbom, null::text as statement,
    null::text as status where false`
    : sql`
  select vulnerability, component, sbom, statement, status from (
    select distinct on (f.vulnerability, f.component, s.id) f.vulnerability, f.component, s.id as sbom,
      x.id as statement, x.status, x.version = s.version or x.is_inherited as holds
    from vex_statements x
      join releases own on own.product = x.product and own.version = x.version
      join components p on p.purl = x.purl
      join findings f on f.component = p.id
      join release_components c on c.component = p.id
      join sboms s on s.id = c.sbom and s.product = x.product
      join releases r on r.product = s.product and r.version = s.version
    where ${
      at === null
        ? sql`x.ended_at is null`
        : sql`x.stated_at <= ${at} and (x.ended_at is null or x.ended_at > ${at})`
    } and (x.expires_at is null or x.expires_at > ${at ?? now})
      and (s.version = x.version or r.created_at > own.created_at)
      and exists (select from sboms os join release_components oc on oc.sbom = os.id and oc.component = p.id
        where os.product = x.product and os.version = x.version)
      and ${isNamed(sql, sql`f.vulnerability`, sql`x.vulnerability`)} and ${within}
    order by f.vulnerability, f.component, s.id, own.created_at desc, own.version = s.version desc,
      array_position(array['affected', 'under_investigation', 'fixed', 'not_affected'], x.status), x.id
  ) nearest where holds`

/** Statements that hold for a release, its own and inherited ones; at most `limit`. */
export async function listVexStatementsHolding(
  { sql }: ReadTx,
  { product, version }: Pick<VexKey, 'product' | 'version'>,
  { limit, now }: { readonly limit: number; readonly now: Date },
): Promise<VexRow[]> {
  const ofRelease = sql`s.product = ${product} and s.version = ${version}`
  return sql<VexRow[]>`
    select ${columns(sql)} from vex_statements x
    where x.id in (
      select o.id from vex_statements o
      where o.product = ${product} and o.version = ${version} and o.ended_at is null
        and (o.expires_at is null or o.expires_at > ${now})
      union select h.statement from (${stated(sql, { at: null, now, isNone: false }, ofRelease)}) h)
    order by x.vulnerability, x.purl, x.id limit ${limit}`
}

/** The outcome of a finding `f` with the statement `x`, if there is one that holds. */
export const outcome = (sql: ReadTx['sql']) => sql`
  case when x.status in ('not_affected', 'fixed') then 'cleared' when x.status = 'affected' then 'affected'
    else f.verdict end`
