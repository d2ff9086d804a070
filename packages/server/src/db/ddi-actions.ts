/**
 * hawkBit's actions: what a DDI client knows as one attempt. A device has at most one open action.
 */
import type { DdiAction } from '@seaworthy/fleet/protocols'
import type { ReadTx, WriteTx } from './connection.ts'

export interface DdiActionRow extends DdiAction {
  readonly device: string
  /** The number of the action, counted from 1 for each device. */
  readonly id: number
  /** The rollout whose update the action stands for; `null` where no rollout decided. */
  readonly rollout: string | null
  readonly attempt: number | null
  readonly createdAt: Date
}

const columns = (sql: ReadTx['sql']) => sql`
  device, id, product, version, sha256, counter, rollout, attempt, state, is_cancel_rejected as "isCancelRejected",
  cancel_asked_at as "cancelAskedAt",
  statuses_count as "statusesCount", messages, created_at as "createdAt", changed_at as "changedAt",
  closed_at as "closedAt"`

/** Lists the actions of a device, newest first. */
export async function listDdiActions(
  { sql }: ReadTx,
  device: string,
  limit: number,
): Promise<DdiActionRow[]> {
  return sql<DdiActionRow[]>`
    select ${columns(sql)} from ddi_actions where device = ${device} order by id desc limit ${limit}`
}

export async function getDdiAction(
  { sql }: ReadTx,
  device: string,
  id: number,
): Promise<DdiActionRow | undefined> {
  const [row] = await sql<DdiActionRow[]>`
    select ${columns(sql)} from ddi_actions where device = ${device} and id = ${id}`
  return row
}

/** The open action of the device; there is at most one. */
export async function getOpenDdiAction(
  { sql }: ReadTx,
  device: string,
): Promise<DdiActionRow | undefined> {
  const [row] = await sql<DdiActionRow[]>`
    select ${columns(sql)} from ddi_actions where device = ${device} and closed_at is null`
  return row
}

/** How many of its last actions a device keeps, besides the last one that ended well. */
const actionsKept = 50

/**
 * Makes the action the device's open one, and drops the oldest; answers `undefined` when the device
 * has an open one already.
 */
export async function insertDdiAction(
  { sql }: WriteTx,
  action: Pick<
    DdiActionRow,
    'device' | 'product' | 'version' | 'sha256' | 'counter' | 'rollout' | 'createdAt'
  >,
): Promise<DdiActionRow | undefined> {
  const [row] = await sql<DdiActionRow[]>`
    with made as (insert into ddi_actions
      (device, id, product, version, sha256, counter, rollout, attempt, state, created_at, changed_at)
    select d.id, coalesce((select max(a.id) from ddi_actions a where a.device = d.id), 0) + 1, ${action.product},
      ${action.version}, ${action.sha256}, ${action.counter}, ${action.rollout},
      case when ${action.rollout}::text is null then null else 1 + coalesce((
        select max(a.attempt) from ddi_actions a where a.device = d.id and a.rollout = ${action.rollout}), 0) end,
      'running', ${action.createdAt}, ${action.createdAt}
    from devices d where d.id = ${action.device}
      and not exists (select 1 from ddi_actions a where a.device = d.id and a.closed_at is null)
    on conflict do nothing
    returning ${columns(sql)}), dropped as (
      delete from ddi_actions a using made m
      where a.device = m.device and a.id <= m.id - ${actionsKept}::integer and a.closed_at is not null
        and a.id is distinct from (
          select max(f.id) from ddi_actions f where f.device = m.device and f.state = 'finished')
    )
    select * from made`
  return row
}

/** Answers false when the action is no longer running. */
export async function askToCancel(
  { sql }: WriteTx,
  device: string,
  id: number,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update ddi_actions set state = 'canceling', cancel_asked_at = ${now}, changed_at = ${now}
    where device = ${device} and id = ${id} and state = 'running' and not is_cancel_rejected`
  return rows.count === 1
}

export async function writeDdiAction({ sql }: WriteTx, row: DdiActionRow): Promise<void> {
  await sql`
    update ddi_actions set state = ${row.state}, is_cancel_rejected = ${row.isCancelRejected}, cancel_asked_at = ${row.cancelAskedAt},
      statuses_count = ${row.statusesCount}, messages = ${sql.json([...row.messages])}, changed_at = ${row.changedAt},
      closed_at = ${row.closedAt}
    where device = ${row.device} and id = ${row.id}`
}
