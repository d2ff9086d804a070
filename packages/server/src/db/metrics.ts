/** Numbers about what is stored, for people who watch the server. None of them decides anything. */
import { failedStates } from '@seaworthy/fleet/rollouts'
import { textsOid } from './arrays.ts'
import type { ReadTx } from './connection.ts'
import { isPresence } from './presence.ts'

export interface LogBacklog {
  /** Entries without a place in the log, counted up to `max`. */
  readonly pendingCount: number
  /** The oldest of them. */
  readonly oldestEntry: Uint8Array | null
}

export async function readLogBacklog({ sql }: ReadTx, max: number): Promise<LogBacklog> {
  const [row] = await sql<[LogBacklog]>`
    with pending as (
      select id from audit_entries where leaf_index is null order by id limit ${max}
    )
    select count(*) as "pendingCount",
      (select entry from audit_entries where id = (select min(id) from pending)) as "oldestEntry"
    from pending`
  return row
}

export interface DeviceCounts {
  readonly registered: number
  readonly online: number
  readonly silent: number
  readonly failed: number
  readonly identityShared: number
}

/** Reads every row of the tables: only one worker does this, now and then. */
export async function countDevices({ sql }: ReadTx, now: Date): Promise<DeviceCounts> {
  const [row] = await sql<[DeviceCounts]>`
    select count(*) as registered, count(*) filter (where ${isPresence(sql, 'online', now)}) as online,
      count(*) filter (where ${isPresence(sql, 'silent', now)}) as silent,
      (select count(*) from last_reports r
        where r.report -> 'update' ->> 'state' = any(${sql.array([...failedStates], textsOid)})) as failed,
      (select count(*) from identity_traces where shared_since is not null) as "identityShared"
    from devices d join fleets f on f.name = d.fleet left join device_states s on s.device = d.id`
  return row
}

export interface RolloutCounts {
  readonly id: string
  readonly fleet: string
  readonly state: string
  /** Why the rollout was stopped; `null` while it was not. */
  readonly stopCode: string | null
  readonly wavesCount: number
  readonly wavesOpenCount: number
  readonly offered: number
  readonly inFlight: number
  readonly healthy: number
  readonly failed: number
  readonly superseded: number
}

/**
 * Rollouts that have not ended before `since`, the newest first. Only the waves' counters are read,
 * no device's row.
 */
export async function listRolloutCounts(
  { sql }: ReadTx,
  since: Date,
  max: number,
): Promise<RolloutCounts[]> {
  return sql<RolloutCounts[]>`
    with newest as (
      select id, fleet, state, stop_code, waves_open_count from rollouts
      where ended_at is null or ended_at >= ${since} order by id desc limit ${max}
    )
    select r.id, r.fleet, r.state, r.stop_code as "stopCode",
      count(*) as "wavesCount", r.waves_open_count as "wavesOpenCount",
      sum(w.offered_count)::bigint as offered, sum(w.in_flight_count)::bigint as "inFlight",
      sum(w.healthy_count)::bigint as healthy, sum(w.failed_count)::bigint as failed,
      sum(w.superseded_count)::bigint as superseded
    from newest r join rollout_waves w on w.rollout = r.id
    group by r.id, r.fleet, r.state, r.stop_code, r.waves_open_count`
}
