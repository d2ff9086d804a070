/**
 * Keys with which devices join a fleet: limited in uses and time, stored as the SHA-256 of their
 * secret.
 */
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface ProvisioningKeyRow {
  readonly id: string
  readonly fleet: string
  readonly secretSha256: Uint8Array
  readonly usesLeft: number
  readonly expiresAt: Date
  readonly createdAt: Date
  readonly createdBy: string
  readonly revokedAt: Date | null
  /** The key by which holders enrol its devices; no other provisioning key has it. */
  readonly enrolmentKeyId: string | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, fleet, secret_sha256 as "secretSha256", uses_left as "usesLeft", expires_at as "expiresAt",
  created_at as "createdAt", created_by as "createdBy", revoked_at as "revokedAt", enrolment_key_id as "enrolmentKeyId"`

/** Answers false where another provisioning key has, or had, its enrolment key. */
export async function insertProvisioningKey(
  { sql }: WriteTx,
  row: ProvisioningKeyRow,
): Promise<boolean> {
  const inserted = await sql`
    insert into provisioning_keys (id, fleet, secret_sha256, uses_left, expires_at, created_at, created_by,
      enrolment_key_id)
    values (${row.id}, ${row.fleet}, ${Buffer.from(row.secretSha256)}, ${row.usesLeft}, ${row.expiresAt},
      ${row.createdAt}, ${row.createdBy}, ${row.enrolmentKeyId})
    on conflict (enrolment_key_id) do nothing`
  return inserted.count === 1
}

/**
 * The enrolment key that was named with the provisioning key by which the device registered, if
 * that belongs to the fleet in which the device is.
 */
export async function findNamedEnrolmentKey(
  { sql }: ReadTx,
  device: string,
): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    select k.enrolment_key_id as id
    from devices d join provisioning_keys k on k.id = d.provisioning_key and k.fleet = d.fleet
    where d.id = ${device} and k.enrolment_key_id is not null`
  return row?.id
}

export async function getProvisioningKey(
  { sql }: ReadTx,
  id: string,
): Promise<ProvisioningKeyRow | undefined> {
  const [row] = await sql<ProvisioningKeyRow[]>`
    select ${columns(sql)} from provisioning_keys where id = ${id}`
  return row
}

/**
 * Takes one use, exactly once however many ask at the same time. Answers false when none is left or
 * the key has ended.
 */
export async function takeProvisioningUse(
  { sql }: WriteTx,
  id: string,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update provisioning_keys set uses_left = uses_left - 1
    where id = ${id} and uses_left > 0 and revoked_at is null and expires_at > ${now}`
  return rows.count === 1
}

/** How many keys of the fleet still register devices. */
export async function countProvisioningKeys(
  { sql }: ReadTx,
  fleet: string,
  now: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from provisioning_keys
    where fleet = ${fleet} and revoked_at is null and expires_at > ${now} and uses_left > 0`
  return row.count
}

export async function listProvisioningKeys(
  { sql }: ReadTx,
  page: { fleet: string; after: string; limit: number; now: Date },
): Promise<ProvisioningKeyRow[]> {
  return sql<ProvisioningKeyRow[]>`
    select ${columns(sql)} from provisioning_keys
    where fleet = ${page.fleet} and id > ${page.after} and revoked_at is null and expires_at > ${page.now}
    order by id limit ${page.limit}`
}

/**
 * Keys that one of them made and that still register devices, with their fleets. At most as many as
 * people with the right have made, and none beyond its lifetime.
 */
export async function listProvisioningKeysOf(
  { sql }: ReadTx,
  makers: readonly string[],
  now: Date,
): Promise<{ id: string; name: string; product: string }[]> {
  return sql<{ id: string; name: string; product: string }[]>`
    select k.id, f.name, f.product from provisioning_keys k join fleets f on f.name = k.fleet
    where k.created_by = any(${[...makers]}) and k.revoked_at is null and k.expires_at > ${now}
      and k.uses_left > 0
    order by k.id`
}

export async function revokeProvisioningKey(
  { sql }: WriteTx,
  id: string,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update provisioning_keys set revoked_at = ${now} where id = ${id} and revoked_at is null`
  return rows.count === 1
}

export async function revokeAllProvisioningKeys({ sql }: RightsTx, now: Date): Promise<number> {
  const rows = await sql`
    update provisioning_keys set revoked_at = ${now} where revoked_at is null`
  return rows.count
}
