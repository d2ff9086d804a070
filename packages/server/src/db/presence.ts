/**
 * Conditions on when a device was heard of, as `fleet/devices` defines them. Queries that use them
 * have `devices d`, `fleets f` and, by an outer join, `device_states s`.
 */
import type { Presence } from '@seaworthy/fleet/devices'
import { missedPollsMin, onlineSecondsMin, silentSecondsDefault } from '@seaworthy/fleet/devices'
import type { PendingQuery, Row } from 'postgres'
import type { ReadTx } from './connection.ts'

type Sql = ReadTx['sql']
type Condition = PendingQuery<Row[]>

/** When a device was heard of last: it registered then, if never since. */
export const heardAt = (sql: Sql): Condition => sql`coalesce(s.seen_at, d.registered_at)`

export const isHeardBefore = (sql: Sql, at: Date): Condition => sql`${heardAt(sql)} < ${at}`

export const isHeardSince = (sql: Sql, at: Date): Condition => sql`${heardAt(sql)} >= ${at}`

export function isPresence(sql: Sql, presence: Presence, now: Date): Condition {
  const isOnline = isHeardWithin(sql, onlineSecondsMin, now)
  switch (presence) {
    case 'online':
      return isOnline
    case 'late':
      return sql`(not ${isOnline} and ${isNotSilent(sql, now)})`
    case 'silent':
      return sql`not ${isNotSilent(sql, now)}`
  }
}

export const isNotSilent = (sql: Sql, now: Date): Condition =>
  isHeardWithin(sql, silentSecondsDefault, now)

function isHeardWithin(sql: Sql, secondsMin: number, now: Date): Condition {
  return sql`(${heardAt(sql)} >=
    ${now}::timestamptz - greatest(${secondsMin}, ${missedPollsMin} * f.poll_seconds) * interval '1 second')`
}
