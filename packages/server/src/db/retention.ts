/**
 * Deletes what has grown old, a bounded page at a time; each page begins where the one before it
 * ended.
 */
import { bigintsOid, textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

export interface OldReports {
  readonly device: string
  /**
   * All reports of the device up to this sequence number that were received before `receivedBefore`
   * may be deleted.
   */
  readonly upToSequence: number
  /** Reports up to this sequence number may be deleted however young they are; -1 for none. */
  readonly beyondSequence: number
}

type Nullable<T> = { [K in keyof T]: T[K] | null }

export interface ReportLimits {
  readonly receivedBefore: Date
  /** The number of newest reports of each device that stay, however old they are. */
  readonly keptCount: number
  /** How many reports of each device stay, and how many bytes of its newest, however young. */
  readonly countMax: number
  readonly bytesMax: number
  /** How many reports of each device are deleted at a time, at most. */
  readonly perDeviceMax: number
}

/**
 * Looks at the next devices by id, without a lock. `last` is the last of them, or `null` when there
 * is none. A device with few reports costs one index look-up.
 */
export async function findOldReports(
  { sql }: ReadTx,
  page: { readonly after: string; readonly devicesCount: number },
  { receivedBefore, keptCount, countMax, bytesMax, perDeviceMax }: ReportLimits,
): Promise<{ last: string | null; old: OldReports[] }> {
  const rows = await sql<(Nullable<Omit<OldReports, 'device'>> & { device: string })[]>`
    select d.id as device, old."upToSequence", old."beyondSequence"
    from (select id from devices where id > ${page.after} order by id limit ${page.devicesCount}) d
    left join lateral (
      select sequence from device_reports where device = d.id
      order by sequence desc offset ${keptCount} limit 1
    ) free on true
    left join lateral (
      select coalesce(max(sequence), -1) as sequence from (
        select sequence, row_number() over newest as place, sum(octet_length(report)) over newest as bytes
        from (
          select sequence, report from device_reports where device = d.id
          order by sequence desc limit ${countMax + 1}
        ) newest window newest as (order by sequence desc)
      ) placed where sequence <= free.sequence and (place > ${countMax} or bytes > ${bytesMax})
    ) beyond on free.sequence is not null
    left join lateral (
      select max(sequence) as "upToSequence",
        coalesce(max(sequence) filter (where sequence <= beyond.sequence), -1) as "beyondSequence"
      from (
        select sequence, received_at from device_reports
        where device = d.id and sequence <= free.sequence
        order by sequence limit ${perDeviceMax}
      ) oldest where received_at < ${receivedBefore} or sequence <= beyond.sequence
    ) old on free.sequence is not null
    order by d.id`
  return {
    last: rows.at(-1)?.device ?? null,
    old: rows.flatMap(({ device, upToSequence, beyondSequence }) =>
      upToSequence === null || beyondSequence === null
        ? []
        : { device, upToSequence, beyondSequence },
    ),
  }
}

/**
 * Deletes reports and marks their sequence numbers as used, in one transaction; answers how many it
 * deleted. A device that another transaction has locked is skipped until another time: this one
 * waits for nobody while it holds the lock that `writeSignedReports` takes.
 */
export async function deleteReports(
  { sql }: WriteTx,
  old: readonly OldReports[],
  receivedBefore: Date,
): Promise<number> {
  const devices = sql.array(
    old.map(({ device }) => device),
    textsOid,
  )
  const locked = await sql<{ id: string }[]>`
    select id from devices where id = any(${devices}) order by id for update skip locked`
  const ids = new Set(locked.map(({ id }) => id))
  const present = old.filter(({ device }) => ids.has(device))
  if (present.length === 0) return 0
  const given = sql`unnest(
    ${sql.array(
      present.map(({ device }) => device),
      textsOid,
    )},
    ${sql.array(
      present.map(({ upToSequence }) => upToSequence),
      bigintsOid,
    )},
    ${sql.array(
      present.map(({ beyondSequence }) => beyondSequence),
      bigintsOid,
    )}
  ) as g (device, up_to, beyond)`
  const gone = await sql`
    delete from device_reports r using ${given}
    where r.device = g.device and r.sequence <= g.up_to
      and (r.received_at < ${receivedBefore} or r.sequence <= g.beyond)`
  await sql`
    update devices d set reports_pruned_to = greatest(coalesce(d.reports_pruned_to, -1), g.up_to)
    from ${given} where d.id = g.device`
  return gone.count
}

/** Deletes some of what devices ran until before `until`; answers how much. */
export async function deletePastReleases(
  { sql }: WriteTx,
  until: Date,
  limit: number,
): Promise<number> {
  const gone = await sql`
    delete from past_releases where (device, since) in (
      select device, since from past_releases where until < ${until} order by until limit ${limit})`
  return gone.count
}

/**
 * Looks at the next events, and deletes those from before `endedBefore` whose rollout is settled
 * and had ended by then. `last` is the id of the last event looked at, or `null` when all that
 * follow are younger.
 */
export async function deleteOldUpdateEvents(
  { sql }: WriteTx,
  page: { readonly after: number; readonly limit: number },
  endedBefore: Date,
): Promise<{ last: number | null; count: number }> {
  const [row] = await sql<[{ last: number | null; count: number; isOld: boolean | null }]>`
    with page as (
      select id, rollout, at from update_events where id > ${page.after} order by id limit ${page.limit}
    ), gone as (
      delete from update_events e using page p, rollouts r
      where e.id = p.id and p.at < ${endedBefore} and r.id = p.rollout and r.is_settled and r.ended_at < ${endedBefore}
      returning 1
    )
    select max(id) as last, bool_or(at < ${endedBefore}) as "isOld", (select count(*) from gone) as count from page`
  return { last: row.isOld === true ? row.last : null, count: row.count }
}
