/** Public facts of the server, and what its processes tell one another about it. */
import type { ReadTx, WriteTx } from './connection.ts'
import { allowPauses } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

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
