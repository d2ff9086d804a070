/**
 * The hot query: the idle check-ins of many devices in one statement, acknowledged after its
 * commit. It finds each device by one index look-up, writes one narrow row in place, and answers
 * what the decision needs. Devices that say something new, or report for the first time, go through
 * `storeReports`. Query plan and figures: `check-ins.plan.md`.
 */
import type { ReportPosition } from '@seaworthy/fleet/devices'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { WriteTx } from './connection.ts'

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
  /** Whether the device signed it. */
  readonly isSigned: boolean
}

export interface SignedReportWrite {
  readonly device: string
  readonly sequence: number
  /** The canonical bytes that were signed. */
  readonly report: Uint8Array
  readonly signature: Uint8Array
  readonly receivedAt: Date
}

export interface KnownDevice {
  readonly fleet: string
  readonly hardware: string | null
  readonly tags: Readonly<Record<string, string>>
  /** Copy of the device's updates in rollouts that have not ended, as `device_states` has it. */
  readonly updates: readonly unknown[]
}

export interface WrittenCheckIn extends KnownDevice {
  /**
   * False when the report says something new about what runs but is not signed: then it was not
   * stored.
   */
  readonly isAccepted: boolean
  /** The position of the report before this one; `null` for the first one. */
  readonly before: ReportPosition | null
}

const textOid = 25
const boolOid = 16

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
  { sql }: WriteTx,
  batch: readonly IdleCheckIn[],
  seenAt: Date,
): Promise<(KnownDevice | undefined)[]> {
  const list = (pick: (row: IdleCheckIn) => string | number) => batch.map(pick).join(',')
  const rows = (await sql`
    update device_states s
    set seen_at = ${seenAt}, reported_at = to_timestamp(g.reported), verified_at = to_timestamp(g.verified)
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
 * Stores reports that say something new, at most one per device. Answers nothing for a device that
 * has been removed. The rows of the devices are locked first, in the order of their ids: two
 * writers of a device wait for one another, so that the copy of it in `device_states` is never an
 * old one.
 */
export async function storeReports(
  { sql }: WriteTx,
  batch: readonly WholeCheckIn[],
  seenAt: Date,
): Promise<Map<string, WrittenCheckIn>> {
  const column = <T>(pick: (row: WholeCheckIn) => T) => batch.map(pick)
  const devices = sql.array(
    column((c) => c.device),
    textOid,
  )
  await sql`select 1 from devices where id = any(${devices}) order by id for no key update`
  const rows = await sql<(WrittenCheckIn & { device: string })[]>`
    with given as (
      select g.device, g.digest, to_timestamp(reported::bigint) as reported_at, to_timestamp(verified::bigint) as verified_at,
        report::jsonb as report, is_signed
      from unnest(
        ${devices},
        ${sql.array(
          column((c) => c.digest),
          textOid,
        )},
        ${sql.array(
          column((c) => String(c.reportedAtSeconds)),
          textOid,
        )},
        ${sql.array(
          column((c) => (c.verifiedAtSeconds === null ? null : String(c.verifiedAtSeconds))),
          textOid,
        )},
        ${sql.array(
          column((c) => c.report),
          textOid,
        )},
        ${sql.array(
          column((c) => c.isSigned),
          boolOid,
        )}
      ) as g (device, digest, reported, verified, report, is_signed)
    ), known as (
      select g.*, d.fleet, d.hardware, d.tags,
        case when r.report is not null then jsonb_build_object(
          'bootId', r.report -> 'bootId', 'sequence', r.report -> 'sequence') end as before,
        g.is_signed or (
          g.report -> 'running' = coalesce(r.report -> 'running', 'null')
          and g.report -> 'committedCounter' = coalesce(r.report -> 'committedCounter', '0')
          and g.report -> 'floor' = coalesce(r.report -> 'floor', '0')
        ) as accepted
      from given g join devices d on d.id = g.device left join last_reports r on r.device = g.device
    ), reports as (
      insert into last_reports (device, report) select device, report from known where accepted
      on conflict (device) do update set report = excluded.report
    ), states as (
      insert into device_states (device, seen_at, reported_at, verified_at, digest, fleet, hardware, tags)
      select device, ${seenAt}, reported_at, verified_at, digest, fleet, hardware, tags from known
      where accepted order by device
      on conflict (device) do update set seen_at = excluded.seen_at, reported_at = excluded.reported_at,
        verified_at = excluded.verified_at, digest = excluded.digest, fleet = excluded.fleet,
        hardware = excluded.hardware, tags = excluded.tags
      returning device, updates
    )
    select k.device, k.fleet, k.hardware, k.tags, k.accepted as "isAccepted", k.before, coalesce(s.updates, '[]') as updates
    from known k left join states s on s.device = k.device`
  return new Map(rows.map(({ device, ...rest }) => [device, rest]))
}

/**
 * Stores signed reports; repeating one that is already stored changes nothing. Answers the devices
 * whose sequence number was used before, for another report or for one that was deleted since. The
 * lock on the device keeps `retention.ts` from deleting reports at the same moment.
 */
export async function writeSignedReports(
  { sql }: WriteTx,
  reports: readonly SignedReportWrite[],
): Promise<Set<string>> {
  const conflicts = new Set<string>()
  for (const r of reports.toSorted((a, b) => (a.device < b.device ? -1 : 1))) {
    const inserted = await sql`
      insert into device_reports (device, sequence, report, signature, received_at)
      select ${r.device}, ${r.sequence}, ${Buffer.from(r.report)}, ${Buffer.from(r.signature)}, ${r.receivedAt}
      from devices where id = ${r.device} and coalesce(reports_pruned_to, -1) < ${r.sequence} for key share
      on conflict (device, sequence) do nothing`
    if (inserted.count === 1) continue
    const same = await sql`
      select 1 from device_reports
      where device = ${r.device} and sequence = ${r.sequence} and report = ${Buffer.from(r.report)}`
    if (same.length === 0) conflicts.add(r.device)
  }
  return conflicts
}
