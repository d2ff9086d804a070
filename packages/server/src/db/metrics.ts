/** Numbers about what is stored, for people who watch the server. None of them decides anything. */
import type { ReadTx } from './connection.ts'

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
  readonly seen: number
}

/** Reads every row of both tables: for one worker, now and then. */
export async function countDevices({ sql }: ReadTx, seenSince: Date): Promise<DeviceCounts> {
  const [row] = await sql<[DeviceCounts]>`
    select (select count(*) from devices) as registered,
      (select count(*) from device_states where seen_at >= ${seenSince}) as seen`
  return row
}
