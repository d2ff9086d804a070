/**
 * Devices of other protocols: their secrets, their own names, and the gateways that speak for some
 * of them.
 */
import type { PendingQuery, Row } from 'postgres'
import type { ReadTx, WriteTx } from './connection.ts'

/** A part of a statement. */
type Fragment = PendingQuery<Row[]>

export type ForeignProtocol = 'ddi' | 'omaha'

export interface ForeignDeviceRow {
  readonly device: string
  readonly protocol: ForeignProtocol
  readonly externalId: string | null
  readonly homeFleet: string
  /** `null` for a device behind a gateway. */
  readonly secretSha256: Uint8Array | null
  readonly gateway: string | null
  /**
   * Whoever made the token that it has now; `null` where nobody knows, or a gateway speaks for it.
   */
  readonly tokenMadeBy: string | null
  readonly attributes: Readonly<Record<string, string>>
  readonly attributesAt: Date | null
}

export interface GatewayTokenRow {
  readonly id: string
  readonly fleet: string
  readonly platform: string
  readonly hardware: string | null
  readonly secretSha256: Uint8Array
  readonly usesLeft: number
  readonly createdAt: Date
  readonly createdBy: string
  readonly revokedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  device, protocol, external_id as "externalId", home_fleet as "homeFleet", secret_sha256 as "secretSha256", gateway,
  token_made_by as "tokenMadeBy", attributes, attributes_at as "attributesAt"`

const gatewayColumns = (sql: ReadTx['sql']) => sql`
  id, fleet, platform, hardware, secret_sha256 as "secretSha256", uses_left as "usesLeft", created_at as "createdAt",
  created_by as "createdBy", revoked_at as "revokedAt"`

/**
 * Answers false when the fleet already has a device of that protocol and external id. The device's
 * row in `devices` must be inserted first.
 */
export async function insertForeignDevice(
  { sql }: WriteTx,
  row: Omit<ForeignDeviceRow, 'attributes' | 'attributesAt'>,
): Promise<boolean> {
  const inserted = await sql`
    insert into foreign_devices (device, protocol, external_id, home_fleet, secret_sha256, gateway,
      token_made_by)
    values (${row.device}, ${row.protocol}, ${row.externalId}, ${row.homeFleet},
      ${row.secretSha256 && Buffer.from(row.secretSha256)}, ${row.gateway}, ${row.tokenMadeBy})
    on conflict (home_fleet, protocol, external_id) do nothing`
  return inserted.count === 1
}

export async function getForeignDevice(
  { sql }: ReadTx,
  device: string,
): Promise<ForeignDeviceRow | undefined> {
  const [row] = await sql<ForeignDeviceRow[]>`
    select ${columns(sql)} from foreign_devices where device = ${device}`
  return row
}

/** Finds many devices in one look-up; their order is not defined. At most one for each id. */
export function listForeignDevices(
  { sql }: ReadTx,
  devices: readonly string[],
): Promise<ForeignDeviceRow[]> {
  return sql<ForeignDeviceRow[]>`
    select ${columns(sql)} from foreign_devices where device = any(${[...devices]})`
}

/** The fleet and platform of the device now; `undefined` for one that was removed. */
export async function getMembership(
  { sql }: ReadTx,
  device: string,
): Promise<{ device: string; fleet: string; platform: string } | undefined> {
  const [row] = await sql<{ device: string; fleet: string; platform: string }[]>`
    select id as device, fleet, platform from devices where id = ${device} and protocol <> 'agent'`
  return row
}

/**
 * Finds many devices in one look-up, each only among those that its gateway registered. At most one
 * for each name.
 */
export function listDevicesBehind(
  { sql }: ReadTx,
  names: readonly { readonly gateway: string; readonly externalId: string }[],
): Promise<ForeignDeviceRow[]> {
  return sql<ForeignDeviceRow[]>`
    select ${columns(sql)} from foreign_devices
    where (gateway, external_id) in (
      select * from unnest(${names.map((n) => n.gateway)}::text[], ${names.map((n) => n.externalId)}::text[]))`
}

/** Answers false for a device without a token of its own. */
export async function replaceSecret(
  { sql }: WriteTx,
  device: string,
  secretSha256: Uint8Array,
  madeBy: string,
): Promise<boolean> {
  // A poll that has read the old secret ends before it is replaced.
  await sql`select 1 from devices where id = ${device} for no key update`
  const isChanged = await changeForeignDevice(
    { sql },
    device,
    sql`secret_sha256 = ${Buffer.from(secretSha256)}, token_made_by = ${madeBy}`,
    sql`secret_sha256 is not null`,
  )
  if (!isChanged) return false
  await sql`select pg_notify('foreign_devices', ${device})`
  return true
}

/**
 * Changes the row of a device, where the condition holds for it. Nothing else may: the next poll
 * must read anew what is stored of the device, and check its credential there, so that its mark
 * goes with each change.
 */
async function changeForeignDevice(
  { sql }: Pick<WriteTx, 'sql'>,
  device: string,
  change: Fragment,
  condition: Fragment,
): Promise<boolean> {
  const rows = await sql`
    update foreign_devices f set ${change} where device = ${device} and ${condition}`
  if (rows.count !== 1) return false
  await sql`update device_states set digest = '' where device = ${device}`
  return true
}

/**
 * Gives a device its external id at its first use. Answers false when the device has another id by
 * now, or another device has this one.
 */
export async function bindExternalId(
  { sql }: WriteTx,
  device: string,
  externalId: string,
): Promise<boolean> {
  const isChanged = await changeForeignDevice(
    { sql },
    device,
    sql`external_id = ${externalId}`,
    sql`(external_id is null or external_id = ${externalId}) and not exists (
      select 1 from foreign_devices o where o.home_fleet = f.home_fleet and o.protocol = f.protocol
        and o.external_id = ${externalId} and o.device <> f.device)`,
  )
  if (!isChanged) return false
  await sql`select pg_notify('foreign_devices', ${device})`
  return true
}

/**
 * Remembers that the device was removed, so that its gateway cannot register it again; call this
 * before the device is removed. It does nothing for a device without a gateway.
 */
export async function rememberRemoved({ sql }: WriteTx, device: string, now: Date): Promise<void> {
  await sql`
    insert into removed_foreign_devices (gateway, external_id, removed_at)
    select gateway, external_id, ${now} from foreign_devices where device = ${device} and gateway is not null
    on conflict do nothing`
}

export async function isRemovedBehind(
  { sql }: ReadTx,
  gateway: string,
  externalId: string,
): Promise<boolean> {
  const rows = await sql`
    select 1 from removed_foreign_devices where gateway = ${gateway} and external_id = ${externalId}`
  return rows.length > 0
}

/** The device must be locked. */
export async function replaceAttributes(
  { sql }: WriteTx,
  device: string,
  attributes: Readonly<Record<string, string>>,
  now: Date,
): Promise<void> {
  const change = sql`attributes = ${sql.json({ ...attributes })}, attributes_at = ${now}`
  await changeForeignDevice({ sql }, device, change, sql`true`)
}

/** How many devices the gateway speaks for. */
export async function countDevicesBehind({ sql }: ReadTx, gateway: string): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from foreign_devices where gateway = ${gateway}`
  return row.count
}

export async function insertGatewayToken({ sql }: WriteTx, row: GatewayTokenRow): Promise<void> {
  await sql`
    insert into gateway_tokens (id, fleet, platform, hardware, secret_sha256, uses_left, created_at, created_by)
    values (${row.id}, ${row.fleet}, ${row.platform}, ${row.hardware}, ${Buffer.from(row.secretSha256)},
      ${row.usesLeft}, ${row.createdAt}, ${row.createdBy})`
}

export async function getGatewayToken(
  { sql }: ReadTx,
  id: string,
): Promise<GatewayTokenRow | undefined> {
  const [row] = await sql<GatewayTokenRow[]>`
    select ${gatewayColumns(sql)} from gateway_tokens where id = ${id}`
  return row
}

/**
 * Takes one use, exactly once however many ask at the same time. Answers false when none is left or
 * the gateway key was revoked.
 */
export async function takeGatewayUse({ sql }: WriteTx, id: string): Promise<boolean> {
  const rows = await sql`
    update gateway_tokens set uses_left = uses_left - 1
    where id = ${id} and uses_left > 0 and revoked_at is null`
  return rows.count === 1
}

export async function revokeGatewayToken(
  { sql }: WriteTx,
  id: string,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update gateway_tokens set revoked_at = ${now} where id = ${id} and revoked_at is null`
  if (rows.count !== 1) return false
  await sql`select pg_notify('foreign_devices', ${id})`
  return true
}

/** Lists the first devices that have a token which one of `makers` has made. */
export async function listForeignDevicesOf(
  { sql }: ReadTx,
  makers: readonly string[],
  limit: number,
): Promise<{ id: string; fleet: string }[]> {
  return sql<{ id: string; fleet: string }[]>`
    select d.id, d.fleet from foreign_devices f join devices d on d.id = f.device
    where f.token_made_by = any(${[...makers]}) order by d.id limit ${limit}`
}

/** Lists the first tokens that one of `makers` has made and that still work. */
export async function listGatewayTokensOf(
  { sql }: ReadTx,
  makers: readonly string[],
  limit: number,
): Promise<Pick<GatewayTokenRow, 'id' | 'fleet'>[]> {
  return sql<Pick<GatewayTokenRow, 'id' | 'fleet'>[]>`
    select id, fleet from gateway_tokens
    where created_by = any(${[...makers]}) and revoked_at is null order by id limit ${limit}`
}

export async function listGatewayTokens(
  { sql }: ReadTx,
  page: { fleet: string; after: string; limit: number },
): Promise<GatewayTokenRow[]> {
  return sql<GatewayTokenRow[]>`
    select ${gatewayColumns(sql)} from gateway_tokens
    where fleet = ${page.fleet} and id > ${page.after} and revoked_at is null
    order by id limit ${page.limit}`
}
