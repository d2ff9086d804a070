/** hawkBit's actions: what a DDI client knows as one attempt. At most one of a device is open. */
import type { ReadTx, WriteTx } from './connection.ts'

export type DdiActionState = 'running' | 'canceling' | 'finished' | 'failed' | 'canceled'

export interface DdiActionRow {
  readonly device: string
  /** From 1, per device. */
  readonly id: number
  readonly product: string
  readonly version: string
  /** Of the release's OCI index. */
  readonly sha256: string
  readonly counter: number
  /** Of the update that it stands for; `null` where no rollout decided. */
  readonly rollout: string | null
  readonly attempt: number | null
  readonly state: DdiActionState
  readonly isCancelRejected: boolean
  readonly statusesCount: number
  /** The last ones, newest first. */
  readonly messages: readonly string[]
  readonly createdAt: Date
  readonly changedAt: Date
  readonly closedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  device, id, product, version, sha256, counter, rollout, attempt, state, is_cancel_rejected as "isCancelRejected",
  statuses_count as "statusesCount", messages, created_at as "createdAt", changed_at as "changedAt",
  closed_at as "closedAt"`

/** Newest first. */
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
