/**
 * Polls of foreign devices, many in one statement. Each is checked against its row once more, so
 * that a replaced token or a removed device is refused even where the notification about it was
 * missed.
 *
 * The `digest` of a foreign device's row in `device_states` is the mark of the credential that the
 * row was last checked against: while it is there, that row and the last report hold all that a
 * poll needs to know of the device. Code that changes the device, its credential, its attributes or
 * its report empties the mark in the same transaction, as for our own agents, and locks the device
 * first.
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
  readonly protocol: ForeignProtocol
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

const openAction = (sql: ReadTx['sql'], device: string) => sql`
  (select jsonb_build_object('id', a.id, 'sha256', a.sha256, 'rollout', a.rollout, 'state', a.state,
      'isCancelRejected', a.is_cancel_rejected, 'cancelAskedAt', a.cancel_asked_at, 'statusesCount', a.statuses_count)
    from ddi_actions a where a.device = ${sql(device)} and a.closed_at is null)`

const installedAction = (sql: ReadTx['sql'], device: string) => sql`
  (select max(a.id) from ddi_actions a where a.device = ${sql(device)} and a.state = 'finished')`

const facts = (sql: ReadTx['sql']) => sql`
  d.id as device, d.fleet, d.protocol, d.platform, d.hardware, d.tags, r.report,
  coalesce(s.updates, '[]') as updates, f.attributes_at is not null as "hasAttributes",
  ${openAction(sql, 'd.id')} as action, ${installedAction(sql, 'd.id')} as "installedAction"`

const sources = (sql: ReadTx['sql']) => sql`
  join devices d on d.id = f.device
  left join device_states s on s.device = f.device
  left join last_reports r on r.device = f.device`

/** A credential's mark for a device that has sent its attributes, and for one that has not. */
const marks = {
  withAttributes: (mark: string) => `attributes:${mark}`,
  without: (mark: string) => `bare:${mark}`,
} as const

/** The marks of a token and of a gateway differ, whatever they are called. */
const markOf = ({ secretSha256, gateway }: Pick<ForeignPoll, 'secretSha256' | 'gateway'>) =>
  secretSha256 === null ? `gateway:${gateway}` : `secret:${secretSha256}`

/** The mark of a device that has polled with a token of its own, and has sent no attributes yet. */
export const bareMarkOf = (secretSha256: string) =>
  marks.without(markOf({ secretSha256, gateway: null }))

const column = (batch: readonly ForeignPoll[], pick: (row: ForeignPoll) => string | null) =>
  batch.map(pick) as string[]

type KnownRow = Omit<ForeignState, 'device' | 'protocol' | 'platform' | 'report'> & {
  readonly place: number
  readonly report: StoredReport
}

/**
 * Notes the polls of those devices about which nothing has changed since `learnForeignPolls`: one
 * row is written in place, and one more read. At most one element per device, sorted by device:
 * rows are locked in that order. The answer has nothing for the others, refused ones included.
 */
export async function writeForeignPolls(
  { sql, atStatement }: WriteTx,
  batch: readonly ForeignPoll[],
): Promise<Map<string, ForeignState>> {
  const list = (pick: (mark: string) => string) => column(batch, (poll) => pick(markOf(poll)))
  const rows = await sql<KnownRow[]>`
    update device_states s set seen_at = ${atStatement()}, reported_at = ${atStatement()}
    from unnest(
      ${column(batch, (p) => p.device)}::text[], ${list(marks.withAttributes)}::text[], ${list(marks.without)}::text[],
      ${column(batch, (p) => p.protocol)}::text[]
    ) with ordinality as g (device, with_attributes, without, protocol, place)
    join last_reports r on r.device = g.device
    where s.device = g.device and s.digest in (g.with_attributes, g.without)
    returning g.place::integer - 1 as place, s.fleet, s.hardware, s.tags, s.updates, r.report,
      s.digest = g.with_attributes as "hasAttributes",
      case when g.protocol = 'ddi' then ${openAction(sql, 'g.device')} end as action,
      case when g.protocol = 'ddi' then ${installedAction(sql, 'g.device')} end as "installedAction"`
  return new Map(
    rows.map(({ place, ...row }) => {
      const { device, protocol } = batch[place]!
      // A device never changes its protocol and its platform.
      return [device, { ...row, device, protocol, platform: row.report.platform }]
    }),
  )
}

/**
 * Notes the polls of devices about which something has changed, from all that is stored of them,
 * and copies what the next polls need. At most one element per device, sorted by device. The answer
 * has nothing for devices that are refused. The rows of the devices are locked first, as in
 * `lockReporting`: the mark of a credential is never written after it was replaced.
 */
export async function learnForeignPolls(
  { sql, atStatement }: WriteTx,
  batch: readonly ForeignPoll[],
): Promise<Map<string, ForeignState>> {
  const devices = column(batch, (p) => p.device)
  await sql`select 1 from devices where id = any(${devices}) order by id for no key update`
  const list = (pick: (mark: string) => string) => column(batch, (poll) => pick(markOf(poll)))
  const rows = await sql<ForeignState[]>`
    with given as (
      select * from unnest(
        ${devices}::text[], ${column(batch, (p) => p.secretSha256)}::text[], ${column(batch, (p) => p.gateway)}::text[],
        ${list(marks.withAttributes)}::text[], ${list(marks.without)}::text[]
      ) as g (device, secret, gateway, with_attributes, without)
    ), known as (
      select ${facts(sql)},
        case when f.attributes_at is null then g.without else g.with_attributes end as mark
      from given g join foreign_devices f on f.device = g.device
        and encode(f.secret_sha256, 'hex') is not distinct from g.secret and f.gateway is not distinct from g.gateway
      ${sources(sql)}
      order by d.id
    ), seen as (
      update device_states s set seen_at = ${atStatement()}, reported_at = ${atStatement()}, fleet = k.fleet, hardware = k.hardware,
        tags = k.tags, digest = k.mark
      from known k where s.device = k.device
    )
    select device, fleet, protocol, platform, hardware, tags, report, updates, "hasAttributes", action, "installedAction"
    from known`
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
