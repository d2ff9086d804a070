/**
 * How a stored credential is encrypted: under a key of its own, which is encrypted under the one
 * that is kept elsewhere. Both are bound to all that the row says of it, so that no row passes for
 * another one, or for an earlier version of itself.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { Random } from '@seaworthy/std/random'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { CredentialKey } from '../../config/credential-key.ts'
import { decrypt, encrypt } from '../../config/credential-key.ts'
import { SealError } from '../../config/master-key.ts'
import type { StoredCredentialRow } from '../../db/stored-credentials.ts'
import type { App } from '../app.ts'
import type { LeaseRefusal } from '../refusals.ts'

type Bound = Pick<StoredCredentialRow, 'id' | 'name' | 'kind' | 'version' | 'target' | 'memberOf'>
type Sealed = Pick<StoredCredentialRow, 'wrapped' | 'sealed'>

const keyBytes = 32

/** Throws `credential_key_missing`. */
export function requireCredentialKey({ credentialKey }: Pick<App, 'credentialKey'>): CredentialKey {
  if (credentialKey !== null) return credentialKey
  throw new Refusal<LeaseRefusal>(
    'credential_key_missing',
    'this server has no key for stored credentials: start it with --credential-key-file or --credential-key-command',
  )
}

function contextOf({ id, name, kind, version, target, memberOf }: Bound): Uint8Array {
  const format = 'seaworthy-stored-credential-v1'
  return canonicalJson({ format, id, name, kind, version, target, memberOf })
}

/** Throws `credential_key_wrong`. */
export async function sealCredential(
  key: CredentialKey,
  bound: Bound,
  value: Uint8Array,
  random: Random,
): Promise<Sealed> {
  const context = contextOf(bound)
  const own = random.bytes(keyBytes)
  const wrapped = await refusing(bound, () => key.wrap(context, own))
  const sealed = encrypt(own, context, value, random)
  own.fill(0)
  return { wrapped, sealed }
}

/** Throws `credential_key_wrong`. */
export async function openCredential(key: CredentialKey, row: Bound & Sealed): Promise<Uint8Array> {
  const context = contextOf(row)
  return refusing(row, async () => {
    const own = await key.unwrap(context, row.wrapped)
    try {
      return decrypt(own, context, row.sealed, row.name)
    } finally {
      own.fill(0)
    }
  })
}

async function refusing<T>({ name }: Bound, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause
    throw new Refusal<LeaseRefusal>(
      'credential_key_wrong',
      `${name} cannot be encrypted or opened: the key of stored credentials is not the one that it was encrypted under, it cannot be asked, or the database was changed; the server’s log says more`,
      { cause },
    )
  }
}
