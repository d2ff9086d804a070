/** Variables and secrets of fleets and devices; secrets are stored only in sealed form. */
import type { ReadTx, WriteTx } from './connection.ts'

export interface SettingRow {
  readonly id: number
  readonly name: string
  /** `null` for the whole fleet. */
  readonly device: string | null
  readonly version: number
  /** `null` for a secret. */
  readonly value: string | null
  readonly holderKey: Uint8Array | null
  readonly holderCopy: Uint8Array | null
  readonly setAt: Date
  readonly setBy: string
  /** When it was last sealed to devices, and by whom; `null` for what was not. */
  readonly sealedAt: Date | null
  readonly sealedBy: string | null
}

/** Whom a setting is for: a device where one is named, the whole fleet otherwise. */
export interface SettingScope {
  readonly fleet: string
  readonly device: string | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, name, device, version, value, holder_key as "holderKey", holder_copy as "holderCopy",
  set_at as "setAt", set_by as "setBy", sealed_at as "sealedAt", sealed_by as "sealedBy"`

const isOf = (sql: ReadTx['sql'], { fleet, device }: SettingScope) =>
  device === null ? sql`fleet = ${fleet}` : sql`device = ${device}`

/** Locks the fleet, and answers the version of its configuration; `undefined` without a fleet. */
export async function lockConfigVersion(
  { sql }: WriteTx,
  fleet: string,
): Promise<number | undefined> {
  const [row] = await sql<{ version: number }[]>`
    select config_version as version from fleets where name = ${fleet} for update`
  return row?.version
}

export async function setConfigVersion(
  { sql }: WriteTx,
  fleet: string,
  version: number,
): Promise<void> {
  await sql`update fleets set config_version = ${version} where name = ${fleet}`
}

/**
 * The settings of the whole fleet and, where a device is named, its own. At most as many as a fleet
 * and a device may have (`measureSettings`).
 */
export async function listSettings(
  { sql }: ReadTx,
  { fleet, device }: SettingScope,
): Promise<SettingRow[]> {
  return sql<SettingRow[]>`
    select ${columns(sql)} from settings where fleet = ${fleet} or device = ${device}
    order by name, device nulls first`
}

/** Writes a setting in place of one of the same name; the seals of the earlier one stay. */
export async function putSetting(
  { sql }: WriteTx,
  scope: SettingScope,
  row: Omit<SettingRow, 'id' | 'device'>,
): Promise<void> {
  await sql`
    insert into settings (fleet, device, name, version, value, holder_key, holder_copy, set_at, set_by, sealed_at, sealed_by)
    values (${scope.device === null ? scope.fleet : null}, ${scope.device}, ${row.name}, ${row.version},
      ${row.value}, ${row.holderKey && Buffer.from(row.holderKey)},
      ${row.holderCopy && Buffer.from(row.holderCopy)}, ${row.setAt}, ${row.setBy},
      ${row.sealedAt}, ${row.sealedBy})
    on conflict (fleet, device, name) do update set version = excluded.version, value = excluded.value,
      holder_key = excluded.holder_key, holder_copy = excluded.holder_copy, set_at = excluded.set_at,
      set_by = excluded.set_by, sealed_at = excluded.sealed_at, sealed_by = excluded.sealed_by`
}

export async function deleteSetting({ sql }: WriteTx, id: number): Promise<void> {
  await sql`delete from settings where id = ${id}`
}

/**
 * The most bytes that a device may be sent of the scope, and how many settings it has. A seal of an
 * older version is sent until the newer one takes its place.
 */
export async function measureSettings(
  { sql }: ReadTx,
  scope: SettingScope,
): Promise<{ readonly bytes: number; readonly count: number }> {
  const [row] = await sql<[{ bytes: number; count: number }]>`
    select count(*) as count,
      coalesce(sum(greatest(octet_length(value), octet_length(holder_copy),
        (select max(octet_length(e.sealed)) from seals e where e.setting = settings.id))), 0)::bigint as bytes
    from settings where ${isOf(sql, scope)}`
  return row
}

/** Those of the ids that are devices of the fleet now. At most one for each id. */
export async function findFleetDevices(
  { sql }: ReadTx,
  fleet: string,
  ids: readonly string[],
): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from devices where fleet = ${fleet} and id = any(${[...ids]}::text[])`
  return rows.map((row) => row.id)
}

export async function putSeals(
  { sql }: WriteTx,
  { id, version }: Pick<SettingRow, 'id' | 'version'>,
  seals: readonly { readonly deviceId: string; readonly sealed: Uint8Array }[],
  sealed: { readonly at: Date; readonly by: string },
): Promise<void> {
  await sql`
    update settings set sealed_at = ${sealed.at}, sealed_by = ${sealed.by} where id = ${id}`
  for (const { deviceId, sealed: bytes } of seals) {
    await sql`
      insert into seals (setting, device, version, sealed)
      values (${id}, ${deviceId}, ${version}, ${Buffer.from(bytes)})
      on conflict (setting, device) do update set version = excluded.version, sealed = excluded.sealed`
  }
}

/** A setting as a device gets it. */
export interface DeviceSetting {
  readonly name: string
  readonly isOfFleet: boolean
  readonly version: number
  readonly value: string | null
  readonly sealed: Uint8Array | null
}

/**
 * What a device gets, its own settings first; a secret that is not sealed to it is left out. At
 * most as many as a fleet and a device may have (`measureSettings`).
 */
export async function listDeviceSettings(
  { sql }: ReadTx,
  { fleet, device }: { readonly fleet: string; readonly device: string },
): Promise<DeviceSetting[]> {
  return sql<DeviceSetting[]>`
    select s.name, s.device is null as "isOfFleet", coalesce(e.version, s.version) as version, s.value, e.sealed
    from settings s left join seals e on e.setting = s.id and e.device = ${device}
    where (s.fleet = ${fleet} or s.device = ${device}) and (s.value is not null or e.sealed is not null)
    order by s.device is null, s.name`
}
