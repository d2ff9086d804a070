/** Which roles need a passkey. */
import type { BuiltInRole } from '@seaworthy/fleet/access'
import type { ReadTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

/**
 * The roles that need a passkey, or `undefined` where nobody has set them. At most one for each
 * role.
 */
export async function readPasskeyRoles({ sql }: ReadTx): Promise<BuiltInRole[] | undefined> {
  const [row] = await sql<{ roles: BuiltInRole[] }[]>`
    select passkey_roles as roles from sign_in_policy`
  return row?.roles
}

export async function writePasskeyRoles(
  { sql }: RightsTx,
  roles: readonly BuiltInRole[],
): Promise<void> {
  await sql`
    insert into sign_in_policy (passkey_roles) values (${[...roles]})
    on conflict (only_row) do update set passkey_roles = excluded.passkey_roles`
}
