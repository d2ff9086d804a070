/** The server's own secrets, sealed. */
import type { ReadTx, WriteTx } from './connection.ts'

/** The newest version of a secret, still sealed. */
export async function readSecret(
  { sql }: ReadTx,
  name: string,
): Promise<{ version: number; sealed: Uint8Array } | undefined> {
  const [row] = await sql<{ version: number; sealed: Uint8Array }[]>`
    select version, sealed from secrets where name = ${name} order by version desc limit 1`
  return row
}

/** All versions of a secret, still sealed, oldest first. At most one row per rotation. */
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
