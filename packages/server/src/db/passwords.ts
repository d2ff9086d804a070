/** Passwords with their authenticators. */
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface PasswordRow {
  readonly personId: string
  /** The name for signing in, in small letters. */
  readonly name: string
  readonly salt: Uint8Array
  readonly hash: Uint8Array
  readonly memoryKiB: number
  readonly passes: number
  readonly totpSealed: Uint8Array
  readonly totpStep: number
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  person_id as "personId", name, salt, hash, memory_kib as "memoryKiB", passes,
  totp_sealed as "totpSealed", totp_step::float8 as "totpStep", created_at as "createdAt",
  last_used_at as "lastUsedAt"`

export async function findPassword(
  { sql }: ReadTx,
  name: string,
): Promise<PasswordRow | undefined> {
  const [row] = await sql<PasswordRow[]>`
    select ${columns(sql)} from passwords where name = ${name}`
  return row
}

export async function getPassword(
  { sql }: ReadTx,
  personId: string,
): Promise<PasswordRow | undefined> {
  const [row] = await sql<PasswordRow[]>`
    select ${columns(sql)} from passwords where person_id = ${personId}`
  return row
}

/** Answers false when another person has the name. */
export async function setPassword({ sql }: RightsTx, row: PasswordRow): Promise<boolean> {
  const taken = await sql`
    select 1 from passwords where name = ${row.name} and person_id <> ${row.personId}`
  if (taken.length > 0) return false
  await sql`delete from passwords where person_id = ${row.personId}`
  await sql`
    insert into passwords (person_id, name, salt, hash, memory_kib, passes, totp_sealed, totp_step,
      created_at)
    values (${row.personId}, ${row.name}, ${Buffer.from(row.salt)}, ${Buffer.from(row.hash)},
      ${row.memoryKiB}, ${row.passes}, ${Buffer.from(row.totpSealed)}, ${row.totpStep},
      ${row.createdAt})`
  return true
}

/** Answers false when the person has none. */
export async function deletePassword({ sql }: RightsTx, personId: string): Promise<boolean> {
  const rows = await sql`delete from passwords where person_id = ${personId}`
  return rows.count === 1
}

/** Answers false when a code of this or a later step was used, or the password was changed. */
export async function useTotpStep(
  { sql }: WriteTx,
  { personId, hash }: Pick<PasswordRow, 'personId' | 'hash'>,
  step: number,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update passwords set totp_step = ${step}, last_used_at = ${now}
    where person_id = ${personId} and hash = ${Buffer.from(hash)} and totp_step < ${step}`
  return rows.count === 1
}
