/**
 * Polls of foreign devices, many in one statement. Each is checked against its row once more, so
 * that a replaced token or a removed device is refused even where the notification about it was
 * missed.
 */
import type { DdiActionState } from '@seaworthy/fleet/protocols'
import type { ReadTx, WriteTx } from './connection.ts'
import type { StoredReport } from './devices.ts'
import type { ForeignProtocol } from './foreign-devices.ts'

export interface ForeignPoll {
  readonly device: string
  /** Hexadecimal; `null` when a gateway speaks for the device. */
  readonly secretSha256: string | null
  readonly gateway: string | null
}

export interface OpenAction {
  readonly id: number
  readonly sha256: string
  readonly rollout: string | null
  readonly state: Extract<DdiActionState, 'running' | 'canceling'>
  readonly isCancelRejected: boolean
  /** ISO 8601; `null` unless its client is asked to cancel. */
  readonly cancelAskedAt: string | null
  readonly statusesCount: number
}

/**
 * What is known of a foreign device: the device itself, what it said last, and what was offered to
 * it.
 */
export interface ForeignState {
  readonly device: string
  readonly fleet: string
  readonly protocol: ForeignProtocol
  readonly platform: string
  readonly hardware: string | null
  readonly tags: Readonly<Record<string, string>>
  /** `null` before its first poll. */
  readonly report: StoredReport | null
  /** Copy of its updates, as `device_states` has it. */
  readonly updates: readonly unknown[]
  readonly hasAttributes: boolean
  readonly action: OpenAction | null
  /** The id of the last action that ended well. */
  readonly installedAction: number | null
}

const facts = (sql: ReadTx['sql']) => sql`
  d.id as device, d.fleet, d.protocol, d.platform, d.hardware, d.tags, r.report,
  coalesce(s.updates, '[]') as updates, f.attributes_at is not null as "hasAttributes",
  (select jsonb_build_object('id', a.id, 'sha256', a.sha256, 'rollout', a.rollout, 'state', a.state,
      'isCancelRejected', a.is_cancel_rejected, 'cancelAskedAt', a.cancel_asked_at, 'statusesCount', a.statuses_count)
    from ddi_actions a where a.device = d.id and a.closed_at is null) as action,
  (select max(a.id) from ddi_actions a where a.device = d.id and a.state = 'finished') as "installedAction"`

const sources = (sql: ReadTx['sql']) => sql`
  join devices d on d.id = f.device
  left join device_states s on s.device = f.device
  left join last_reports r on r.device = f.device`

/**
 * At most one element per device, sorted by device: rows are locked in that order. The answer has
 * nothing for devices that are refused.
 */
export async function writeForeignPolls(
  { sql }: WriteTx,
  batch: readonly ForeignPoll[],
  seenAt: Date,
): Promise<Map<string, ForeignState>> {
  const column = (pick: (row: ForeignPoll) => string | null) => batch.map(pick) as string[]
  const rows = await sql<ForeignState[]>`
    with given as (
      select * from unnest(
        ${column((p) => p.device)}::text[], ${column((p) => p.secretSha256)}::text[], ${column((p) => p.gateway)}::text[]
      ) as g (device, secret, gateway)
    ), known as (
      select ${facts(sql)}
      from given g join foreign_devices f on f.device = g.device
        and encode(f.secret_sha256, 'hex') is not distinct from g.secret and f.gateway is not distinct from g.gateway
      ${sources(sql)}
      order by d.id
    ), seen as (
      update device_states s set seen_at = ${seenAt}, reported_at = ${seenAt}, fleet = k.fleet, hardware = k.hardware,
        tags = k.tags
      from known k where s.device = k.device
    )
    select * from known`
  return new Map(rows.map((row) => [row.device, row]))
}

/**
 * Reads the device's state in order to change it: its row in `devices` stays locked until the end
 * of the transaction. With `by`, the answer is `undefined` unless that credential is still the
 * device's own.
 */
export async function lockForeignState(
  { sql }: WriteTx,
  device: string,
  by?: ForeignPoll,
): Promise<ForeignState | undefined> {
  await sql`select 1 from devices where id = ${device} for no key update`
  const [row] = await sql<ForeignState[]>`
    select ${facts(sql)} from foreign_devices f ${sources(sql)} where f.device = ${device} and (${by === undefined}
      or (encode(f.secret_sha256, 'hex') is not distinct from ${by?.secretSha256 ?? null}::text
        and f.gateway is not distinct from ${by?.gateway ?? null}::text))`
  return row
}
