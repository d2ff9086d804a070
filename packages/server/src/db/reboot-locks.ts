/** Who holds a restart slot of a fleet, and the keys of FleetLock clients. */
import type { RebootPolicy } from '@seaworthy/fleet/fleets'
import type { ReadTx, WriteTx } from './connection.ts'

export interface RebootLockRow {
  readonly id: string
  readonly fleet: string
  readonly kind: 'device' | 'client'
  readonly holder: string
  readonly device: string | null
  readonly sha256: string | null
  readonly sequence: number | null
  readonly takenAt: Date
  readonly askedAt: Date
  readonly alarmedAt: Date | null
}

export interface RebootLockWithDevice extends RebootLockRow {
  readonly reboot: RebootPolicy
  readonly deviceName: string | null
  readonly deviceSeenAt: Date | null
  readonly updateState: string | null
}

const columns = (sql: ReadTx['sql']) => sql`
  l.id, l.fleet, l.kind, l.holder, l.device, l.sha256, l.sequence, l.taken_at as "takenAt",
  l.asked_at as "askedAt", l.alarmed_at as "alarmedAt"`

const withDevice = (sql: ReadTx['sql']) => sql`
  select ${columns(sql)}, f.reboot, d.name as "deviceName", s.seen_at as "deviceSeenAt",
    r.report -> 'update' ->> 'state' as "updateState"
  from reboot_locks l join fleets f on f.name = l.fleet
    left join devices d on d.id = l.device left join device_states s on s.device = l.device
    left join last_reports r on r.device = l.device`

/**
 * Keeps everybody else from taking or giving back a slot of the fleet until the transaction ends.
 * Answers the fleet's newest policy.
 */
export async function lockRebootGroup(
  { sql }: WriteTx,
  fleet: string,
): Promise<RebootPolicy | undefined> {
  await sql`
    insert into reboot_groups (fleet) select name from fleets where name = ${fleet}
    on conflict do nothing`
  await sql`select 1 from reboot_groups where fleet = ${fleet} for update`
  const [row] = await sql<{ reboot: RebootPolicy }[]>`
    select reboot from fleets where name = ${fleet}`
  return row?.reboot
}

export async function countHolders({ sql }: ReadTx, fleet: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from reboot_locks where fleet = ${fleet}`
  return row!.count
}

export async function getHolder(
  { sql }: ReadTx,
  holder: Pick<RebootLockRow, 'fleet' | 'kind' | 'holder'>,
): Promise<RebootLockRow | undefined> {
  const [row] = await sql<RebootLockRow[]>`
    select ${columns(sql)} from reboot_locks l
    where l.fleet = ${holder.fleet} and l.kind = ${holder.kind} and l.holder = ${holder.holder}`
  return row
}

/**
 * Answers false when the device is not in the fleet; otherwise the device is neither removed nor
 * moved until the transaction ends.
 */
export async function keepInFleet(
  { sql }: WriteTx,
  device: string,
  fleet: string,
): Promise<boolean> {
  const rows = await sql<
    { fleet: string }[]
  >`select fleet from devices where id = ${device} for share`
  return rows[0]?.fleet === fleet
}

export async function insertLock({ sql }: WriteTx, row: RebootLockRow): Promise<void> {
  await sql`
    insert into reboot_locks (id, fleet, kind, holder, device, sha256, sequence, taken_at, asked_at)
    values (${row.id}, ${row.fleet}, ${row.kind}, ${row.holder}, ${row.device}, ${row.sha256},
      ${row.sequence}, ${row.takenAt}, ${row.askedAt})`
}

/** Answers false when the lock was given back in the meantime. */
export async function touchLock(
  { sql }: WriteTx,
  row: Pick<RebootLockRow, 'id' | 'sha256' | 'sequence' | 'askedAt'>,
): Promise<boolean> {
  const rows = await sql`
    update reboot_locks set asked_at = ${row.askedAt}, sha256 = ${row.sha256}, sequence = ${row.sequence}
    where id = ${row.id}`
  return rows.count === 1
}

export async function markAlarmed({ sql }: WriteTx, id: string, now: Date): Promise<void> {
  await sql`update reboot_locks set alarmed_at = ${now} where id = ${id}`
}

export async function deleteLock({ sql }: WriteTx, id: string): Promise<boolean> {
  const rows = await sql`delete from reboot_locks where id = ${id}`
  return rows.count === 1
}

/**
 * The slots of a device: at most one by its credential and two by its id and name, in each fleet.
 */
export async function listLocksOfDevice({ sql }: ReadTx, device: string): Promise<RebootLockRow[]> {
  return sql<RebootLockRow[]>`
    select ${columns(sql)} from reboot_locks l where l.device = ${device} order by l.fleet`
}

/**
 * Whether one of the device's updates is past the point at which it began to interrupt its service.
 */
export async function isUpdateUnfinished({ sql }: ReadTx, device: string): Promise<boolean> {
  const rows = await sql`
    select 1 from updates where device = ${device} and ended_at is null
      and state in ('installing', 'restarting', 'watching') limit 1`
  return rows.length > 0
}

/**
 * The device of the fleet that a FleetLock client runs on, if the client names itself by the
 * device's id or name.
 */
export async function findDeviceOfClient(
  { sql }: ReadTx,
  fleet: string,
  client: string,
): Promise<string | null> {
  const rows = await sql<{ id: string }[]>`
    select id from devices where fleet = ${fleet} and (id = ${client} or name = ${client}) limit 2`
  return rows.length === 1 ? rows[0]!.id : null
}

export async function getLock(
  { sql }: ReadTx,
  id: string,
): Promise<RebootLockWithDevice | undefined> {
  const [row] = await sql<RebootLockWithDevice[]>`${withDevice(sql)} where l.id = ${id}`
  return row
}

export async function listLocks(
  { sql }: ReadTx,
  page: { fleet: string; after: string; limit: number },
): Promise<RebootLockWithDevice[]> {
  return sql<RebootLockWithDevice[]>`
    ${withDevice(sql)} where l.fleet = ${page.fleet} and l.id > ${page.after}
    order by l.id limit ${page.limit}`
}

/** All locks: never more than the slots of all fleets together. */
export async function listAllLocks({ sql }: ReadTx): Promise<RebootLockWithDevice[]> {
  return sql<RebootLockWithDevice[]>`${withDevice(sql)} order by l.id`
}

/** Who holds a slot: at most as many as all fleets have slots. */
export async function listHoldersOfAll({
  sql,
}: ReadTx): Promise<Pick<RebootLockRow, 'fleet' | 'kind' | 'holder'>[]> {
  return sql<RebootLockRow[]>`select fleet, kind, holder from reboot_locks`
}

export async function notifyLocks({ sql }: WriteTx): Promise<void> {
  await sql`select pg_notify('reboot_locks', '')`
}

export interface FleetLockKeyRow {
  readonly id: string
  readonly fleet: string
  readonly secretSha256: Uint8Array
  readonly createdAt: Date
  readonly createdBy: string
  readonly revokedAt: Date | null
}

const keyColumns = (sql: ReadTx['sql']) => sql`
  id, fleet, secret_sha256 as "secretSha256", created_at as "createdAt", created_by as "createdBy",
  revoked_at as "revokedAt"`

export async function insertFleetLockKey({ sql }: WriteTx, row: FleetLockKeyRow): Promise<void> {
  await sql`
    insert into fleetlock_keys (id, fleet, secret_sha256, created_at, created_by)
    values (${row.id}, ${row.fleet}, ${Buffer.from(row.secretSha256)}, ${row.createdAt}, ${row.createdBy})`
}

export async function getFleetLockKey(
  { sql }: ReadTx,
  id: string,
): Promise<FleetLockKeyRow | undefined> {
  const [row] = await sql<FleetLockKeyRow[]>`
    select ${keyColumns(sql)} from fleetlock_keys where id = ${id}`
  return row
}

/** How many keys of the fleet work. */
export async function countFleetLockKeys({ sql }: ReadTx, fleet: string): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from fleetlock_keys
    where fleet = ${fleet} and revoked_at is null`
  return row.count
}

export async function listFleetLockKeys(
  { sql }: ReadTx,
  page: { fleet: string; after: string; limit: number },
): Promise<FleetLockKeyRow[]> {
  return sql<FleetLockKeyRow[]>`
    select ${keyColumns(sql)} from fleetlock_keys
    where fleet = ${page.fleet} and id > ${page.after} and revoked_at is null
    order by id limit ${page.limit}`
}

/** Lists the first keys that one of `makers` has made and that still work. */
export async function listFleetLockKeysOf(
  { sql }: ReadTx,
  makers: readonly string[],
  limit: number,
): Promise<Pick<FleetLockKeyRow, 'id' | 'fleet'>[]> {
  return sql<Pick<FleetLockKeyRow, 'id' | 'fleet'>[]>`
    select id, fleet from fleetlock_keys
    where created_by = any(${[...makers]}) and revoked_at is null order by id limit ${limit}`
}

export async function revokeFleetLockKey(
  { sql }: WriteTx,
  id: string,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update fleetlock_keys set revoked_at = ${now} where id = ${id} and revoked_at is null`
  return rows.count === 1
}
