/**
 * Recovery codes: for a person who has lost every passkey. A code has 120 random bits: the first 40
 * find it, the other 80 are the secret, of which a slow hash is stored. A code that is not known
 * costs the same work as one that is.
 */
import { argon2 } from 'node:crypto'
import { promisify } from 'node:util'
import type { CreationOptions, NewPasskey } from '@seaworthy/api/ceremonies'
import { Refusal } from '@seaworthy/std/refusal'
import type { Random } from '@seaworthy/std/random'
import {
  findRecoveryCode,
  lockPeople,
  replaceRecoveryCodes,
  useRecoveryCode,
} from '../../db/people.ts'
import type { RecoveryCodeRow } from '../../db/people.ts'
import { endSessionsOf } from '../../db/sessions.ts'
import type { PersonActor } from '../access/index.ts'
import { isSameSecret, KnownPersonRefusal } from '../access/index.ts'
import type { App, WriteTx } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { JudgedPasskey } from './arrivals.ts'
import { askNewPasskey, judgeNewPasskey, storePasskey } from './arrivals.ts'
import type { Site } from './ceremonies.ts'
import { findPerson } from './people.ts'
import type { Asked, OpenedSession, Visit } from './sessions.ts'
import { openSession } from './sessions.ts'

type Deps = Pick<App, 'db' | 'secrets' | 'clock' | 'random'>

const codesCount = 10
const selectorLength = 8
const secretLength = 16
/** Crockford's alphabet: nothing in it is mistaken for something else on paper. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** Codes that are shown once, and what is stored of them. */
export async function makeRecoveryCodes(
  random: Random,
  personId: string,
): Promise<{ codes: string[]; rows: RecoveryCodeRow[] }> {
  const codes: string[] = []
  const rows: RecoveryCodeRow[] = []
  for (let i = 0; i < codesCount; i++) {
    const text = Array.from(
      random.bytes(selectorLength + secretLength),
      (byte) => alphabet[byte & 31]!,
    ).join('')
    const salt = random.bytes(16)
    const selector = text.slice(0, selectorLength)
    rows.push({ selector, personId, salt, hash: await slowHash(text.slice(selectorLength), salt) })
    codes.push(text.replace(/.{4}(?=.)/g, '$&-'))
  }
  return { codes, rows }
}

const argon2Async = promisify(argon2)

/** The cost is low, because the secret has 80 random bits: no list of guesses finds it. */
async function slowHash(secret: string, salt: Uint8Array): Promise<Uint8Array> {
  return argon2Async('argon2id', {
    message: secret,
    nonce: salt,
    parallelism: 1,
    tagLength: 32,
    memory: 8192,
    passes: 2,
  })
}

/** Replaces all codes from before. */
export async function storeRecoveryCodes(
  tx: WriteTx,
  actor: PersonActor,
  rows: readonly RecoveryCodeRow[],
): Promise<void> {
  await lockPeople(tx)
  await replaceRecoveryCodes(tx, actor.id, rows)
}

/** Throws `recovery_code_wrong`. */
export async function askRecovery(
  app: Deps,
  code: string,
  site: Site,
  now: Date,
): Promise<Asked<CreationOptions>> {
  const { personId, selector } = await checkCode(app, code)
  const person = await findPerson(app.db.reader, personId)
  return askNewPasskey(app, doorOf(selector), person, site, now)
}

/** Throws `recovery_code_wrong`, and what is wrong with the passkey. */
export async function judgeRecovery(
  app: Deps,
  code: string,
  answer: { passkey: NewPasskey; kept: string | undefined; site: Site },
): Promise<JudgedPasskey & { selector: string }> {
  const { selector } = await checkCode(app, code)
  return { ...(await judgeNewPasskey(app, doorOf(selector), answer)), selector }
}

/**
 * Uses the code up and stores the passkey. All sessions of the person end: who has lost a passkey
 * may have lost the machine too. Throws `recovery_code_wrong`, `challenge_used`, `person_disabled`.
 */
export async function recover(
  tx: WriteTx,
  app: Pick<App, 'random'>,
  judged: JudgedPasskey & { selector: string },
  visit: Visit,
): Promise<OpenedSession> {
  await lockPeople(tx)
  const now = await tx.now()
  if (!(await useRecoveryCode(tx, judged.selector, now))) throw wrongCode()
  const { personId } = judged.ceremony
  const person = await findPerson(tx, personId)
  if (person.disabledAt !== null) {
    throw new KnownPersonRefusal(
      'person_disabled',
      'your account is disabled: ask an owner',
      personId,
    )
  }
  await storePasskey(tx, app, judged, 'Passkey after recovery', now)
  await endSessionsOf(tx, personId, now)
  return openSession(tx, app, personId, visit, now)
}

const doorOf = (selector: string) => ({ purpose: 'recovery', about: selector }) as const

const noSalt = new Uint8Array(16)

async function checkCode(app: Pick<App, 'db'>, code: string): Promise<RecoveryCodeRow> {
  const text = code.replaceAll('-', '')
  const row = await findRecoveryCode(app.db.reader, text.slice(0, selectorLength))
  const hash = await slowHash(text.slice(selectorLength), row?.salt ?? noSalt)
  if (row !== undefined && isSameSecret(row.hash, hash)) return row
  throw wrongCode()
}

function wrongCode(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'recovery_code_wrong',
    'this recovery code is wrong, was used before or was replaced: try another, or ask an owner for an invitation',
  )
}
