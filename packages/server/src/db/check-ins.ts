/**
 * The hot query: many check-ins in one statement, acknowledged after its commit. It also answers what the
 * decision needs of each device, so that a check-in reads no row of its own, and nothing for a device that has been removed.
 */
import type { WriteTx } from './connection.ts'

export interface CheckInWrite {
  readonly device: string
  readonly seenAt: Date
  /** JSON text. */
  readonly report: string
}

export interface SignedReportWrite {
  readonly device: string
  readonly sequence: number
  /** The canonical bytes that were signed. */
  readonly report: Uint8Array
  readonly signature: Uint8Array
  readonly receivedAt: Date
}

export interface WrittenCheckIn {
  readonly fleet: string
  readonly hardware: string | null
  readonly tags: Readonly<Record<string, string>>
  /** Copy of the device's updates in rollouts that have not ended, as `device_states` has it. */
  readonly updates: readonly unknown[]
  /** False when the report says something new about what runs without a signature: then it was not stored. */
  readonly isAccepted: boolean
}

const textOid = 25
const boolOid = 16

/** At most one element per device. Rows are locked in the order of their ids, so that batches never deadlock. */
export async function writeCheckIns(
  { sql }: WriteTx,
  batch: readonly (CheckInWrite & { readonly isSigned: boolean })[],
): Promise<Map<string, WrittenCheckIn>> {
  const sorted = batch.toSorted((a, b) => (a.device < b.device ? -1 : 1))
  const column = <T>(pick: (row: (typeof sorted)[number]) => T) => sorted.map(pick)
  const rows = await sql<(WrittenCheckIn & { device: string })[]>`
    with given as (
      select device, seen_at::timestamptz, report::jsonb, is_signed from unnest(
        ${sql.array(
          column((c) => c.device),
          textOid,
        )},
        ${sql.array(
          column((c) => c.seenAt.toISOString()),
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
      ) as g (device, seen_at, report, is_signed)
    ), known as (
      select d.id, d.fleet, d.hardware, d.tags, coalesce(s.updates, '[]') as updates, g.seen_at, g.report,
        g.is_signed or (
          g.report -> 'running' = coalesce(s.report -> 'running', 'null')
          and g.report -> 'committedCounter' = coalesce(s.report -> 'committedCounter', '0')
          and g.report -> 'floor' = coalesce(s.report -> 'floor', '0')
        ) as accepted
      from given g join devices d on d.id = g.device left join device_states s on s.device = d.id
    ), written as (
      insert into device_states (device, seen_at, report)
      select id, seen_at, report from known where accepted order by id
      on conflict (device) do update set seen_at = excluded.seen_at, report = excluded.report
    )
    select id as device, fleet, hardware, tags, updates, accepted as "isAccepted" from known`
  return new Map(rows.map(({ device, ...rest }) => [device, rest]))
}

/**
 * Stores signed reports; a repetition of one already stored changes nothing. Answers the devices whose sequence number
 * was used for another report before.
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
      where exists (select 1 from devices where id = ${r.device})
      on conflict (device, sequence) do nothing`
    if (inserted.count === 1) continue
    const same = await sql`
      select 1 from device_reports
      where device = ${r.device} and sequence = ${r.sequence} and report = ${Buffer.from(r.report)}`
    if (same.length === 0) conflicts.add(r.device)
  }
  return conflicts
}
