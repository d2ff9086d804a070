/**
 * Passwords with authenticators: for roles that need no passkey, in browsers that refuse passkeys.
 * Whatever is wrong with a sign-in, the answer and the work are the same; no part is confirmed
 * before all of it is right.
 */
import { base64UrlDecode, base64UrlEncode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs, secondMs } from '@seaworthy/std/time'
import * as db from '../../db/passwords.ts'
import type { PasswordRow } from '../../db/passwords.ts'
import type { RightsTx } from '../../db/rights.ts'
import { getPerson } from '../../db/people.ts'
import { useRecoveryCode } from '../../db/recovery-codes.ts'
import { endSessionsBegunBy } from '../../db/sessions.ts'
import type { Current, PersonActor } from '../access/index.ts'
import {
  isSameSecret,
  KnownPersonRefusal,
  openToken,
  requireOwnFactor,
  signToken,
} from '../access/index.ts'
import type { App, WriteTx } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Taken } from './tries.ts'
import { judgeTry, takeTries } from './tries.ts'
import type { Ceremony } from './ceremonies.ts'
import { beginCeremony, openCeremony, spendChallenge, wrongChallenge } from './ceremonies.ts'
import { requireStrongPassword } from './password-strength.ts'
import { findEnabledPerson } from './people.ts'
import { checkCode } from './recovery-codes.ts'
import type { Asked, OpenedSession, Visit } from './sessions.ts'
import { openSession, renewSession } from './sessions.ts'
import { requireNoPasskeyRole } from './sign-in-policy.ts'
import { base32 } from './totp-codes.ts'
import type { JudgedCode } from './totp.ts'
import { judgeCode } from './totp.ts'

type Deps = Pick<App, 'db' | 'secrets' | 'masterKey' | 'budgets' | 'clock' | 'random'> &
  Pick<App, 'slowHashes'>

/** The cost of a new hash: the least that OWASP's list has for argon2id. */
const cost = { memoryKiB: 19_456, passes: 2 } as const
const totpSecretBytes = 20

/** The same letters in two normal forms of Unicode are one password. */
const spelled = (password: string) => password.normalize('NFKC')

/** What is sealed is bound to its row, so that swapping two rows opens nothing. */
function sealTotp({ masterKey }: Deps, personId: string, secret: Uint8Array): Uint8Array {
  return masterKey.seal('totp-secret', 1, utf8Encode(`${personId} ${hexEncode(secret)}`))
}

function openTotp({ masterKey }: Deps, personId: string, sealed: Uint8Array): Uint8Array {
  const [whose, hex] = Buffer.from(masterKey.open('totp-secret', 1, sealed))
    .toString()
    .split(' ')
  if (whose !== personId) throw new Error('an authenticator is stored with another person')
  return Buffer.from(hex!, 'hex')
}

export interface NewAuthenticator {
  readonly secret: string
  readonly uri: string
}

/** Throws `passkey_needed`. */
export async function askPassword(
  app: Deps,
  actor: PersonActor,
  now: Date,
): Promise<Asked<NewAuthenticator>> {
  requireOwnFactor(actor, 'no password is set')
  await requireNoPasskeyRole(app.db.reader, actor.person)
  const secret = app.random.bytes(totpSecretBytes)
  const sealed = base64UrlEncode(sealTotp(app, actor.id, secret))
  const about = `${actor.session.id} ${sealed}`
  const wanted = { purpose: 'password', about, personId: actor.id, rpId: '' } as const
  const { kept } = beginCeremony(app, wanted, now)
  const label = encodeURIComponent(`Seaworthy:${actor.person.name}`)
  const uri = `otpauth://totp/${label}?secret=${base32(secret)}&issuer=Seaworthy&algorithm=SHA1&digits=6&period=30`
  return { options: { secret: base32(secret), uri }, kept }
}

export interface GivenPassword {
  readonly name: string
  readonly password: string
  readonly code: string
}

interface JudgedNewPassword {
  readonly row: PasswordRow
  readonly ceremony: Ceremony
}

/**
 * Throws `challenge_missing`, `challenge_wrong`, `totp_wrong`, `totp_clock_off`, `password_weak`.
 */
export async function judgeNewPassword(
  app: Deps,
  actor: PersonActor,
  given: GivenPassword,
  kept: string | undefined,
): Promise<JudgedNewPassword> {
  const now = app.clock.now()
  const ceremony = openCeremony(app, kept, { purpose: 'password', rpId: '' }, now)
  const [sessionId, sealed] = ceremony.about.split(' ')
  if (sessionId !== actor.session.id) throw wrongChallenge()
  const totpSealed = base64UrlDecode(sealed!)
  const totpStep = requireRightCode(openTotp(app, actor.id, totpSealed), given.code, now)
  const { person } = actor
  await requireStrongPassword(given.password, [given.name, person.name, person.email ?? ''])
  const salt = app.random.bytes(16)
  const row: PasswordRow = {
    ...{ personId: actor.id, name: given.name.toLowerCase(), ...cost, salt, totpSealed, totpStep },
    // The person has just confirmed, so nothing limits their tries.
    hash: await app.slowHashes.hash(() => undefined, spelled(given.password), { ...cost, salt }),
    createdAt: now,
    lastUsedAt: null,
  }
  return { row, ceremony }
}

/** The step of the code. Throws `totp_wrong`, `totp_clock_off`. */
function requireRightCode(secret: Uint8Array, code: string, now: Date): number {
  const judged = judgeCode(secret, code, now)
  if (judged.kind === 'right') return judged.step
  sayClockOff(judged)
  throw new Refusal<PersonRefusal>(
    'totp_wrong',
    'this is not the code that the authenticator shows now: take the newest one, and if none is right, set its clock (automatic time)',
  )
}

/**
 * A code of the past says that a clock is behind. One of the future gets the same answer as a wrong
 * one: a guesser who learned of it would only have to wait.
 */
function sayClockOff(judged: JudgedCode | undefined): void {
  if (judged?.kind === 'clock-off' && judged.minutes < 0) throw clockOff(judged.minutes)
}

function clockOff(minutes: number): Refusal<PersonRefusal> {
  const size = Math.abs(minutes)
  const how = `${size} ${size === 1 ? 'minute' : 'minutes'} behind`
  return new Refusal<PersonRefusal>(
    'totp_clock_off',
    `the clock of your authenticator is about ${how} the server’s: set it (automatic time), then take a new code; if it is right, tell whoever runs the server`,
  )
}

/**
 * Stores it in place of the one before; sessions that began with that end. Throws
 * `challenge_used`, `passkey_needed`, `sign_in_name_taken`.
 */
export async function setPassword(
  tx: RightsTx,
  actor: Current<PersonActor>,
  { row, ceremony }: JudgedNewPassword,
): Promise<void> {
  const now = await tx.now()
  requireOwnFactor(actor, 'no password is set')
  await spendChallenge(tx, ceremony, now)
  await requireNoPasskeyRole(tx, actor.person)
  if (!(await db.setPassword(tx, { ...row, createdAt: now }))) {
    throw new Refusal<PersonRefusal>(
      'sign_in_name_taken',
      'another person signs in with this name: choose another one',
    )
  }
  await endSessionsBegunBy(tx, ['password'], { personId: actor.id, except: actor.session.id }, now)
}

/** Throws `password_missing`. */
export async function removePassword(tx: RightsTx, actor: Current<PersonActor>): Promise<void> {
  requireOwnFactor(actor, 'no password is removed')
  if (!(await db.deletePassword(tx, actor.id))) throw noPassword()
  const of = { personId: actor.id, except: actor.session.id }
  await endSessionsBegunBy(tx, ['password'], of, await tx.now())
}

function noPassword(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>('password_missing', 'you have no password with authenticator')
}

const noSalt = new Uint8Array(16)
const noHash = new Uint8Array(32)
const noSecret = new Uint8Array(totpSecretBytes)

interface JudgedPassword {
  readonly row: PasswordRow
  readonly used: { readonly step: number } | { readonly selector: string }
  readonly browserId: string
  readonly tries: Taken
}

/** Where somebody tries from: their network, and whether they were here before. */
export interface TryOrigin {
  readonly network: string
  /** The text that marks a browser in which somebody has signed in by password. */
  readonly knownAs: string | undefined
}

/** Throws `tries_too_many`, `password_wrong`, `totp_clock_off`, `hashes_waiting`. */
export async function judgePassword(
  app: Deps,
  given: GivenPassword,
  { network, knownAs }: TryOrigin,
): Promise<JudgedPassword> {
  const now = app.clock.now()
  const name = given.name.toLowerCase()
  const row = await db.findPassword(app.db.reader, name)
  const known = openKnown(app, knownAs, now)
  const tries = await takeTries(
    app,
    row !== undefined && known?.personId === row.personId
      ? [{ budget: 'sign-in-account', who: `browser ${known.browserId} ${name}` }]
      : [
          { budget: 'sign-in-account', who: `account ${name}` },
          { budget: 'sign-in-network', who: network },
        ],
  )
  return judgeTry(tries, () => judgeGiven(app, given, { row, now, known, tries }))
}

interface Looked {
  readonly row: PasswordRow | undefined
  readonly now: Date
  readonly known: Known | undefined
  readonly tries: Taken
}

/** Throws `password_wrong`, `totp_clock_off`, `hashes_waiting`. */
async function judgeGiven(
  app: Deps,
  given: GivenPassword,
  { row, now, known, tries }: Looked,
): Promise<JudgedPassword> {
  // Everybody costs the same work, and no answer is given before all of it is done.
  const how = row ?? { ...cost, salt: noSalt }
  const hash = await app.slowHashes.hash(() => undefined, spelled(given.password), how)
  const isPassword = isSameSecret(row?.hash ?? noHash, hash)
  const secret = row === undefined ? noSecret : openTotp(app, row.personId, row.totpSealed)
  const isTotp = /^\d{6}$/.test(given.code)
  const code = isTotp ? judgeCode(secret, given.code, now) : undefined
  const recovery = isTotp ? undefined : await checkCode(app, given.code).catch(onlyWrong)
  const isOurs = recovery !== undefined && recovery.personId === row?.personId
  const browserId = known?.browserId ?? hexEncode(app.random.bytes(16))
  if (row !== undefined && isPassword) {
    if (code?.kind === 'right') return { row, used: { step: code.step }, browserId, tries }
    sayClockOff(code)
    if (isOurs) return { row, used: { selector: recovery.selector }, browserId, tries }
  }
  throw wrongPassword()
}

function wrongPassword(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'password_wrong',
    'name, password and code do not belong together: check all three, take a new code, and see that the clock of the authenticator is right',
  )
}

function onlyWrong(error: unknown): undefined {
  if (error instanceof Refusal && error.code === 'recovery_code_wrong') return undefined
  throw error
}

/**
 * Opens a session if the password that was judged is still theirs. Throws `person_disabled`,
 * `passkey_needed`, `password_wrong`, `code_used`.
 */
export async function signInByPassword(
  tx: WriteTx,
  app: Pick<App, 'random'>,
  { row, used }: JudgedPassword,
  visit: Visit,
): Promise<OpenedSession> {
  const now = await tx.now()
  const { personId } = row
  const person = await findEnabledPerson(tx, personId)
  await requireNoPasskeyRole(tx, person)
  const current = await db.getPassword(tx, personId)
  if (current === undefined || !isSameSecret(current.hash, row.hash)) throw wrongPassword()
  const isUnused =
    'selector' in used
      ? await useRecoveryCode(tx, used.selector, now)
      : await db.useTotpStep(tx, row, used.step, now)
  if (!isUnused) throw codeUsed(personId)
  return openSession(tx, app, personId, { ...visit, factor: 'password' }, now)
}

function codeUsed(personId: string): KnownPersonRefusal {
  return new KnownPersonRefusal(
    'code_used',
    'this code was used before: wait for the next one; if it was not you, change your password',
    personId,
  )
}

/**
 * Throws `password_missing`, `passkey_needed`, `tries_too_many`, `totp_wrong`, `totp_clock_off`.
 */
export async function judgeStepUpCode(
  app: Deps,
  actor: PersonActor,
  code: string,
): Promise<{ row: PasswordRow; step: number; tries: Taken }> {
  await requireNoPasskeyRole(app.db.reader, actor.person)
  const row = await db.getPassword(app.db.reader, actor.id)
  if (row === undefined) throw noPassword()
  const tries = await takeTries(app, [{ budget: 'sign-in-account', who: `step-up ${actor.id}` }])
  const secret = openTotp(app, actor.id, row.totpSealed)
  return { row, step: requireRightCode(secret, code, app.clock.now()), tries }
}

/**
 * The same as a confirmation with a passkey. Throws `passkey_needed`, `code_used`,
 * `session_not_found`.
 */
export async function stepUpByCode(
  tx: WriteTx,
  { random }: Pick<App, 'random'>,
  actor: Current<PersonActor>,
  { row, step }: { row: PasswordRow; step: number },
): Promise<OpenedSession> {
  const now = await tx.now()
  const person = await getPerson(tx, actor.id)
  await requireNoPasskeyRole(tx, person ?? actor.person)
  if (!(await db.useTotpStep(tx, row, step, now))) throw codeUsed(actor.id)
  return renewSession(tx, { random }, actor, now)
}

const audience = 'seaworthy-known-browser'

/** A browser in which the person has signed in by password. */
interface Known {
  readonly personId: string
  readonly browserId: string
}

export const knownBrowserMs = 180 * dayMs

/** The text that marks a browser in which the person has signed in. */
export function makeKnown(
  { secrets }: Pick<App, 'secrets'>,
  { personId, browserId }: Known,
  now: Date,
): string {
  const exp = Math.floor((now.getTime() + knownBrowserMs) / secondMs)
  return signToken(secrets.deviceTokenKey, audience, { personId, browserId, exp })
}

function openKnown(
  { secrets }: Pick<App, 'secrets'>,
  text: string | undefined,
  now: Date,
): Known | undefined {
  const claims =
    text === undefined ? undefined : openToken(secrets.deviceTokenKey, audience, text, now)
  if (claims === undefined) return undefined
  return { personId: String(claims['personId']), browserId: String(claims['browserId']) }
}
