/**
 * Judges a passkey's answer (WebAuthn Level 3, 7.1 and 7.2). Hostile bytes enter here: challenge
 * and site are checked first and refused by name, and the library checks the rest. Nothing is
 * written; the caller spends the challenge in the transaction of what it allows.
 */
import type { NewPasskey, PasskeyProof } from '@seaworthy/api/ceremonies'
import { base64UrlDecode, hexDecode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import type { PasskeyRow } from '../../db/passkeys.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Ceremony, Site } from './ceremonies.ts'
import { algorithms, wrongChallenge } from './ceremonies.ts'

/** What a new passkey is, proven. */
export type NewCredential = Pick<
  PasskeyRow,
  'credentialId' | 'publicKey' | 'signCount' | 'transports' | 'isBackedUp' | 'rpId'
>

/** Throws `challenge_wrong`, `origin_wrong`, `passkey_refused`. */
export async function verifyNewPasskey(
  passkey: NewPasskey,
  ceremony: Pick<Ceremony, 'challenge'>,
  site: Site,
): Promise<NewCredential> {
  checkClientData(passkey.clientDataJSON, 'webauthn.create', ceremony, site)
  const { verifyRegistrationResponse } = await import('@simplewebauthn/server')
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    ...expectedOf(ceremony, site),
    supportedAlgorithmIDs: [...algorithms],
    response: {
      id: passkey.id,
      rawId: passkey.id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: passkey.clientDataJSON,
        attestationObject: passkey.attestationObject,
      },
    },
  }).catch(refuse)
  if (!verified) throw refusedPasskey()
  const { credential, credentialBackedUp } = registrationInfo
  // The authenticator signs the id inside; the browser states the one beside it.
  if (credential.id !== passkey.id) throw refusedPasskey()
  return {
    credentialId: credential.id,
    publicKey: credential.publicKey,
    signCount: credential.counter,
    transports: [...new Set(passkey.transports)],
    isBackedUp: credentialBackedUp,
    rpId: site.rpId,
  }
}

/**
 * A public key for which nobody can make a signature, so that an unknown credential costs the same
 * work as a known one, and gets the same answer. It is the generator of P-256, as a COSE key.
 */
const decoyKey = hexDecode(
  'a5010203262001215820' +
    '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' +
    '225820' +
    '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
)

/**
 * Judges the answer of a registered passkey, or of one that is not registered (`undefined`), which
 * is always refused. Throws `challenge_wrong`, `origin_wrong`, `passkey_refused`.
 */
export async function verifyProof(
  proof: PasskeyProof,
  passkey: PasskeyRow | undefined,
  ceremony: Pick<Ceremony, 'challenge'>,
  site: Site,
): Promise<{ passkey: PasskeyRow; signCount: number; isBackedUp: boolean }> {
  checkClientData(proof.clientDataJSON, 'webauthn.get', ceremony, site)
  const { id, clientDataJSON, authenticatorData, signature } = proof
  const { verifyAuthenticationResponse } = await import('@simplewebauthn/server')
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    ...expectedOf(ceremony, site),
    // The count is compared later, in the transaction that stores the new one.
    credential: { id, publicKey: new Uint8Array(passkey?.publicKey ?? decoyKey), counter: 0 },
    response: {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: { clientDataJSON, authenticatorData, signature },
    },
  }).catch(refuse)
  if (!verified || passkey === undefined || passkey.rpId !== site.rpId) throw refusedPasskey()
  const { newCounter, credentialBackedUp } = authenticationInfo
  return { passkey, signCount: newCounter, isBackedUp: credentialBackedUp }
}

function expectedOf({ challenge }: Pick<Ceremony, 'challenge'>, { origin, rpId }: Site) {
  return {
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: rpId,
    requireUserVerification: true,
  }
}

function checkClientData(
  text: string,
  type: string,
  ceremony: Pick<Ceremony, 'challenge'>,
  site: Site,
): void {
  let data: unknown
  try {
    data = parseAnyJson(base64UrlDecode(text))
  } catch (error) {
    refuse(error)
  }
  const isObject = typeof data === 'object' && data !== null
  const said = (isObject ? data : {}) as Readonly<Record<string, unknown>>
  if (said['type'] !== type) throw refusedPasskey()
  if (said['challenge'] !== ceremony.challenge) throw wrongChallenge()
  if (said['origin'] !== site.origin || (said['crossOrigin'] ?? false) !== false) {
    throw new Refusal<PersonRefusal>(
      'origin_wrong',
      `another page than ${site.origin} asked for the passkey: it may have been a phishing page`,
    )
  }
}

/** The library's own description of the fault is for the log. */
function refuse(cause: unknown): never {
  throw refusedPasskey(cause)
}

function refusedPasskey(cause?: unknown): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'passkey_refused',
    'this passkey does not open anything here: take another one, use a recovery code, or ask an owner for an invitation',
    { cause },
  )
}
