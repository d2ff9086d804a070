/** A person's own passkeys. */
import type { CreationOptions, NewPasskey } from '@seaworthy/api/ceremonies'
import type { PasskeyView } from '@seaworthy/api/passkeys'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/passkeys.ts'
import type { PasskeyRow } from '../../db/passkeys.ts'
import type { RightsTx } from '../../db/rights.ts'
import { endSessionsOf } from '../../db/sessions.ts'
import type { Current, PersonActor } from '../access/index.ts'
import { requireOwnFactor } from '../access/index.ts'
import type { App } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { instantOrNull } from '../views.ts'
import type { JudgedPasskey } from './new-passkeys.ts'
import { askNewPasskey, judgeNewPasskey, storePasskey } from './new-passkeys.ts'
import type { Site } from './ceremonies.ts'
import type { Asked } from './sessions.ts'

type Deps = Pick<App, 'db' | 'secrets' | 'clock' | 'random'>

/**
 * More passkeys than anybody has devices; each is tried and shown at every sign-in and
 * confirmation.
 */
const passkeysMax = 20

const doorOf = ({ session }: PersonActor) => ({ purpose: 'passkey', about: session.id }) as const

export async function askPasskey(
  app: Deps,
  actor: PersonActor,
  site: Site,
  now: Date,
): Promise<Asked<CreationOptions>> {
  requireOwnFactor(actor, 'no passkey is added')
  requireRoomForPasskey(await db.listPasskeys(app.db.reader, actor.id))
  return askNewPasskey(app, doorOf(actor), actor.person, site, now)
}

export function judgePasskey(
  app: Deps,
  actor: PersonActor,
  answer: { passkey: NewPasskey; kept: string | undefined; site: Site },
): Promise<JudgedPasskey> {
  return judgeNewPasskey(app, doorOf(actor), answer)
}

/** Throws `challenge_used`, `passkey_known`, `passkey_needed`, `passkeys_too_many`. */
export async function addPasskey(
  tx: WriteTx,
  app: Pick<App, 'random'>,
  actor: Current<PersonActor>,
  judged: JudgedPasskey,
  name: string,
): Promise<PasskeyRow> {
  requireOwnFactor(actor, 'no passkey is added')
  requireRoomForPasskey(await db.lockPasskeys(tx, actor.id))
  return storePasskey(tx, app, judged, name, await tx.now())
}

/** Throws `passkeys_too_many`. */
function requireRoomForPasskey(rows: readonly PasskeyRow[]): void {
  if (rows.length < passkeysMax) return
  throw new Refusal<PersonRefusal>(
    'passkeys_too_many',
    `you have ${rows.length} passkeys: remove one that you do not use first`,
  )
}

export async function listPasskeys(tx: ReadTx, actor: PersonActor): Promise<PasskeyView[]> {
  return (await db.listPasskeys(tx, actor.id)).map(viewPasskey)
}

/** Throws `passkey_not_found`. */
export async function renamePasskey(
  tx: WriteTx,
  actor: Current<PersonActor>,
  id: string,
  name: string,
): Promise<PasskeyRow> {
  const row = find(await db.listPasskeys(tx, actor.id), id)
  await db.renamePasskey(tx, id, name)
  return { ...row, name }
}

/**
 * A thief of the passkey may have opened any session of the person, so all of them end but the one
 * that asks. Throws `passkey_not_found`, `passkey_last`.
 */
export async function removePasskey(
  tx: RightsTx,
  actor: Current<PersonActor>,
  id: string,
): Promise<void> {
  requireOwnFactor(actor, 'no passkey is removed')
  const rows = await db.listPasskeys(tx, actor.id)
  find(rows, id)
  if (rows.length === 1) {
    throw new Refusal<PersonRefusal>(
      'passkey_last',
      'this is your only passkey, without which you could not sign in: register another one first',
    )
  }
  await db.deletePasskey(tx, id)
  await endSessionsOf(tx, actor.id, await tx.now(), actor.session.id)
}

function find(rows: readonly PasskeyRow[], id: string): PasskeyRow {
  const row = rows.find((one) => one.id === id)
  if (row !== undefined) return row
  throw new Refusal<PersonRefusal>('passkey_not_found', 'you have no such passkey')
}

export function viewPasskey(row: PasskeyRow): PasskeyView {
  return {
    id: row.id,
    name: row.name,
    createdAt: formatInstant(row.createdAt),
    lastUsedAt: instantOrNull(row.lastUsedAt),
    // The contract allows only these names.
    transports: [...row.transports] as PasskeyView['transports'],
    isBackedUp: row.isBackedUp,
  }
}
