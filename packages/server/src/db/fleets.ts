/** Fleets and their policies. */
import type { Scope } from '@seaworthy/fleet/access'
import type { Baseline, FleetPolicy } from '@seaworthy/fleet/fleets'
import { copyScope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import { storable } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface FleetRow extends FleetPolicy {
  readonly sharedIdentity: 'tell' | 'stop'
  readonly createdAt: Date
}

const columns = (sql: ReadTx['sql']) => sql`
  name, product, channel, poll_seconds as "pollSeconds", pinned_version as "pinnedVersion",
  updates_enabled as "updatesEnabled", follow, reboot, shared_identity as "sharedIdentity",
  case when baseline_version is not null
    then jsonb_build_object('version', baseline_version, 'sha256', baseline_sha256, 'counter', baseline_counter)
    end as baseline,
  config_version as "configVersion", created_at as "createdAt"`

export async function insertFleet({ sql }: WriteTx, row: FleetRow): Promise<boolean> {
  const inserted = await sql`
    insert into fleets (name, product, channel, poll_seconds, pinned_version, updates_enabled, follow, reboot,
      shared_identity, created_at)
    values (${row.name}, ${row.product}, ${row.channel}, ${row.pollSeconds}, ${row.pinnedVersion},
      ${row.updatesEnabled}, ${row.follow}, ${sql.json(storable(row.reboot))}, ${row.sharedIdentity}, ${row.createdAt})
    on conflict do nothing`
  return inserted.count === 1
}

/** How many fleets the product has. */
export async function countFleets({ sql }: ReadTx, product: string): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from fleets where product = ${product}`
  return row.count
}

export async function getFleet({ sql }: ReadTx, name: string): Promise<FleetRow | undefined> {
  const [row] = await sql<
    FleetRow[]
  >`select ${columns(sql)} from fleets where name = ${name} and removed_at is null`
  return row
}

export async function lockFleet({ sql }: WriteTx, name: string): Promise<FleetRow | undefined> {
  const [row] = await sql<FleetRow[]>`
    select ${columns(sql)} from fleets where name = ${name} and removed_at is null for update`
  return row
}

export async function updateFleet({ sql }: WriteTx, row: FleetRow): Promise<void> {
  await sql`
    update fleets set poll_seconds = ${row.pollSeconds}, pinned_version = ${row.pinnedVersion},
      updates_enabled = ${row.updatesEnabled}, follow = ${row.follow},
      reboot = ${sql.json(storable(row.reboot))}, shared_identity = ${row.sharedIdentity}
    where name = ${row.name}`
}

/** Sets what devices outside every rollout get. The fleet must be locked. */
export async function setBaseline(
  { sql }: WriteTx,
  fleet: string,
  { version, sha256, counter }: Baseline,
): Promise<void> {
  await sql`
    update fleets set baseline_version = ${version}, baseline_sha256 = ${sha256}, baseline_counter = ${counter}
    where name = ${fleet}`
}

export async function listFleets(
  { sql }: ReadTx,
  page: { after: string; limit: number } & Scope,
): Promise<(FleetRow & { devicesCount: number })[]> {
  const { products, fleets } = copyScope(page)
  return sql<(FleetRow & { devicesCount: number })[]>`
    select ${columns(sql)},
      (select count(*) from devices d where d.fleet = fleets.name) as "devicesCount"
    from fleets where name > ${page.after} and removed_at is null
      and (${fleets}::text[] is null or name = any(${fleets}::text[]))
      and (${products}::text[] is null or product = any(${products}::text[]))
    order by name limit ${page.limit}`
}

/**
 * All fleets, also those that were removed, for the table in memory: at most as many as people have
 * created.
 */
export async function listAllFleets({ sql }: ReadTx): Promise<FleetRow[]> {
  return sql<FleetRow[]>`select ${columns(sql)} from fleets`
}

export async function countFleetDevices({ sql }: ReadTx, fleet: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from devices where fleet = ${fleet}`
  return row!.count
}

/** Whether a fleet of that name was removed. */
export async function isRemovedFleet({ sql }: ReadTx, name: string): Promise<boolean> {
  const rows = await sql`select from fleets where name = ${name} and removed_at is not null`
  return rows.count === 1
}

export interface FleetDependents {
  readonly devicesCount: number
  readonly provisioningKeysCount: number
  readonly gatewayTokensCount: number
  readonly rebootLockKeysCount: number
  readonly settingsCount: number
}

/** Counts what belongs to the fleet, besides its rollouts. */
export async function countDependents(
  { sql }: ReadTx,
  fleet: string,
  now: Date,
): Promise<FleetDependents> {
  const [row] = await sql<[FleetDependents]>`
    select
      (select count(*) from devices where fleet = ${fleet})::int as "devicesCount",
      (select count(*) from provisioning_keys where fleet = ${fleet} and revoked_at is null
        and expires_at > ${now} and uses_left > 0)::int as "provisioningKeysCount",
      (select count(*) from gateway_tokens where fleet = ${fleet} and revoked_at is null)::int
        as "gatewayTokensCount",
      (select count(*) from fleetlock_keys where fleet = ${fleet} and revoked_at is null)::int
        as "rebootLockKeysCount",
      (select count(*) from settings where fleet = ${fleet})::int as "settingsCount"`
  return row
}

/** Ends the fleet with its keys and settings. It must be locked, and have no device. */
export async function endFleet({ sql }: RightsTx, name: string, now: Date): Promise<void> {
  await sql`
    update provisioning_keys set revoked_at = ${now} where fleet = ${name} and revoked_at is null`
  await sql`
    with ended as (
      update gateway_tokens set revoked_at = ${now} where fleet = ${name} and revoked_at is null
      returning id)
    select pg_notify('foreign_devices', id) from ended`
  await sql`
    update fleetlock_keys set revoked_at = ${now} where fleet = ${name} and revoked_at is null`
  await sql`delete from settings where fleet = ${name}`
  await sql`update fleets set removed_at = ${now} where name = ${name}`
}

/** Tells every worker to load the fleets again. */
export async function notifyFleets({ sql }: WriteTx): Promise<void> {
  await sql`select pg_notify('fleets', '')`
}
