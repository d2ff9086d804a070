/** Cases of reported flaws, what was said in them, and who is read in; texts stay sealed here. */
import type { BuiltInRole } from '@seaworthy/fleet/access'
import type { CaseClock, EmbargoState, ReportState } from '@seaworthy/response/cases'
import type { PendingQuery, Row } from 'postgres'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

export interface CaseRow {
  readonly id: string
  readonly sealed: Uint8Array
  readonly report: ReportState
  readonly embargo: EmbargoState
  readonly embargoUntil: Date | null
  readonly knowledge: string
  /** Who answers for it; `null` before somebody takes it. */
  readonly handler: string | null
  /** The hash of the code in the reporter's link; `null` where nobody outside has reported it. */
  readonly reporterSha256: Uint8Array | null
  readonly openedAt: Date
  readonly acknowledgedAt: Date | null
  readonly answeredAt: Date | null
  readonly lastAnswerAt: Date | null
  /** The time since which a message of the reporter waits. */
  readonly waitingSince: Date | null
  readonly closedAt: Date | null
}

/** A case as it is shown to somebody who may be read in. */
export interface SeenCase extends CaseRow {
  readonly isReader: boolean
}

export type EntryKind =
  | 'report'
  | 'reply'
  | 'answer'
  | 'note'
  | 'move'
  | 'assign'
  | 'read-in'
  | 'read-out'
  | 'alarm'

export interface CaseEntryRow {
  readonly id: string
  readonly caseId: string
  readonly at: Date
  readonly by: string
  readonly kind: EntryKind
  readonly sealed: Uint8Array
}

export interface CaseReaderRow {
  readonly id: string
  /** The name of a person; `null` for the line of a token. */
  readonly name: string | null
  readonly readInAt: Date
  readonly readInBy: string
}

const columns = (sql: ReadTx['sql']) => sql`
  c.id, c.sealed, c.report, c.embargo, c.embargo_until as "embargoUntil", c.knowledge, c.handler,
  c.reporter_sha256 as "reporterSha256", c.opened_at as "openedAt",
  c.acknowledged_at as "acknowledgedAt", c.answered_at as "answeredAt",
  c.last_answer_at as "lastAnswerAt", c.waiting_since as "waitingSince", c.closed_at as "closedAt"`

/**
 * Whether nobody who is read in can still sign in and read cases: every handler may take such a
 * case, so that it is not lost with the account of the only person who knew it.
 */
const isUntaken = ({ sql }: ReadTx, { now, readingRoles }: CaseAsker) => {
  const roles = sql.array([...readingRoles], textsOid)
  const mayRead = (row: PendingQuery<Row[]>) => sql`
    ${row}.products is null and ${row}.fleets is null and (${row}.role = any(${roles}) or exists (
      select from roles o where o.name = ${row}.role and 'case:read' = any(o.allows)))
    and not exists (select from roles o where (o.name = ${row}.role or o.name = any(${row}.denied_by))
      and 'case:read' = any(o.denies))`
  return sql`
    not exists (
      select 1 from case_readers r where r.case_id = c.id and (
        exists (select 1 from people p where p.id = r.reader and p.disabled_at is null and ${mayRead(sql`p`)})
        or exists (select 1 from tokens t where t.line = r.reader and t.revoked_at is null
          and t.expires_at > ${now} and ${mayRead(sql`t`)})))`
}

export async function insertCase({ sql }: WriteTx, row: CaseRow): Promise<void> {
  await sql`
    insert into cases (id, sealed, report, embargo, embargo_until, knowledge, handler,
      reporter_sha256, opened_at, acknowledged_at, answered_at, last_answer_at, waiting_since,
      closed_at)
    values (${row.id}, ${Buffer.from(row.sealed)}, ${row.report}, ${row.embargo},
      ${row.embargoUntil}, ${row.knowledge}, ${row.handler},
      ${row.reporterSha256 && Buffer.from(row.reporterSha256)}, ${row.openedAt},
      ${row.acknowledgedAt}, ${row.answeredAt}, ${row.lastAnswerAt}, ${row.waitingSince},
      ${row.closedAt})`
}

/** Writes how the case stands; its title and the reporter's link stay. */
export async function updateCase({ sql }: WriteTx, row: CaseRow): Promise<void> {
  await sql`
    update cases set report = ${row.report}, embargo = ${row.embargo},
      embargo_until = ${row.embargoUntil}, knowledge = ${row.knowledge}, handler = ${row.handler},
      acknowledged_at = ${row.acknowledgedAt}, answered_at = ${row.answeredAt},
      last_answer_at = ${row.lastAnswerAt}, waiting_since = ${row.waitingSince},
      closed_at = ${row.closedAt}
    where id = ${row.id}`
}

/**
 * Who asks, and what they may see: the cases that they are read in to and, where they may take
 * them, the others.
 */
export interface CaseAsker {
  readonly reader: string
  readonly mayTake: boolean
  /** The built-in roles that allow their holders to read cases they are read in to. */
  readonly readingRoles: readonly BuiltInRole[]
  readonly now: Date
}

/** `undefined` also for a case that is there and that the asker may not see. */
export async function findCase(
  tx: ReadTx,
  id: string,
  asker: CaseAsker,
): Promise<SeenCase | undefined> {
  const { sql } = tx
  const { reader, mayTake } = asker
  const [row] = await sql<SeenCase[]>`
    select ${columns(sql)}, r.reader is not null as "isReader"
    from cases c left join case_readers r on r.case_id = c.id and r.reader = ${reader}
    where c.id = ${id} and (r.reader is not null or (${mayTake} and ${isUntaken(tx, asker)}))`
  return row
}

/** Locks the case: it stays as it is until the transaction ends. */
export async function lockCase({ sql }: WriteTx, id: string): Promise<CaseRow | undefined> {
  const [row] = await sql<CaseRow[]>`
    select ${columns(sql)} from cases c where c.id = ${id} for update`
  return row
}

/** Lists cases, newest first; `after` is the id of the last one of the page before. */
export async function listCases(
  tx: ReadTx,
  asker: CaseAsker,
  page: {
    readonly after: string | null
    readonly limit: number
    readonly state: 'open' | 'closed' | null
  },
): Promise<SeenCase[]> {
  const { sql } = tx
  const { after, limit, state } = page
  const { reader, mayTake } = asker
  return sql<SeenCase[]>`
    select ${columns(sql)}, r.reader is not null as "isReader"
    from cases c left join case_readers r on r.case_id = c.id and r.reader = ${reader}
    where (r.reader is not null or (${mayTake} and ${isUntaken(tx, asker)}))
      and (${after}::text is null or c.id < ${after})
      and (${state}::text is null or (${state} = 'closed') = (c.closed_at is not null))
    order by c.id desc limit ${limit}`
}

/** Lists a page of the open cases, whoever is read in: for the server's own work. */
export async function listOpenCases(
  { sql }: ReadTx,
  after: string,
  limit: number,
): Promise<CaseRow[]> {
  return sql<CaseRow[]>`
    select ${columns(sql)} from cases c where c.closed_at is null and c.id > ${after}
    order by c.id limit ${limit}`
}

export interface CaseAlarm {
  readonly caseId: string
  readonly clock: CaseClock['name']
  readonly dueAt: Date
  readonly state: 'soon' | 'broken'
}

/** Answers false where the alarm was raised before. */
export async function insertCaseAlarm(
  { sql }: WriteTx,
  { caseId, clock, dueAt, state }: CaseAlarm,
  raisedAt: Date,
): Promise<boolean> {
  const rows = await sql`
    insert into case_alarms (case_id, clock, due_at, state, raised_at)
    values (${caseId}, ${clock}, ${dueAt}, ${state}, ${raisedAt}) on conflict do nothing`
  return rows.count === 1
}

/** What was raised of these cases: at most two for each time at which a clock was due. */
export async function listRaisedAlarms(
  { sql }: ReadTx,
  cases: readonly string[],
): Promise<CaseAlarm[]> {
  return sql<CaseAlarm[]>`
    select case_id as "caseId", clock, due_at as "dueAt", state from case_alarms
    where case_id = any(${sql.array([...cases], textsOid)})`
}

/** The case of a private link, locked. */
export async function lockReportedCase(
  { sql }: WriteTx,
  reporterSha256: Uint8Array,
): Promise<CaseRow | undefined> {
  const [row] = await sql<CaseRow[]>`
    select ${columns(sql)} from cases c
    where c.reporter_sha256 = ${Buffer.from(reporterSha256)} for update`
  return row
}

export async function findReportedCase(
  { sql }: ReadTx,
  reporterSha256: Uint8Array,
): Promise<CaseRow | undefined> {
  const [row] = await sql<CaseRow[]>`
    select ${columns(sql)} from cases c where c.reporter_sha256 = ${Buffer.from(reporterSha256)}`
  return row
}

/** How many reports nobody has taken, counted up to `max`. */
export async function countUntakenReports({ sql }: ReadTx, max: number): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from (
      select 1 from cases where handler is null and closed_at is null limit ${max}) untaken`
  return row.count
}

export async function insertCaseEntry({ sql }: WriteTx, row: CaseEntryRow): Promise<void> {
  await sql`
    insert into case_entries (id, case_id, at, by, kind, sealed)
    values (${row.id}, ${row.caseId}, ${row.at}, ${row.by}, ${row.kind},
      ${Buffer.from(row.sealed)})`
}

/** How many entries the case has, and how many of them its reporter has written. */
export async function countCaseEntries(
  { sql }: ReadTx,
  caseId: string,
): Promise<{ readonly all: number; readonly ofReporter: number }> {
  const [row] = await sql<[{ all: number; ofReporter: number }]>`
    select count(*)::int as all, count(*) filter (where by = 'reporter')::int as "ofReporter"
    from case_entries where case_id = ${caseId}`
  return row
}

/** Lists entries by id, which is the order in which they were written. */
export async function listCaseEntries(
  { sql }: ReadTx,
  caseId: string,
  page: { readonly after: string; readonly limit: number },
): Promise<(CaseEntryRow & { readonly bytes: number })[]> {
  return sql<(CaseEntryRow & { bytes: number })[]>`
    select id, case_id as "caseId", at, by, kind, sealed, length(sealed) as bytes
    from case_entries where case_id = ${caseId} and id > ${page.after}
    order by id limit ${page.limit}`
}

/** What passes between the reporter and the handlers: at most as much as a case may have. */
export async function listMessages(
  { sql }: ReadTx,
  caseId: string,
  limit: number,
): Promise<CaseEntryRow[]> {
  return sql<CaseEntryRow[]>`
    select id, case_id as "caseId", at, by, kind, sealed from case_entries
    where case_id = ${caseId} and kind in ('report', 'reply', 'answer')
    order by id desc limit ${limit}`
}

/** Everybody who is read in: at most as many as one case may have. */
export async function listCaseReaders({ sql }: ReadTx, caseId: string): Promise<CaseReaderRow[]> {
  return sql<CaseReaderRow[]>`
    select r.reader as id, p.name, r.read_in_at as "readInAt", r.read_in_by as "readInBy"
    from case_readers r left join people p on p.id = r.reader
    where r.case_id = ${caseId} order by r.read_in_at, r.reader`
}

/** Answers false where they were read in already. */
export async function insertCaseReader(
  { sql }: WriteTx,
  caseId: string,
  { id, readInAt, readInBy }: Omit<CaseReaderRow, 'name'>,
): Promise<boolean> {
  const rows = await sql`
    insert into case_readers (case_id, reader, read_in_at, read_in_by)
    values (${caseId}, ${id}, ${readInAt}, ${readInBy})
    on conflict (case_id, reader) do nothing`
  return rows.count === 1
}

/** Answers false where they were not read in. */
export async function deleteCaseReader(
  { sql }: WriteTx,
  caseId: string,
  reader: string,
): Promise<boolean> {
  const rows = await sql`
    delete from case_readers where case_id = ${caseId} and reader = ${reader}`
  return rows.count === 1
}
