/**
 * What is known of devices whose reports came from several boots, or whose sequence numbers went
 * back. Most devices have no row.
 */
import type { IdentityTrace } from '@seaworthy/fleet/devices'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

interface TraceRow {
  readonly device: string
  readonly leftBoots: readonly string[]
  readonly wentBackAtMs: readonly number[]
  readonly sharedSince: Date | null
}

/**
 * Reads the traces of devices that are locked, so that nobody else writes them. At most one for
 * each device.
 */
export async function readTraces(
  { sql }: WriteTx,
  devices: readonly string[],
): Promise<Map<string, IdentityTrace>> {
  const rows = await sql<TraceRow[]>`
    select device, left_boots as "leftBoots", went_back_at as "wentBackAtMs", shared_since as "sharedSince"
    from identity_traces where device = any(${sql.array([...devices], textsOid)})`
  return new Map(
    rows.map(({ device, leftBoots, wentBackAtMs, sharedSince }) => [
      device,
      { leftBoots, wentBackAtMs, sharedSinceMs: sharedSince?.getTime() ?? null },
    ]),
  )
}

export async function writeTrace(
  { sql }: WriteTx,
  device: string,
  { leftBoots, wentBackAtMs, sharedSinceMs }: IdentityTrace,
): Promise<void> {
  await sql`
    insert into identity_traces (device, left_boots, went_back_at, shared_since)
    values (${device}, ${sql.json([...leftBoots])}, ${sql.json([...wentBackAtMs])},
      ${sharedSinceMs === null ? null : new Date(sharedSinceMs)})
    on conflict (device) do update set left_boots = excluded.left_boots,
      went_back_at = excluded.went_back_at, shared_since = excluded.shared_since`
}

/**
 * Records that a person has decided: the trace of the device starts afresh. Answers false when the
 * identity did not count as shared.
 */
export async function endIdentitySharing({ sql }: WriteTx, device: string): Promise<boolean> {
  const rows = await sql`
    delete from identity_traces where device = ${device} and shared_since is not null`
  return rows.count === 1
}

/**
 * Devices that get no token, because their identity is shared and their fleet stops such devices.
 * At most one for each device of such a fleet.
 */
export async function listStoppedDevices({ sql }: ReadTx): Promise<string[]> {
  const rows = await sql<{ device: string }[]>`
    select t.device from identity_traces t
      join devices d on d.id = t.device
      join fleets f on f.name = d.fleet and f.shared_identity = 'stop'
    where t.shared_since is not null`
  return rows.map(({ device }) => device)
}

/** How many devices of the fleet have a shared identity. */
export async function countSharedIdentities({ sql }: ReadTx, fleet: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from identity_traces t join devices d on d.id = t.device
    where d.fleet = ${fleet} and t.shared_since is not null`
  return row!.count
}

export async function notifyStoppedDevices({ sql }: WriteTx): Promise<void> {
  await sql`select pg_notify('stopped_devices', '')`
}
