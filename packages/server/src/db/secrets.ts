/** Sealed secrets and public facts of the server. */
import type { ReadTx, WriteTx } from './connection.ts'
import { allowPauses } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

/** The newest version of a secret, still sealed. */
export async function readSecret(
  { sql }: ReadTx,
  name: string,
): Promise<{ version: number; sealed: Uint8Array } | undefined> {
  const [row] = await sql<{ version: number; sealed: Uint8Array }[]>`
    select version, sealed from secrets where name = ${name} order by version desc limit 1`
  return row
}

/** All versions of a secret, still sealed, oldest first. At most as many as operators have made. */
export async function listSecretVersions(
  { sql }: ReadTx,
  name: string,
): Promise<{ version: number; sealed: Uint8Array }[]> {
  return sql<{ version: number; sealed: Uint8Array }[]>`
    select version, sealed from secrets where name = ${name} order by version`
}

export async function deleteSecret({ sql }: WriteTx, name: string, version: number): Promise<void> {
  await sql`delete from secrets where name = ${name} and version = ${version}`
}

export async function hasSecrets({ sql }: ReadTx): Promise<boolean> {
  const rows = await sql`select 1 from secrets limit 1`
  return rows.length > 0
}

export async function insertSecret(
  { sql }: WriteTx,
  secret: { name: string; version: number; sealed: Uint8Array; createdAt: Date },
): Promise<void> {
  await sql`
    insert into secrets (name, version, sealed, created_at)
    values (${secret.name}, ${secret.version}, ${Buffer.from(secret.sealed)}, ${secret.createdAt})`
}

export async function readFact({ sql }: ReadTx, name: string): Promise<string | undefined> {
  const [row] = await sql<{ value: string }[]>`
    select value from server_facts where name = ${name}`
  return row?.value
}

export async function insertFact({ sql }: WriteTx, name: string, value: string): Promise<void> {
  await sql`insert into server_facts (name, value) values (${name}, ${value})`
}

export async function updateFact({ sql }: WriteTx, name: string, value: string): Promise<void> {
  await sql`update server_facts set value = ${value} where name = ${name}`
}

/** Inserts the fact, or replaces the one before. */
export async function setFact({ sql }: WriteTx, name: string, value: string): Promise<void> {
  await sql`
    insert into server_facts (name, value) values (${name}, ${value})
    on conflict (name) do update set value = excluded.value`
}

export async function deleteFact({ sql }: WriteTx, name: string): Promise<void> {
  await sql`delete from server_facts where name = ${name}`
}

/** Every worker of every server shows the new certificate. */
export async function notifyCertificate({ sql }: WriteTx): Promise<void> {
  await sql`select pg_notify('certificate', '')`
}

/** Only one process at a time does the first start. */
export async function lockFirstStart(tx: WriteTx): Promise<void> {
  await allowPauses(tx)
  await tx.sql`select pg_advisory_xact_lock(${lockKeys.firstStart}::int)`
}
