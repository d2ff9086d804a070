/** Recovery codes, of which only a hash is kept: a fast one, and of old codes a slow one. */
import type { ReadTx, WriteTx } from './connection.ts'

export interface RecoveryCodeRow {
  /** The part of the code by which it is found. */
  readonly selector: string
  readonly personId: string
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** Replaces all of the person's codes, used ones included. */
export async function replaceRecoveryCodes(
  { sql }: WriteTx,
  personId: string,
  rows: readonly RecoveryCodeRow[],
): Promise<void> {
  await sql`delete from recovery_codes where person_id = ${personId}`
  for (const { selector, salt, hash } of rows) {
    await sql`
      insert into recovery_codes (selector, person_id, salt, hash)
      values (${selector}, ${personId}, ${Buffer.from(salt)}, ${Buffer.from(hash)})`
  }
}

/** Finds a code that has not been used. */
export async function findRecoveryCode(
  { sql }: ReadTx,
  selector: string,
): Promise<RecoveryCodeRow | undefined> {
  const [row] = await sql<RecoveryCodeRow[]>`
    select selector, person_id as "personId", salt, hash from recovery_codes
    where selector = ${selector} and used_at is null`
  return row
}

/** Answers false when the code was used before. */
export async function useRecoveryCode(
  { sql }: WriteTx,
  selector: string,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    update recovery_codes set used_at = ${now} where selector = ${selector} and used_at is null`
  return rows.count === 1
}

export async function countRecoveryCodes({ sql }: ReadTx, personId: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from recovery_codes
    where person_id = ${personId} and used_at is null`
  return row!.count
}
