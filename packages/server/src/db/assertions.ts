/** Assertions of devices that were used, each of which counts once. */
import type { WriteTx } from './connection.ts'

/** Answers false when the assertion was used before. */
export async function useAssertion(
  { sql }: WriteTx,
  assertion: { device: string; jti: string; expiresAt: Date },
): Promise<boolean> {
  const rows = await sql`
    insert into assertion_ids (device, jti, expires_at)
    values (${assertion.device}, ${assertion.jti}, ${assertion.expiresAt}) on conflict do nothing`
  return rows.count === 1
}

export async function deleteExpiredAssertions({ sql }: WriteTx, now: Date): Promise<number> {
  const rows = await sql`delete from assertion_ids where expires_at < ${now}`
  return rows.count
}
