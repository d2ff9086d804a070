/** How a person gets a passkey, by whatever way they came in. */
import type { NewPasskey } from '@seaworthy/api/ceremonies'
import type { CreationOptions } from '@seaworthy/api/ceremonies'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import type { PasskeyRow } from '../../db/passkeys.ts'
import { insertPasskey, listPasskeys } from '../../db/passkeys.ts'
import type { App, Ports, WriteTx } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Ceremony, Purpose, Site } from './ceremonies.ts'
import {
  beginCeremony,
  creationOptions,
  openCeremony,
  spendChallenge,
  wrongChallenge,
} from './ceremonies.ts'
import type { NewCredential } from './passkey-answers.ts'
import { verifyNewPasskey } from './passkey-answers.ts'
import type { Asked } from './sessions.ts'

type Deps = Pick<App, 'db' | 'secrets' | 'clock' | 'random'>

/** The way in: question and answer must use the same one. */
interface Door {
  readonly purpose: Purpose
  readonly about: string
}

/** Asks for a passkey for a person, who may be new. */
export async function askNewPasskey(
  app: Deps,
  door: Door,
  person: { readonly id: string; readonly name: string },
  site: Site,
  now: Date,
): Promise<Asked<CreationOptions>> {
  const known = await listPasskeys(app.db.reader, person.id)
  const wanted = { ...door, personId: person.id, rpId: site.rpId }
  const { challenge, kept } = beginCeremony(app, wanted, now)
  return { options: creationOptions(site, challenge, person, known), kept }
}

/** A new passkey that was judged before the transaction, which must spend its challenge. */
export interface JudgedPasskey {
  readonly credential: NewCredential
  readonly ceremony: Ceremony
}

/** Throws `challenge_missing`, `challenge_wrong`, `origin_wrong`, `passkey_refused`. */
export async function judgeNewPasskey(
  app: Deps,
  door: Door,
  answer: { passkey: NewPasskey; kept: string | undefined; site: Site },
): Promise<JudgedPasskey> {
  const { passkey, kept, site } = answer
  const expected = { purpose: door.purpose, rpId: site.rpId }
  const ceremony = openCeremony(app, kept, expected, app.clock.now())
  if (ceremony.about !== door.about) throw wrongChallenge()
  return { credential: await verifyNewPasskey(passkey, ceremony, site), ceremony }
}

/** Throws `challenge_used`, `passkey_known`. */
export async function storePasskey(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  { credential, ceremony }: JudgedPasskey,
  name: string,
  now: Date,
): Promise<PasskeyRow> {
  await spendChallenge(tx, ceremony, now)
  const row: PasskeyRow = {
    ...credential,
    id: newId('passkey', now, random),
    personId: ceremony.personId,
    name,
    createdAt: now,
    lastUsedAt: null,
  }
  if (await insertPasskey(tx, row)) return row
  throw new Refusal<PersonRefusal>('passkey_known', 'this passkey is registered already')
}
