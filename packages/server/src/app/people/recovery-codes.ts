/**
 * Recovery codes: for a person who has lost every passkey. A code has 140 random bits. It cannot be
 * guessed, so a fast hash of it is stored, with salt, and a stranger who tries codes takes no time
 * from others. A code that is not known costs the same work as one that is.
 *
 * Codes from before have 120 bits: the first 40 find the code, and a slow hash of the other 80 is
 * stored. Only a caller who knows the first part of a code makes the server hash.
 */
import { createHash } from 'node:crypto'
import type { CreationOptions, NewPasskey } from '@seaworthy/api/ceremonies'
import { Refusal } from '@seaworthy/std/refusal'
import type { Random } from '@seaworthy/std/random'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import { findRecoveryCode, replaceRecoveryCodes, useRecoveryCode } from '../../db/recovery-codes.ts'
import type { RightsTx } from '../../db/rights.ts'
import type { RecoveryCodeRow } from '../../db/recovery-codes.ts'
import { deletePasskeysOf } from '../../db/passkeys.ts'
import { endSessionsOf } from '../../db/sessions.ts'
import type { Current, PersonActor } from '../access/index.ts'
import { isSameSecret } from '../access/index.ts'
import type { App } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { TooOftenRefusal } from '../worker/index.ts'
import type { JudgedPasskey } from './new-passkeys.ts'
import { askNewPasskey, judgeNewPasskey, storePasskey } from './new-passkeys.ts'
import type { Site } from './ceremonies.ts'
import { findEnabledPerson, findPerson } from './people.ts'
import type { Asked, OpenedSession, Visit } from './sessions.ts'
import { openSession } from './sessions.ts'

type Codes = Pick<App, 'db' | 'slowHashes' | 'budgets'>
type Deps = Codes & Pick<App, 'secrets' | 'clock' | 'random'>

const codesCount = 10
const codeLength = 28
const selectorLength = 8
/** Crockford's alphabet: nothing in it is mistaken for something else on paper. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** Codes that are shown once, and what is stored of them. */
export function makeRecoveryCodes(
  random: Random,
  personId: string,
): { codes: string[]; rows: RecoveryCodeRow[] } {
  const codes: string[] = []
  const rows: RecoveryCodeRow[] = []
  for (let i = 0; i < codesCount; i++) {
    const text = spell(random.bytes(codeLength))
    const salt = random.bytes(16)
    rows.push({ selector: selectorOf(text), personId, salt, hash: fastHash(text, salt) })
    codes.push(text.replace(/.{4}(?=.)/g, '$&-'))
  }
  return { codes, rows }
}

const spell = (bytes: Uint8Array) => Array.from(bytes, (byte) => alphabet[byte & 31]!).join('')

/** What a code is looked up by: 40 bits of a hash, which do not help to find the code itself. */
function selectorOf(code: string): string {
  const digest = createHash('sha256').update(`seaworthy-recovery-selector ${code}`).digest()
  return spell(digest.subarray(0, selectorLength))
}

function fastHash(code: string, salt: Uint8Array): Uint8Array {
  return createHash('sha256').update(salt).update(code).digest()
}

/** Replaces all codes from before. */
export async function storeRecoveryCodes(
  tx: RightsTx,
  actor: Current<PersonActor>,
  rows: readonly RecoveryCodeRow[],
): Promise<void> {
  await replaceRecoveryCodes(tx, actor.id, rows)
}

/** Throws `recovery_code_wrong`, `hashes_waiting`, `tries_too_many`. */
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

/**
 * Throws `recovery_code_wrong`, `hashes_waiting`, `tries_too_many`, and what is wrong with the
 * passkey.
 */
export async function judgeRecovery(
  app: Deps,
  code: string,
  answer: { passkey: NewPasskey; kept: string | undefined; site: Site },
): Promise<JudgedPasskey & { selector: string }> {
  const { selector } = await checkCode(app, code)
  return { ...(await judgeNewPasskey(app, doorOf(selector), answer)), selector }
}

/**
 * Uses the code up and stores the passkey. All earlier sessions and passkeys end: somebody who has
 * lost a passkey may have lost the machine too. Throws `recovery_code_wrong`, `challenge_used`,
 * `person_disabled`.
 */
export async function recover(
  tx: RightsTx,
  app: Pick<App, 'random'>,
  judged: JudgedPasskey & { selector: string },
  visit: Visit,
): Promise<OpenedSession> {
  const now = await tx.now()
  if (!(await useRecoveryCode(tx, judged.selector, now))) throw wrongCode()
  const { personId } = judged.ceremony
  await findEnabledPerson(tx, personId)
  await deletePasskeysOf(tx, personId)
  await storePasskey(tx, app, judged, 'Passkey after recovery', now)
  await endSessionsOf(tx, personId, now)
  return openSession(tx, app, personId, visit, now)
}

const doorOf = (selector: string) => ({ purpose: 'recovery', about: selector }) as const

const noSalt = new Uint8Array(16)

/** Throws `recovery_code_wrong`, `hashes_waiting`, `tries_too_many`. */
export async function checkCode(app: Codes, code: string): Promise<RecoveryCodeRow> {
  const text = code.replaceAll('-', '')
  if (text.length < codeLength) return checkOldCode(app, text)
  const row = await findRecoveryCode(app.db.reader, selectorOf(text))
  const hash = fastHash(text, row?.salt ?? noSalt)
  if (row !== undefined && isSameSecret(row.hash, hash)) return row
  throw wrongCode()
}

/** The cost is low, because the secret has 80 random bits. */
const oldCost = { memoryKiB: 8192, passes: 2 } as const

async function checkOldCode(app: Codes, text: string): Promise<RecoveryCodeRow> {
  const row = await findRecoveryCode(app.db.reader, text.slice(0, selectorLength))
  // The first part is not secret: a guess of its 40 bits only shows that some code begins with
  // them.
  if (row === undefined) throw wrongCode()
  const admit = async () => {
    const spending = await app.budgets.spend('old-recovery-code', row.selector)
    if (!spending.isAllowed) throw triedTooOften()
  }
  const secret = text.slice(selectorLength)
  const hash = await app.slowHashes.hash(admit, secret, { ...oldCost, salt: row.salt })
  if (isSameSecret(row.hash, hash)) return row
  throw wrongCode()
}

function triedTooOften(): Refusal<PersonRefusal> {
  return new TooOftenRefusal<PersonRefusal>(
    'tries_too_many',
    'this recovery code was tried too often: wait ten minutes, take another one, or ask an owner for an invitation',
    (10 * minuteMs) / secondMs,
  )
}

function wrongCode(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'recovery_code_wrong',
    'this recovery code is wrong, was used before or was replaced: try another, or ask an owner for an invitation',
  )
}
