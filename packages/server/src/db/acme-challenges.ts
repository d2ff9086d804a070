/**
 * What an ACME authority wants to hear while an order is open: any worker of any server may be
 * asked.
 */
import type { ReadTx, WriteTx } from './connection.ts'

export async function storeChallenge(
  { sql }: WriteTx,
  challenge: { readonly token: string; readonly name: string; readonly answer: string },
): Promise<void> {
  await sql`
    insert into acme_challenges (token, name, answer)
    values (${challenge.token}, ${challenge.name}, ${challenge.answer})
    on conflict (token) do update set name = excluded.name, answer = excluded.answer`
  await sql`select pg_notify('acme_challenges', '')`
}

export async function findChallenge(
  { sql }: ReadTx,
  token: string,
): Promise<{ readonly name: string; readonly answer: string } | undefined> {
  const [row] = await sql<{ name: string; answer: string }[]>`
    select name, answer from acme_challenges where token = ${token}`
  return row
}

/** At most one order is open, with a challenge for each of the server's names. */
export async function listChallenges({
  sql,
}: ReadTx): Promise<readonly { readonly name: string; readonly answer: string }[]> {
  return sql<{ name: string; answer: string }[]>`
    select name, answer from acme_challenges order by name limit 200`
}

/** No order is open any more. */
export async function deleteChallenges({ sql }: WriteTx): Promise<void> {
  await sql`delete from acme_challenges`
  await sql`select pg_notify('acme_challenges', '')`
}
