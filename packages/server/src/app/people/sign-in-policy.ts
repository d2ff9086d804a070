/**
 * Which roles need a passkey: for sign-in, and to confirm what is dangerous. A passkey cannot be
 * phished or guessed; a password and its code can be relayed by a phishing page while the code is
 * valid, and an identity provider can sign in as anybody who has an account there.
 */
import type { Role } from '@seaworthy/fleet/access'
import { roles, weightyRoles } from '@seaworthy/fleet/access'
import type { ReadTx } from '../../db/connection.ts'
import { readPasskeyRoles, writePasskeyRoles } from '../../db/passwords.ts'
import type { PersonRow, RightsTx } from '../../db/people.ts'
import { endSessionsBegunBy } from '../../db/sessions.ts'
import type { SessionRow } from '../../db/sessions.ts'
import { KnownPersonRefusal } from '../access/index.ts'

/** What is not enough where a passkey is needed. */
export const otherFactors: readonly SessionRow['factor'][] = ['password', 'provider']

const allRoles: readonly Role[] = ['owner', ...roles]

/** The roles that an owner has named; otherwise those that publish or grant. */
export async function passkeyRoles(tx: ReadTx): Promise<Role[]> {
  return (await readPasskeyRoles(tx)) ?? weightyRoles()
}

/** Throws `passkey_needed`. */
export async function requireNoPasskeyRole(tx: ReadTx, { id, role }: PersonRow): Promise<void> {
  if (!(await passkeyRoles(tx)).includes(role)) return
  throw new KnownPersonRefusal(
    'passkey_needed',
    `the role ${role} needs a passkey or security key: sign in and confirm with yours; without one, use a recovery code, or ask an owner for a new link, and register it there`,
    id,
  )
}

/** Sessions that are no longer sufficient end at once. */
export async function setSignInPolicy(
  tx: RightsTx,
  wanted: readonly Role[],
): Promise<{ passkeyRoles: Role[]; endedSessions: number }> {
  const given = allRoles.filter((role) => wanted.includes(role))
  await writePasskeyRoles(tx, given)
  const endedSessions = await endSessionsBegunBy(tx, otherFactors, { roles: given }, await tx.now())
  return { passkeyRoles: given, endedSessions }
}
