/**
 * The hot query: the idle check-ins of many devices in one statement, acknowledged after its
 * commit. It finds each device by one index look-up, writes one narrow row in place, and answers
 * what the decision needs. Devices that say something new, or report for the first time, go through
 * `storeReports`. Query plan and figures: `check-ins.plan.md`.
 *
 * When a device was heard is written by the database's clock, which every replica shares: rollouts
 * count devices as silent by it, whatever the clock of the replica that heard them says.
 */
import type { ReportPosition } from '@seaworthy/fleet/devices'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { booleansOid, textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

export interface IdleCheckIn {
  readonly device: string
  /** Digest of the report without its times; letters, digits, `-` and `_`. */
  readonly digest: string
  /** `at` and `timestampVerifiedAt` of the report, in seconds since 1970. */
  readonly reportedAtSeconds: number
  readonly verifiedAtSeconds: number | null
}

export interface WholeCheckIn extends IdleCheckIn {
  /** The report as JSON text. */
  readonly report: string
  /**
   * Whether the device only repeats what it signed and reported before: then it counts as seen, and
   * its last report stays.
   */
  readonly isRepeated: boolean
}

export interface SignedReportWrite {
  readonly device: string
  readonly sequence: number
  /** The canonical bytes that were signed. */
  readonly report: Uint8Array
  readonly signature: Uint8Array
}

export interface KnownDevice {
  readonly fleet: string
  readonly hardware: string | null
  readonly tags: Readonly<Record<string, string>>
  /** Copy of the device's updates in rollouts that have not ended, as `device_states` has it. */
  readonly updates: readonly unknown[]
}

/** What is known of a device that reports something new; its row is locked. */
export interface ReportingDevice extends Omit<KnownDevice, 'updates'> {
  readonly device: string
  /** The position of the report before this one; `null` for the first one. */
  readonly before: ReportPosition | null
  /** The newest report that the device has signed; `null` when it never did. */
  readonly newest: StoredStatement | null
}

export interface StoredStatement {
  readonly sequence: number
  /** The canonical bytes that were signed. */
  readonly report: Uint8Array
}

type IdleRow = [
  place: number,
  fleet: string,
  hardware: string | null,
  tags: string | null,
  updates: string | null,
]

/**
 * At most one element per device, sorted by device: rows are locked in that order. The answer has
 * an element for each given one: `undefined` when the device has not said exactly this before.
 */
export async function writeIdleCheckIns(
  { sql, atStatement }: WriteTx,
  batch: readonly IdleCheckIn[],
): Promise<(KnownDevice | undefined)[]> {
  const list = (pick: (row: IdleCheckIn) => string | number) => batch.map(pick).join(',')
  const rows = (await sql`
    update device_states s
    set seen_at = ${atStatement()}, reported_at = to_timestamp(g.reported), verified_at = to_timestamp(g.verified)
    from unnest(
      string_to_array(${list((c) => c.device)}, ','),
      string_to_array(${list((c) => c.digest)}, ','),
      ${`{${list((c) => c.reportedAtSeconds)}}`}::text::bigint[],
      ${`{${list((c) => c.verifiedAtSeconds ?? 'NULL')}}`}::text::bigint[]
    ) with ordinality as g (device, digest, reported, verified, place)
    where s.device = g.device and s.digest = g.digest
    returning g.place::integer - 1, s.fleet, s.hardware, nullif(s.tags, '{}')::text, nullif(s.updates, '[]')::text`.values()) as unknown as IdleRow[]
  const facts: (KnownDevice | undefined)[] = Array.from({ length: batch.length })
  for (const [place, fleet, hardware, tags, updates] of rows) {
    facts[place] = {
      fleet,
      hardware,
      tags: tags === null ? noTags : (parseAnyJsonText(tags) as Record<string, string>),
      updates: updates === null ? noUpdates : (parseAnyJsonText(updates) as unknown[]),
    }
  }
  return facts
}

const noTags: Readonly<Record<string, string>> = Object.freeze({})
const noUpdates: readonly unknown[] = Object.freeze([])

/**
 * Locks the rows of devices that report something new, in the order of their ids, and answers what
 * is known of them; nothing for a device that has been removed. Two writers of a device wait for
 * one another, so that its copy in `device_states` is never out of date.
 */
export async function lockReporting(
  { sql }: WriteTx,
  devices: readonly string[],
): Promise<Map<string, ReportingDevice>> {
  if (devices.length === 0) return new Map()
  const given = sql.array([...devices], textsOid)
  // The second query begins when the first one holds the locks: it sees what others have written.
  const [, rows] = await Promise.all([
    sql`select 1 from devices where id = any(${given}) order by id for no key update`,
    sql<(Omit<ReportingDevice, 'newest'> & NewestColumns)[]>`
      select d.id as device, d.fleet, d.hardware, d.tags, s.sequence as "newestSequence", s.report as "newestReport",
        case when r.report is not null then jsonb_build_object(
          'bootId', r.report -> 'bootId', 'sequence', r.report -> 'sequence') end as before
      from devices d left join last_reports r on r.device = d.id
        left join lateral (
          select sequence, report from device_reports where device = d.id order by sequence desc limit 1
        ) s on true
      where d.id = any(${given})`,
  ])
  return new Map(
    rows.map(({ newestSequence: sequence, newestReport: report, ...row }) => [
      row.device,
      { ...row, newest: sequence === null || report === null ? null : { sequence, report } },
    ]),
  )
}

interface NewestColumns {
  readonly newestSequence: number | null
  readonly newestReport: Uint8Array | null
}

/** The newest reports that each of the devices has signed, the newest first. */
export async function listNewestStatements(
  { sql }: ReadTx,
  devices: readonly string[],
  limit: number,
): Promise<Map<string, StoredStatement[]>> {
  const rows = await sql<(StoredStatement & { device: string })[]>`
    select g.device, s.sequence, s.report from unnest(${sql.array([...devices], textsOid)}) as g (device)
      cross join lateral (
        select sequence, report from device_reports where device = g.device order by sequence desc limit ${limit}
      ) s
    order by g.device, s.sequence desc`
  return Map.groupBy(rows, ({ device }) => device)
}

/** What a device ran before stays for this many changes of it. */
const pastKept = 100

/**
 * Stores reports that say something new, at most one per device, and answers their updates. Answers
 * nothing for a device that has been removed. The caller has locked the rows of the devices, as
 * `lockReporting` does.
 */
export async function storeReports(
  { sql, atStatement }: WriteTx,
  batch: readonly WholeCheckIn[],
): Promise<Map<string, readonly unknown[]>> {
  if (batch.length === 0) return new Map()
  const column = (pick: (row: WholeCheckIn) => string | null) =>
    sql.array(batch.map(pick), textsOid)
  const repeated = sql.array(
    batch.map((c) => c.isRepeated),
    booleansOid,
  )
  const rows = await sql<{ device: string; updates: readonly unknown[] }[]>`
    with given as (
      select g.device, coalesce(s.digest, g.digest) as digest, s.device is null as is_news,
        coalesce(s.reported_at, to_timestamp(reported::bigint)) as reported_at,
        case when s.device is null then to_timestamp(verified::bigint) else s.verified_at end as verified_at,
        report::jsonb as report, d.fleet, d.hardware, d.tags, d.agent_version
      from unnest(
        ${column((c) => c.device)},
        ${column((c) => c.digest)},
        ${column((c) => String(c.reportedAtSeconds))},
        ${column((c) => (c.verifiedAtSeconds === null ? null : String(c.verifiedAtSeconds)))},
        ${column((c) => c.report)},
        ${repeated}
      ) as g (device, digest, reported, verified, report, is_repeated) join devices d on d.id = g.device
        left join device_states s on s.device = g.device and g.is_repeated
    ), reports as (
      insert into last_reports (device, report) select device, report from given where is_news
      on conflict (device) do update set report = excluded.report
    ), agents as (
      update devices set agent_version = given.report ->> 'agentVersion' from given
      where devices.id = given.device and given.is_news
        and given.agent_version <> given.report ->> 'agentVersion'
    ), changed as (
      select g.device, g.report #>> '{running,sha256}' as sha256, r.sha256 as sha256_before, r.since
      from given g left join running_releases r on r.device = g.device
      where g.is_news and r.sha256 is distinct from g.report #>> '{running,sha256}'
    ), past as (
      insert into past_releases (device, sha256, since, until)
      select device, sha256_before, since, ${atStatement()} from changed
      where sha256_before is not null and since < ${atStatement()}
      on conflict do nothing
    ), pruned as (
      delete from past_releases p using changed c
      where p.device = c.device and p.since < (
        select since from past_releases where device = c.device order by since desc offset ${pastKept - 2} limit 1)
    ), running as (
      insert into running_releases (device, sha256, since)
      select device, sha256, ${atStatement()} from changed where sha256 is not null
      on conflict (device) do update set sha256 = excluded.sha256, since = excluded.since
    ), stopped as (
      delete from running_releases r using changed c where r.device = c.device and c.sha256 is null
    )
    insert into device_states (device, seen_at, reported_at, verified_at, digest, fleet, hardware, tags)
    select device, ${atStatement()}, reported_at, verified_at, digest, fleet, hardware, tags from given order by device
    on conflict (device) do update set seen_at = excluded.seen_at, reported_at = excluded.reported_at,
      verified_at = excluded.verified_at, digest = excluded.digest, fleet = excluded.fleet,
      hardware = excluded.hardware, tags = excluded.tags
    returning device, updates`
  return new Map(rows.map(({ device, updates }) => [device, updates]))
}

/**
 * Stores signed reports; repeating one that is already stored changes nothing. Answers the devices
 * that repeated one, and those whose sequence number was used before, for another report or for one
 * that was deleted since. The lock on the device keeps `retention.ts` from deleting reports at the
 * same moment. At most one answer for each report.
 */
export async function writeSignedReports(
  { sql, atStatement }: WriteTx,
  reports: readonly SignedReportWrite[],
): Promise<{ readonly repeated: ReadonlySet<string>; readonly reused: ReadonlySet<string> }> {
  const repeated = new Set<string>()
  const reused = new Set<string>()
  for (const r of reports.toSorted((a, b) => (a.device < b.device ? -1 : 1))) {
    const inserted = await sql`
      insert into device_reports (device, sequence, report, signature, received_at)
      select ${r.device}, ${r.sequence}, ${Buffer.from(r.report)}, ${Buffer.from(r.signature)}, ${atStatement()}
      from devices where id = ${r.device} and coalesce(reports_pruned_to, -1) < ${r.sequence} for key share
      on conflict (device, sequence) do nothing`
    if (inserted.count === 1) continue
    const same = await sql`
      select 1 from device_reports
      where device = ${r.device} and sequence = ${r.sequence} and report = ${Buffer.from(r.report)}`
    const set = same.length === 0 ? reused : repeated
    set.add(r.device)
  }
  return { repeated, reused }
}
