/** Passkeys, and the challenges that they have answered. */
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface PasskeyRow {
  readonly id: string
  readonly personId: string
  readonly rpId: string
  /** The authenticator’s name for it, base64url. */
  readonly credentialId: string
  /** COSE key. */
  readonly publicKey: Uint8Array
  readonly signCount: number
  readonly transports: readonly string[]
  readonly isBackedUp: boolean
  readonly name: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, person_id as "personId", rp_id as "rpId", credential_id as "credentialId",
  public_key as "publicKey", sign_count as "signCount", transports, is_backed_up as "isBackedUp",
  name, created_at as "createdAt", last_used_at as "lastUsedAt"`

export async function findPasskey(
  { sql }: ReadTx,
  credentialId: string,
): Promise<PasskeyRow | undefined> {
  const [row] = await sql<PasskeyRow[]>`
    select ${columns(sql)} from passkeys where credential_id = ${credentialId}`
  return row
}

/** Lists the passkeys of a person, at most as many as one may have (`app/people/passkeys.ts`). */
export async function listPasskeys({ sql }: ReadTx, personId: string): Promise<PasskeyRow[]> {
  return sql<PasskeyRow[]>`
    select ${columns(sql)} from passkeys where person_id = ${personId} order by id`
}

/**
 * Lists the passkeys of a person, at most as many as one may have, and locks them: nobody else adds
 * one before the transaction ends.
 */
export async function lockPasskeys({ sql }: WriteTx, personId: string): Promise<PasskeyRow[]> {
  await sql`select from people where id = ${personId} for update`
  return listPasskeys({ sql }, personId)
}

/** Answers false when there is a passkey of that credential id. */
export async function insertPasskey({ sql }: WriteTx, passkey: PasskeyRow): Promise<boolean> {
  const rows = await sql`
    insert into passkeys (id, person_id, rp_id, credential_id, public_key, sign_count, transports,
      is_backed_up, name, created_at)
    values (${passkey.id}, ${passkey.personId}, ${passkey.rpId}, ${passkey.credentialId},
      ${Buffer.from(passkey.publicKey)}, ${passkey.signCount}, ${[...passkey.transports]},
      ${passkey.isBackedUp}, ${passkey.name}, ${passkey.createdAt})
    on conflict (credential_id) do nothing`
  return rows.count === 1
}

/**
 * Writes what the passkey said with its last answer. Answers false when its count has not grown
 * since the answer before, or the passkey is gone. Two counts of 0 come from an authenticator that
 * does not count.
 */
export async function notePasskeyUse(
  { sql }: WriteTx,
  use: { id: string; signCount: number; isBackedUp: boolean; now: Date },
): Promise<boolean> {
  const rows = await sql`
    update passkeys set sign_count = ${use.signCount}, is_backed_up = ${use.isBackedUp},
      last_used_at = ${use.now}
    where id = ${use.id}
      and (sign_count < ${use.signCount} or (sign_count = 0 and ${use.signCount} = 0))`
  return rows.count === 1
}

export async function renamePasskey({ sql }: WriteTx, id: string, name: string): Promise<void> {
  await sql`update passkeys set name = ${name} where id = ${id}`
}

/** Answers how many there were. */
export async function deletePasskeysOf({ sql }: RightsTx, personId: string): Promise<number> {
  const rows = await sql`delete from passkeys where person_id = ${personId}`
  return rows.count
}

export async function deletePasskey({ sql }: RightsTx, id: string): Promise<void> {
  await sql`delete from passkeys where id = ${id}`
}

/** Answers false when the challenge was used before. Forgets those that have expired. */
export async function useChallenge(
  { sql }: WriteTx,
  challenge: { challenge: string; expiresAt: Date },
  now: Date,
): Promise<boolean> {
  await sql`delete from used_challenges where expires_at < ${now}`
  const rows = await sql`
    insert into used_challenges (challenge, expires_at)
    values (${challenge.challenge}, ${challenge.expiresAt}) on conflict do nothing`
  return rows.count === 1
}
