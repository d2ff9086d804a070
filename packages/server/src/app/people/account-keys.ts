/**
 * A person's SSH and OpenPGP public keys. They open nothing here. They tell whose signature
 * something has, so a key gets into an account only with a confirmation in the browser. What a
 * token brings waits for that, because a token can be copied.
 */
import type { AccountKeyView } from '@seaworthy/api/account-keys'
import type { AccessRefusal } from '@seaworthy/fleet/access'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { PersonKey } from '@seaworthy/trust/public-keys'
import { parsePublicKey } from '@seaworthy/trust/public-keys'
import * as db from '../../db/account-keys.ts'
import type { AccountKeyRow } from '../../db/account-keys.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current, PersonActor } from '../access/index.ts'
import { requireOwnFactor } from '../access/index.ts'
import type { App } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { instantOrNull } from '../views.ts'
import { findPerson, requireCovers, showPerson } from './people.ts'

/** More keys than anybody has machines. */
const keysMax = 20

/** Throws `permission_denied` for a token that no person has made. */
function personOf(actor: Actor): string {
  const id = actor.kind === 'token' ? actor.token.holder : actor.id
  if (id.startsWith('person_')) return id
  throw new Refusal<AccessRefusal>(
    'permission_denied',
    'these are keys of a person’s own account, and no person has made this token: pair your command line with `seaworthy login`',
  )
}

/** Throws `public_key_private`, `public_key_malformed`, `public_key_unusable`. */
export async function judgeAccountKey(actor: Actor, publicKey: string): Promise<PersonKey> {
  personOf(actor)
  if (actor.kind === 'person') requireOwnFactor(actor, 'no key is added')
  return parsePublicKey(publicKey)
}

/** Throws `account_key_taken`, `account_keys_too_many`. */
export async function addAccountKey(
  tx: WriteTx,
  { random }: Pick<App, 'random'>,
  actor: Current,
  { name, key }: { readonly name: string; readonly key: PersonKey },
): Promise<AccountKeyRow> {
  const personId = personOf(actor)
  const others = await db.lockAccountKeys(tx, personId)
  if (others.length >= keysMax) {
    throw new Refusal<PersonRefusal>(
      'account_keys_too_many',
      `the account has ${others.length} keys: remove one that is not used first`,
    )
  }
  const now = await tx.now()
  const row: AccountKeyRow = {
    ...{ id: newId('accountkey', now, random), personId, name, ...key },
    ...{ createdAt: now, createdBy: actor.id },
    confirmedAt: actor.kind === 'person' ? now : null,
  }
  if (await db.insertAccountKey(tx, row)) return row
  throw new Refusal<PersonRefusal>(
    'account_key_taken',
    others.some(({ fingerprint }) => fingerprint === key.fingerprint)
      ? 'your account has this key already'
      : 'somebody else here has added this key: if it is yours, tell an owner, who finds in the log who that was',
  )
}

export async function listAccountKeys(tx: ReadTx, actor: Actor): Promise<AccountKeyRow[]> {
  return db.listAccountKeys(tx, personOf(actor))
}

/** Throws `account_key_not_found`. */
export async function confirmAccountKey(
  tx: WriteTx,
  actor: Current<PersonActor>,
  id: string,
): Promise<AccountKeyRow> {
  requireOwnFactor(actor, 'no key is confirmed')
  const row = await findAccountKey(tx, actor, id)
  if (row.confirmedAt !== null) return row
  const confirmedAt = await tx.now()
  await db.confirmAccountKey(tx, id, confirmedAt)
  return { ...row, confirmedAt }
}

/** Throws `account_key_not_found`. */
export async function removeAccountKey(
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<AccountKeyRow> {
  const row = await findAccountKey(tx, actor, id)
  await db.deleteAccountKey(tx, id)
  return row
}

async function findAccountKey(tx: WriteTx, actor: Actor, id: string): Promise<AccountKeyRow> {
  return findKeyOf(tx, personOf(actor), id, 'your account has no such key')
}

async function findKeyOf(
  tx: WriteTx,
  personId: string,
  id: string,
  otherwise: string,
): Promise<AccountKeyRow> {
  const row = (await db.lockAccountKeys(tx, personId)).find((one) => one.id === id)
  if (row !== undefined) return row
  throw new Refusal<PersonRefusal>('account_key_not_found', otherwise)
}

/** Throws `person_not_found`, `out_of_scope`. */
export async function listPersonKeys(
  tx: ReadTx,
  actor: Actor,
  personId: string,
): Promise<AccountKeyRow[]> {
  await showPerson(tx, actor, personId)
  return db.listAccountKeys(tx, personId)
}

/**
 * Removes a key from the account of somebody whose rights the actor could give. Throws
 * `person_not_found`, `out_of_scope`, `account_key_not_found`.
 */
export async function removePersonKey(
  tx: WriteTx,
  actor: Current,
  personId: string,
  id: string,
): Promise<AccountKeyRow> {
  requireCovers(actor, await findPerson(tx, personId))
  const row = await findKeyOf(tx, personId, id, 'this person has no such key')
  await db.deleteAccountKey(tx, id)
  return row
}

export function viewAccountKey(row: AccountKeyRow): AccountKeyView {
  const { personId: _personId, createdAt, confirmedAt, ...view } = row
  return {
    ...view,
    createdAt: formatInstant(createdAt),
    confirmedAt: instantOrNull(confirmedAt),
  }
}
