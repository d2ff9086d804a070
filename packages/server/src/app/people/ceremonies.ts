/**
 * The two halves of a ceremony with a passkey: a challenge goes out, an answer comes back. Between
 * the two the server stores nothing, so that strangers cannot fill its database: a signed text in a
 * cookie says what the challenge was for. A challenge is stored when it has been answered, which
 * nobody can make happen without a passkey or a secret of ours.
 */
import { createHash } from 'node:crypto'
import type { CreationOptions, RequestOptions } from '@seaworthy/api/ceremonies'
import { base64UrlEncode, utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs } from '@seaworthy/std/time'
import { useChallenge } from '../../db/passkeys.ts'
import type { PasskeyRow } from '../../db/passkeys.ts'
import { openToken, signToken } from '../access/index.ts'
import type { App, Ports, WriteTx } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'

/** Where the browser is: passkeys belong to a host, answers to an origin. */
export interface Site {
  readonly rpId: string
  readonly origin: string
}

const purposes = [
  'sign-in',
  'step-up',
  'passkey',
  'first-owner',
  'invitation',
  'recovery',
  'password',
  'provider-sign-in',
  'provider-step-up',
  'provider-link',
] as const
export type Purpose = (typeof purposes)[number]

/** What a challenge was made for. */
export interface Ceremony {
  readonly purpose: Purpose
  readonly challenge: string
  /** The session, code or invitation that the answer must come with; empty at sign-in. */
  readonly about: string
  /** The person who gets the passkey, or confirms; empty at sign-in. */
  readonly personId: string
  readonly rpId: string
  readonly expiresAt: Date
}

export const ceremonyMs = 5 * minuteMs
const audience = 'seaworthy-ceremony'
const challengeBytes = 32

type Keys = Pick<App, 'secrets'> & Pick<Ports, 'random'>

/** A new challenge, and the text that the browser keeps until the answer. */
export function beginCeremony(
  { secrets, random }: Keys,
  wanted: Pick<Ceremony, 'purpose' | 'about' | 'personId' | 'rpId'>,
  now: Date,
): { challenge: string; kept: string } {
  const challenge = base64UrlEncode(random.bytes(challengeBytes))
  const exp = Math.floor((now.getTime() + ceremonyMs) / 1000)
  return {
    challenge,
    kept: signToken(secrets.deviceTokenKey, audience, { ...wanted, challenge, exp }),
  }
}

/** Throws `challenge_missing`, `challenge_wrong`. */
export function openCeremony(
  { secrets }: Pick<App, 'secrets'>,
  kept: string | undefined,
  expected: { purpose: Purpose; rpId: string },
  now: Date,
): Ceremony {
  const claims = kept && openToken(secrets.deviceTokenKey, audience, kept, now)
  if (typeof claims !== 'object') {
    throw new Refusal<PersonRefusal>(
      'challenge_missing',
      'there is no challenge for this browser, or it is older than five minutes: begin again',
    )
  }
  const { purpose, about, personId, challenge, rpId } = claims as unknown as Ceremony
  if (purpose !== expected.purpose || rpId !== expected.rpId) throw wrongChallenge()
  return { purpose, about, personId, challenge, rpId, expiresAt: new Date(claims.exp * 1000) }
}

export function wrongChallenge(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'challenge_wrong',
    'the answer is not to the challenge that this browser was given: begin again',
  )
}

/** The end of a ceremony. Throws `challenge_used`. */
export async function spendChallenge(tx: WriteTx, ceremony: Ceremony, now: Date): Promise<void> {
  if (await useChallenge(tx, ceremony, now)) return
  throw new Refusal<PersonRefusal>(
    'challenge_used',
    'this challenge has been answered before: begin again',
  )
}

/** COSE algorithms: Ed25519, ES256 and, for Windows Hello, RS256. */
export const algorithms = [-8, -7, -257]

export function creationOptions(
  site: Site,
  challenge: string,
  person: { readonly id: string; readonly name: string },
  known: readonly PasskeyRow[],
): CreationOptions {
  return {
    challenge,
    rp: { id: site.rpId, name: 'Seaworthy' },
    user: {
      id: base64UrlEncode(utf8Encode(person.id)),
      name: person.name,
      displayName: person.name,
    },
    pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key' as const, alg })),
    timeout: ceremonyMs,
    attestation: 'none',
    excludeCredentials: known.map(describe),
    authenticatorSelection: {
      residentKey: 'required',
      requireResidentKey: true,
      userVerification: 'required',
    },
  }
}

export function requestOptions(
  site: Site,
  challenge: string,
  allowed: readonly PasskeyRow[],
): RequestOptions {
  return {
    challenge,
    rpId: site.rpId,
    timeout: ceremonyMs,
    userVerification: 'required',
    allowCredentials: allowed.map(describe),
  }
}

function describe({ credentialId, transports }: PasskeyRow) {
  // The contract allows only these names.
  const names = [...transports] as NonNullable<
    RequestOptions['allowCredentials'][number]['transports']
  >
  return { id: credentialId, type: 'public-key' as const, transports: names }
}

/** What the browser takes to the provider, derived from the secret of its ceremony. */
export function derive(challenge: string, what: 'state' | 'nonce' | 'verifier'): string {
  return base64UrlEncode(createHash('sha256').update(`seaworthy-${what} ${challenge}`).digest())
}
