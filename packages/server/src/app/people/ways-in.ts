/** Everything by which a person signs in. */
import { deleteAccountKeysOf } from '../../db/account-keys.ts'
import { deleteIdentitiesOf } from '../../db/identity-providers.ts'
import { deletePasskeysOf } from '../../db/passkeys.ts'
import { deletePassword } from '../../db/passwords.ts'
import type { RightsTx } from '../../db/rights.ts'
import { replaceRecoveryCodes } from '../../db/recovery-codes.ts'
import { endSessionsOf } from '../../db/sessions.ts'

/**
 * Ends passkeys, recovery codes, password, accounts at providers, sessions, and the public keys of
 * the account: somebody else may have opened it, or its person has lost access, and it begins anew.
 */
export async function endWaysIn(
  tx: RightsTx,
  personId: string,
  now: Date,
): Promise<{ endedPasskeys: number; endedSessions: number }> {
  const endedPasskeys = await deletePasskeysOf(tx, personId)
  await replaceRecoveryCodes(tx, personId, [])
  await deletePassword(tx, personId)
  await deleteIdentitiesOf(tx, personId)
  await deleteAccountKeysOf(tx, personId)
  return { endedPasskeys, endedSessions: await endSessionsOf(tx, personId, now) }
}
