/** The code by which the first owner comes in. */
import type { ReadTx, WriteTx } from './connection.ts'

/** Whether there has ever been an owner. */
export async function hasOwner({ sql }: ReadTx): Promise<boolean> {
  const rows = await sql`select 1 from people where role = 'owner' limit 1`
  return rows.length > 0
}

export async function setFirstOwnerCode({ sql }: WriteTx, codeSha256: Uint8Array): Promise<void> {
  await sql`
    insert into first_owner_code (code_sha256) values (${Buffer.from(codeSha256)})
    on conflict (only_row) do update set code_sha256 = excluded.code_sha256`
}

export async function getFirstOwnerCode({ sql }: ReadTx): Promise<Uint8Array | undefined> {
  const [row] = await sql<{ code: Uint8Array }[]>`
    select code_sha256 as code from first_owner_code`
  return row?.code
}

export async function deleteFirstOwnerCode({ sql }: WriteTx): Promise<void> {
  await sql`delete from first_owner_code`
}
