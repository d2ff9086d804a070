/**
 * Which roles need a passkey: for sign-in, and to confirm what is dangerous. A passkey cannot be
 * phished or guessed; a password and its code can be relayed by a phishing page while the code is
 * valid, and an identity provider can sign in as anybody who has an account there.
 */
import type { BuiltInRole } from '@seaworthy/fleet/access'
import { builtInRoles, needsPasskey, weightyRoles } from '@seaworthy/fleet/access'
import type { ReadTx } from '../../db/connection.ts'
import { readPasskeyRoles, writePasskeyRoles } from '../../db/passwords.ts'
import type { PersonRow, RightsTx } from '../../db/people.ts'
import { endSessionsBegunBy, listPeopleWhoCameBy } from '../../db/sessions.ts'
import type { SessionRow } from '../../db/sessions.ts'
import { KnownPersonRefusal } from '../access/index.ts'

/** What is not enough where a passkey is needed. */
export const otherFactors: readonly SessionRow['factor'][] = ['password', 'provider']

/**
 * The built-in roles that an owner has named; otherwise those that publish or grant. A role that
 * people have made is judged by what it allows.
 */
export async function passkeyRoles(tx: ReadTx): Promise<BuiltInRole[]> {
  return (await readPasskeyRoles(tx)) ?? weightyRoles()
}

/** Throws `passkey_needed`. */
export async function requireNoPasskeyRole(tx: ReadTx, person: PersonRow): Promise<void> {
  if (!needsPasskey(await passkeyRoles(tx), person)) return
  throw new KnownPersonRefusal(
    'passkey_needed',
    `the role ${person.role} needs a passkey or security key: sign in and confirm with yours; without one, use a recovery code, or ask an owner for a new link, and register it there`,
    person.id,
  )
}

/** Sessions that are no longer sufficient end at once. */
export async function setSignInPolicy(
  tx: RightsTx,
  wanted: readonly BuiltInRole[],
): Promise<{ passkeyRoles: BuiltInRole[]; endedSessions: number }> {
  const given = builtInRoles.filter((role) => wanted.includes(role))
  await writePasskeyRoles(tx, given)
  const now = await tx.now()
  let endedSessions = 0
  for (const person of await listPeopleWhoCameBy(tx, otherFactors)) {
    if (!needsPasskey(given, person)) continue
    endedSessions += await endSessionsBegunBy(tx, otherFactors, { personId: person.id }, now)
  }
  return { passkeyRoles: given, endedSessions }
}
