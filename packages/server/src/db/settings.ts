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
  /** The secret, encrypted under the master key, where the server holds it. */
  readonly serverCopy: Uint8Array | null
  /** A later version of it was sealed to a device: the row is an earlier one that was put back. */
  readonly isPutBack: boolean
  readonly setAt: Date
  readonly setBy: string
  /** When it was last sealed to devices, and by whom; `null` for what was not. */
  readonly sealedAt: Date | null
  readonly sealedBy: string | null
}

/** The scope of a setting: a device where one is named, the whole fleet otherwise. */
export interface SettingScope {
  readonly fleet: string
  readonly device: string | null
}

const isPutBack = (sql: ReadTx['sql']) => sql`
  exists (select from seals later where later.setting = s.id and later.version > s.version)`

const columns = (sql: ReadTx['sql']) => sql`
  id, name, device, version, value, holder_key as "holderKey", holder_copy as "holderCopy",
  server_copy as "serverCopy", set_at as "setAt", set_by as "setBy", sealed_at as "sealedAt",
  sealed_by as "sealedBy", ${isPutBack(sql)} as "isPutBack"`

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
    select ${columns(sql)} from settings s where fleet = ${fleet} or device = ${device}
    order by name, device nulls first`
}

/** Writes a setting in place of one of the same name, whose seals stay. Answers its id. */
export async function putSetting(
  { sql }: WriteTx,
  scope: SettingScope,
  row: Omit<SettingRow, 'id' | 'device' | 'isPutBack'>,
): Promise<number> {
  const [put] = await sql<[{ id: number }]>`
    insert into settings (fleet, device, name, version, value, holder_key, holder_copy, server_copy, set_at, set_by, sealed_at, sealed_by)
    values (${scope.device === null ? scope.fleet : null}, ${scope.device}, ${row.name}, ${row.version},
      ${row.value}, ${row.holderKey && Buffer.from(row.holderKey)},
      ${row.holderCopy && Buffer.from(row.holderCopy)},
      ${row.serverCopy && Buffer.from(row.serverCopy)}, ${row.setAt}, ${row.setBy},
      ${row.sealedAt}, ${row.sealedBy})
    on conflict (fleet, device, name) do update set version = excluded.version, value = excluded.value,
      holder_key = excluded.holder_key, holder_copy = excluded.holder_copy,
      server_copy = excluded.server_copy, set_at = excluded.set_at,
      set_by = excluded.set_by, sealed_at = excluded.sealed_at, sealed_by = excluded.sealed_by
    returning id`
  return put.id
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
      coalesce(sum(greatest(octet_length(value), octet_length(holder_copy), octet_length(server_copy),
        (select max(octet_length(e.sealed)) from seals e where e.setting = settings.id))), 0)::bigint as bytes
    from settings where ${isOf(sql, scope)}`
  return row
}

/** Finds those of the ids that are devices of the fleet now. At most one for each id. */
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

/** A secret that the server holds, as it is stored. */
export type HeldSetting = Pick<
  SettingRow,
  'id' | 'name' | 'device' | 'version' | 'isPutBack' | 'serverCopy'
>

/**
 * What the server holds for the device and has not sealed to it in its present version. At most as
 * many as a fleet and a device may have (`measureSettings`).
 */
export async function listUnsealedHeld(
  { sql }: ReadTx,
  { fleet, device }: { readonly fleet: string; readonly device: string },
): Promise<HeldSetting[]> {
  return sql<HeldSetting[]>`
    select s.id, s.name, s.device, s.version, s.server_copy as "serverCopy", ${isPutBack(sql)} as "isPutBack"
    from settings s left join seals e on e.setting = s.id and e.device = ${device}
    where (s.fleet = ${fleet} or s.device = ${device}) and s.server_copy is not null
      and e.version is distinct from s.version`
}

/**
 * Stores what the server has sealed to a device, unless the secret was set anew meanwhile, or the
 * device was removed. The setting itself is not written: thousands of devices would wait for it.
 */
export async function putServerSeals(
  { sql }: WriteTx,
  device: string,
  seals: readonly (Pick<HeldSetting, 'id' | 'version'> & { readonly sealed: Uint8Array })[],
): Promise<void> {
  for (const { id, version, sealed } of seals) {
    await sql`
      insert into seals (setting, device, version, sealed)
      select s.id, d.id, s.version, ${Buffer.from(sealed)}
      from settings s, devices d
      where s.id = ${id} and s.version = ${version} and s.server_copy is not null
        and d.id = ${device}
      on conflict (setting, device) do update set version = excluded.version, sealed = excluded.sealed
        where seals.version < excluded.version`
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
