/** SSH and OpenPGP keys of an account, in a table. */
import type { AccountKeyView } from '@seaworthy/api/account-keys'
import type { Context } from '../context.ts'
import { formatAgo, harmless } from './format.ts'

export function tableOfKeys(context: Context, keys: readonly AccountKeyView[]): readonly string[] {
  const now = context.ports.clock.now()
  return context.table<AccountKeyView>(
    [
      { title: 'id', text: (k) => k.id },
      { title: 'name', text: (k) => harmless(k.name), isShrinkable: true },
      { title: 'algorithm', text: (k) => k.algorithm, isDroppable: true },
      { title: 'fingerprint', text: (k) => k.fingerprint },
      { title: 'added', text: (k) => formatAgo(k.createdAt, now), isDroppable: true },
      { title: 'state', text: (k) => (k.confirmedAt === null ? 'waits for them' : 'confirmed') },
    ],
    keys,
    'No keys.',
  )
}
