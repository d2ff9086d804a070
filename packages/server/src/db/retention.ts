/**
 * Deletes what has grown old, a bounded page at a time; each page begins where the one before it
 * ended.
 */
import type { ReadTx, WriteTx } from './connection.ts'

const textOid = 25
const bigintOid = 20

export interface OldReports {
  readonly device: string
  /**
   * All reports of the device up to this sequence number that were received before `receivedBefore`
   * may be deleted.
   */
  readonly upToSequence: number
}

export interface ReportLimits {
  readonly receivedBefore: Date
  /** The number of newest reports of each device that stay, however old they are. */
  readonly keptCount: number
  /** How many reports of each device are deleted at a time, at most. */
  readonly perDeviceMax: number
}

/**
 * Looks at the next devices by id, without a lock. `last` is the last of them, or `null` when there
 * is none. A device whose oldest report is young costs one index look-up.
 */
export async function findOldReports(
  { sql }: ReadTx,
  page: { readonly after: string; readonly devicesCount: number },
  { receivedBefore, keptCount, perDeviceMax }: ReportLimits,
): Promise<{ last: string | null; old: OldReports[] }> {
  const rows = await sql<{ device: string; upToSequence: number | null }[]>`
    select d.id as device, case when (
      select received_at from device_reports where device = d.id order by sequence limit 1
    ) < ${receivedBefore} then (
      select max(sequence) from (
        select sequence, received_at from device_reports
        where device = d.id and sequence < (
          select sequence from device_reports where device = d.id
          order by sequence desc offset ${keptCount - 1} limit 1
        )
        order by sequence limit ${perDeviceMax}
      ) beyond where received_at < ${receivedBefore}
    ) end as "upToSequence"
    from (select id from devices where id > ${page.after} order by id limit ${page.devicesCount}) d
    order by d.id`
  return {
    last: rows.at(-1)?.device ?? null,
    old: rows.flatMap(({ device, upToSequence }) =>
      upToSequence === null ? [] : { device, upToSequence },
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
    textOid,
  )
  const locked = await sql<{ id: string }[]>`
    select id from devices where id = any(${devices}) order by id for update skip locked`
  const ids = new Set(locked.map(({ id }) => id))
  const present = old.filter(({ device }) => ids.has(device))
  if (present.length === 0) return 0
  const given = sql`unnest(
    ${sql.array(
      present.map(({ device }) => device),
      textOid,
    )},
    ${sql.array(
      present.map(({ upToSequence }) => upToSequence),
      bigintOid,
    )}
  ) as g (device, up_to)`
  const gone = await sql`
    delete from device_reports r using ${given}
    where r.device = g.device and r.sequence <= g.up_to and r.received_at < ${receivedBefore}`
  await sql`
    update devices d set reports_pruned_to = greatest(coalesce(d.reports_pruned_to, -1), g.up_to)
    from ${given} where d.id = g.device`
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
