/** SSH and OpenPGP public keys of people. */
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface AccountKeyRow {
  readonly id: string
  readonly personId: string
  readonly name: string
  readonly kind: 'ssh' | 'openpgp'
  readonly algorithm: string
  readonly fingerprint: string
  readonly publicKey: string
  readonly createdAt: Date
  readonly createdBy: string
  readonly confirmedAt: Date | null
}

/** Lists the keys of a person, at most as many as one may have (`app/people/account-keys.ts`). */
export async function listAccountKeys({ sql }: ReadTx, personId: string): Promise<AccountKeyRow[]> {
  return sql<AccountKeyRow[]>`
    select id, person_id as "personId", name, kind, algorithm, fingerprint,
      public_key as "publicKey", created_at as "createdAt", created_by as "createdBy",
      confirmed_at as "confirmedAt"
    from account_keys where person_id = ${personId} order by id`
}

/**
 * Lists the keys of a person, at most as many as one may have, and locks them: nobody else adds one
 * before the transaction ends.
 */
export async function lockAccountKeys(tx: WriteTx, personId: string): Promise<AccountKeyRow[]> {
  await tx.sql`select from people where id = ${personId} for update`
  return listAccountKeys(tx, personId)
}

/** Answers false when somebody has the key already. */
export async function insertAccountKey({ sql }: WriteTx, row: AccountKeyRow): Promise<boolean> {
  const rows = await sql`
    insert into account_keys (id, person_id, name, kind, algorithm, fingerprint, public_key,
      created_at, created_by, confirmed_at)
    values (${row.id}, ${row.personId}, ${row.name}, ${row.kind}, ${row.algorithm},
      ${row.fingerprint}, ${row.publicKey}, ${row.createdAt}, ${row.createdBy}, ${row.confirmedAt})
    on conflict (fingerprint) do nothing`
  return rows.count === 1
}

export async function confirmAccountKey({ sql }: WriteTx, id: string, now: Date): Promise<void> {
  await sql`update account_keys set confirmed_at = ${now} where id = ${id}`
}

export async function deleteAccountKey({ sql }: WriteTx, id: string): Promise<void> {
  await sql`delete from account_keys where id = ${id}`
}

export async function deleteAccountKeysOf({ sql }: RightsTx, personId: string): Promise<void> {
  await sql`delete from account_keys where person_id = ${personId}`
}
