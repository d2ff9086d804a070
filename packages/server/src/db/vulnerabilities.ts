/** Records of vulnerabilities as they were imported, and what they say of components. */
import { bigintsOid, textsOid } from './arrays.ts'
import type { ComponentRow } from './components.ts'
import { componentColumns } from './components.ts'
import type { ReadTx, WriteTx } from './connection.ts'

export interface NewVulnerability {
  readonly name: string
  readonly modifiedAt: Date
  readonly withdrawnAt: Date | null
  readonly summary: string
  readonly faults: readonly string[]
  /** SHA-256 of the document, in hex. */
  readonly sha256: string
  readonly document: string
  readonly names: readonly { readonly name: string; readonly kind: 'own' | 'alias' | 'upstream' }[]
  readonly subjects: readonly NewSubject[]
}

export interface NewSubject {
  readonly key: string
  /** JSON of what the record says of the subject. */
  readonly affected: string
  /** The key in hex; `null` where every version must be judged. */
  readonly lowest: string | null
  readonly highest: string | null
}

export interface SetAsideRecord {
  /** SHA-256 of the record, in hex. */
  readonly sha256: string
  readonly label: string
  readonly why: string
}

/** Finds what is stored under these names. At most one for each. */
export async function findVersions(
  { sql }: ReadTx,
  names: readonly string[],
): Promise<Map<string, { readonly modifiedAt: Date; readonly sha256: string }>> {
  const rows = await sql<{ name: string; modifiedAt: Date; sha256: string }[]>`
    select name, modified_at as "modifiedAt", encode(sha256, 'hex') as sha256 from vulnerabilities
    where name = any(${sql.array([...names], textsOid)})`
  return new Map(rows.map(({ name, ...rest }) => [name, rest]))
}

/**
 * Stores the records, over older ones of the same names, and answers their ids by name. At most one
 * for each of them.
 */
export async function writeVulnerabilities(
  { sql }: WriteTx,
  rows: readonly NewVulnerability[],
  now: Date,
): Promise<Map<string, number>> {
  const column = (pick: (row: NewVulnerability) => string | null) =>
    sql.array(rows.map(pick), textsOid)
  const stored = await sql<{ id: number; name: string }[]>`
    insert into vulnerabilities (name, modified_at, withdrawn_at, summary, faults, sha256, document, imported_at)
    select g.name, g.modified_at::timestamptz, g.withdrawn_at::timestamptz, g.summary,
      array(select jsonb_array_elements_text(g.faults::jsonb)), decode(g.sha256, 'hex'), g.document, ${now}
    from unnest(
      ${column((r) => r.name)}, ${column((r) => r.modifiedAt.toISOString())},
      ${column((r) => r.withdrawnAt?.toISOString() ?? null)}, ${column((r) => r.summary)},
      ${column((r) => JSON.stringify(r.faults))}, ${column((r) => r.sha256)}, ${column((r) => r.document)}
    ) as g (name, modified_at, withdrawn_at, summary, faults, sha256, document)
    on conflict (name) do update set modified_at = excluded.modified_at, withdrawn_at = excluded.withdrawn_at,
      summary = excluded.summary, faults = excluded.faults, sha256 = excluded.sha256, document = excluded.document,
      imported_at = excluded.imported_at
    returning id, name`
  const ids = new Map(stored.map(({ id, name }) => [name, id]))
  const all = sql.array([...ids.values()], bigintsOid)
  await sql`delete from vulnerability_names where vulnerability = any(${all})`
  await sql`delete from vulnerability_subjects where vulnerability = any(${all})`
  const names = rows.flatMap((row) =>
    row.names.map(({ name, kind }) => [String(ids.get(row.name)!), name, kind] as const),
  )
  await sql`
    insert into vulnerability_names (vulnerability, name, kind)
    select g.vulnerability::bigint, g.name, g.kind from unnest(
      ${sql.array(
        names.map(([id]) => id),
        textsOid,
      )},
      ${sql.array(
        names.map(([, name]) => name),
        textsOid,
      )},
      ${sql.array(
        names.map(([, , kind]) => kind),
        textsOid,
      )}
    ) as g (vulnerability, name, kind) on conflict do nothing`
  const subjects = rows.flatMap((row) =>
    row.subjects.map((subject) => ({ ...subject, id: String(ids.get(row.name)!) })),
  )
  const part = (pick: (row: NewSubject & { id: string }) => string | null) =>
    sql.array(subjects.map(pick), textsOid)
  await sql`
    insert into vulnerability_subjects (vulnerability, subject_key, affected, lowest, highest)
    select g.vulnerability::bigint, g.subject_key, g.affected::jsonb, decode(g.lowest, 'hex'), decode(g.highest, 'hex')
    from unnest(
      ${part((s) => s.id)}, ${part((s) => s.key)}, ${part((s) => s.affected)}, ${part((s) => s.lowest)},
      ${part((s) => s.highest)}
    ) as g (vulnerability, subject_key, affected, lowest, highest)`
  return ids
}

/** The newest of what was set aside stay. */
const setAsideKept = 10_000

/** Answers how many of them are new. */
export async function writeSetAside(
  { sql }: WriteTx,
  rows: readonly SetAsideRecord[],
  now: Date,
): Promise<number> {
  if (rows.length === 0) return 0
  const column = (pick: (row: SetAsideRecord) => string) => sql.array(rows.map(pick), textsOid)
  const added = await sql`
    insert into set_aside_records (sha256, label, why, at)
    select decode(g.sha256, 'hex'), g.label, g.why, ${now}
    from unnest(${column((r) => r.sha256)}, ${column((r) => r.label)}, ${column((r) => r.why)})
      as g (sha256, label, why)
    on conflict do nothing`
  await sql`
    delete from set_aside_records where sha256 in (
      select sha256 from set_aside_records order by at desc, sha256 offset ${setAsideKept})`
  return added.count
}

/** The newest of what was set aside, at most `limit`. */
export async function listSetAside(
  { sql }: ReadTx,
  limit: number,
): Promise<(SetAsideRecord & { at: Date })[]> {
  return sql<(SetAsideRecord & { at: Date })[]>`
    select encode(sha256, 'hex') as sha256, label, why, at from set_aside_records
    order by at desc, sha256 limit ${limit}`
}

/** A subject of a record and a component between whose bounds the component's version lies. */
export interface Candidate {
  readonly vulnerability: number
  readonly component: number
}

const isBetween = (sql: ReadTx['sql']) => sql`
  (s.lowest is null or c.version_key is null
    or (c.version_key >= s.lowest and (s.highest is null or c.version_key <= s.highest)))`

/**
 * Which stored components the records may be about. At most one row for each of the records and
 * each version of one of its packages.
 */
export async function findComponentCandidates(
  { sql }: ReadTx,
  vulnerabilities: readonly number[],
): Promise<{ candidates: Candidate[]; components: Map<number, ComponentRow> }> {
  const rows = await sql<(ComponentRow & { vulnerability: number })[]>`
    select s.vulnerability, ${componentColumns(sql)}
    from vulnerability_subjects s join components c on c.subject_key = s.subject_key
    where s.vulnerability = any(${sql.array([...vulnerabilities], bigintsOid)}) and ${isBetween(sql)}`
  const components = new Map<number, ComponentRow>()
  const candidates = rows.map(({ vulnerability, ...component }) => {
    components.set(component.id, component)
    return { vulnerability, component: component.id }
  })
  return { candidates, components }
}

/**
 * What stored records may say of the components. At most one row for each of the components and
 * each record of its package.
 */
export async function findRecordCandidates(
  { sql }: ReadTx,
  components: readonly number[],
): Promise<{ candidates: Candidate[]; affected: Map<number, readonly unknown[]> }> {
  const given = sql.array([...components], bigintsOid)
  const candidates = await sql<Candidate[]>`
    select s.vulnerability, c.id as component
    from components c join vulnerability_subjects s on s.subject_key = c.subject_key
      join vulnerabilities v on v.id = s.vulnerability and v.withdrawn_at is null
    where c.id = any(${given}) and ${isBetween(sql)}`
  const ids = [...new Set(candidates.map(({ vulnerability }) => vulnerability))]
  const rows = await sql<{ vulnerability: number; affected: unknown[] }[]>`
    select s.vulnerability, s.affected from vulnerability_subjects s
    where s.vulnerability = any(${sql.array(ids, bigintsOid)})
      and s.subject_key in (select subject_key from components where id = any(${given}))`
  const affected = new Map<number, unknown[]>()
  for (const row of rows) {
    affected.set(row.vulnerability, [...(affected.get(row.vulnerability) ?? []), ...row.affected])
  }
  return { candidates, affected }
}

export interface FindingRow extends Candidate {
  readonly verdict: 'affected' | 'unknown'
  readonly fixed: string | null
  readonly confidence: 'full' | 'low' | null
  readonly reason: string | null
}

/** Stores findings; one that was found before keeps its time. */
export async function writeFindings(
  { sql }: WriteTx,
  rows: readonly FindingRow[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) return
  const column = (pick: (row: FindingRow) => string | number | null) =>
    sql.array(rows.map(pick), textsOid)
  await sql`
    insert into findings (vulnerability, component, verdict, fixed, confidence, reason, found_at)
    select g.vulnerability::bigint, g.component::bigint, g.verdict, g.fixed, g.confidence, g.reason, ${now}
    from unnest(
      ${column((f) => f.vulnerability)}, ${column((f) => f.component)}, ${column((f) => f.verdict)},
      ${column((f) => f.fixed)}, ${column((f) => f.confidence)}, ${column((f) => f.reason)}
    ) as g (vulnerability, component, verdict, fixed, confidence, reason)
    on conflict (vulnerability, component) do update set verdict = excluded.verdict, fixed = excluded.fixed,
      confidence = excluded.confidence, reason = excluded.reason`
}

/** Deletes what was found of the records and is not among `kept`. */
export async function deleteOtherFindings(
  { sql }: WriteTx,
  vulnerabilities: readonly number[],
  kept: readonly Candidate[],
): Promise<void> {
  const column = (pick: (row: Candidate) => number) => sql.array(kept.map(pick), bigintsOid)
  await sql`
    delete from findings f
    where f.vulnerability = any(${sql.array([...vulnerabilities], bigintsOid)}) and not exists (
      select from unnest(${column((k) => k.vulnerability)}, ${column((k) => k.component)})
        as g (vulnerability, component)
      where g.vulnerability = f.vulnerability and g.component = f.component)`
}
