/** Fleets and their policies. */
import type { Scope } from '@seaworthy/fleet/access'
import type { Baseline, FleetPolicy } from '@seaworthy/fleet/fleets'
import { copyScope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import { storable } from './connection.ts'

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

export async function getFleet({ sql }: ReadTx, name: string): Promise<FleetRow | undefined> {
  const [row] = await sql<FleetRow[]>`select ${columns(sql)} from fleets where name = ${name}`
  return row
}

export async function lockFleet({ sql }: WriteTx, name: string): Promise<FleetRow | undefined> {
  const [row] = await sql<FleetRow[]>`
    select ${columns(sql)} from fleets where name = ${name} for update`
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
    from fleets where name > ${page.after}
      and (${fleets}::text[] is null or name = any(${fleets}::text[]))
      and (${products}::text[] is null or product = any(${products}::text[]))
    order by name limit ${page.limit}`
}

/** All fleets, for the table in memory: at most as many as people have created. */
export async function listAllFleets({ sql }: ReadTx): Promise<FleetRow[]> {
  return sql<FleetRow[]>`select ${columns(sql)} from fleets`
}

export async function countFleetDevices({ sql }: ReadTx, fleet: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from devices where fleet = ${fleet}`
  return row!.count
}

/** Tells every worker to load the fleets again. */
export async function notifyFleets({ sql }: WriteTx): Promise<void> {
  await sql`select pg_notify('fleets', '')`
}
