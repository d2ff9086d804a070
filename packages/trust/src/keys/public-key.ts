/** Public keys as TUF writes them, and whether a signature is by such a key. */
import { hexDecode, hexEncode } from '@seaworthy/std/bytes'
import { canonicalJson, isJsonObject } from '../tuf/json.ts'
import { keyError } from './codes.ts'
import { decodePem, ecdsaDerToRaw, encodePem, p256Point } from './der.ts'

/** A TUF key object. `public` is 64 hexadecimal digits (Ed25519) or a PEM SubjectPublicKeyInfo. */
export interface PublicKey {
  readonly keytype: string
  readonly scheme: string
  readonly keyval: { readonly public: string }
}

type Algorithm = 'ed25519' | 'p256' | 'p384' | 'rsa-pss' | 'rsa-pkcs1'

/** A key that has been read and can verify. */
export interface VerifyingKey {
  readonly key: PublicKey
  /**
   * The same text for the same public key, however it was written or named: what thresholds count.
   */
  readonly material: string
  readonly algorithm: Algorithm
  /** The raw public key of Ed25519, otherwise a SubjectPublicKeyInfo. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** SHA-256 of the canonical key object, as 64 hexadecimal digits (specification 4.2). */
export async function keyId(key: PublicKey): Promise<string> {
  return hexEncode(new Uint8Array(await crypto.subtle.digest('SHA-256', canonicalJson(key))))
}

/**
 * Reads a key of our own profile: Ed25519 or ECDSA P-256, exactly the members of the format, the
 * one way of writing each key. Throws `key_malformed` or `key_unsupported`.
 */
export function parsePublicKey(value: unknown): VerifyingKey {
  const key = readShape(value)
  if (
    !key ||
    Object.keys(value as object).length !== 3 ||
    Object.keys((value as PublicKey).keyval).length !== 1
  ) {
    throw keyError('key_malformed', 'not a key object of keytype, scheme and keyval.public')
  }
  const { keytype, scheme } = key
  if (keytype === 'ed25519' && scheme === 'ed25519') return readEd25519(key)
  if (keytype === 'ecdsa' && scheme === 'ecdsa-sha2-nistp256') {
    const spki = decodePem(key.keyval.public)
    if (!spki || !p256Point(spki) || encodePem(spki) !== key.keyval.public) {
      throw keyError('key_malformed', 'not the PEM form of an uncompressed P-256 public key')
    }
    return { key, material: `spki:${hexEncode(spki)}`, algorithm: 'p256', bytes: spki }
  }
  throw keyError('key_unsupported', 'only ed25519 and ecdsa-sha2-nistp256 keys are accepted')
}

/**
 * Reads a key of any conforming repository: also other curves, RSA, older names of key types and
 * unknown members. Gives `undefined` for a key we cannot use: it then never counts for a threshold.
 */
export async function readForeignKey(value: unknown): Promise<VerifyingKey | undefined> {
  const key = readShape(value)
  if (!key) return undefined
  if (key.keytype === 'ed25519' && key.scheme === 'ed25519') {
    try {
      return readEd25519(key)
    } catch {
      // An unusable key is no fault of the whole metadata: it just never verifies anything.
      return undefined
    }
  }
  const algorithm = foreignAlgorithm(key)
  if (!algorithm) return undefined
  try {
    const text = key.keyval.public
    const given = decodePem(text) ?? new Uint8Array()
    // Early ecdsa keys were written as the hexadecimal point.
    const point = given.length === 0 && algorithm === 'p256' ? hexDecode(text) : undefined
    const imported = await crypto.subtle.importKey(
      point ? 'raw' : 'spki',
      point ?? given,
      importParameters(algorithm),
      true,
      ['verify'],
    )
    const bytes = new Uint8Array(await crypto.subtle.exportKey('spki', imported))
    return { key, material: `spki:${hexEncode(bytes)}`, algorithm, bytes }
  } catch {
    // As in the case above, the key is not one of that algorithm.
    return undefined
  }
}

/**
 * Why `readForeignKey` makes nothing of a key that the specification may well allow; `undefined`
 * for one that it reads. The text holds only printable ASCII of what the key says.
 */
export async function whyKeyIsUnusable(value: unknown): Promise<string | undefined> {
  if ((await readForeignKey(value)) !== undefined) return undefined
  const key = readShape(value)
  if (key === undefined) return 'it has no keytype, scheme and keyval.public'
  const kind = `${key.keytype}/${key.scheme}`.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 60)
  const isKnown = (key.keytype === 'ed25519' && key.scheme === 'ed25519') || foreignAlgorithm(key)
  return isKnown
    ? `its public part is no sound key of ${kind}`
    : `keys of ${kind} are not supported here`
}

function readShape(value: unknown): PublicKey | undefined {
  if (!isJsonObject(value) || !isJsonObject(value['keyval'])) return undefined
  const { keytype, scheme } = value
  const text = value['keyval']['public']
  if (typeof keytype !== 'string' || typeof scheme !== 'string' || typeof text !== 'string') {
    return undefined
  }
  return value as unknown as PublicKey
}

function foreignAlgorithm({ keytype, scheme }: PublicKey): Algorithm | undefined {
  if (keytype === 'rsa' && scheme === 'rsassa-pss-sha256') return 'rsa-pss'
  if (keytype === 'rsa' && scheme === 'rsa-pkcs1v15-sha256') return 'rsa-pkcs1'
  for (const [name, algorithm] of [
    ['ecdsa-sha2-nistp256', 'p256'],
    ['ecdsa-sha2-nistp384', 'p384'],
  ] as const) {
    if (scheme === name && (keytype === 'ecdsa' || keytype === name)) return algorithm
  }
  return undefined
}

function importParameters(algorithm: Algorithm) {
  switch (algorithm) {
    case 'ed25519':
      return { name: 'Ed25519' }
    case 'p256':
      return { name: 'ECDSA', namedCurve: 'P-256' }
    case 'p384':
      return { name: 'ECDSA', namedCurve: 'P-384' }
    case 'rsa-pss':
      return { name: 'RSA-PSS', hash: 'SHA-256' }
    case 'rsa-pkcs1':
      return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  }
}

const ed25519Prime = 2n ** 255n - 19n
/** y coordinates of the points of small order: a signature by such a "key" says nothing. */
const smallOrderY = [
  0n,
  1n,
  ed25519Prime - 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
]

function readEd25519(key: PublicKey): VerifyingKey {
  const text = key.keyval.public
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw keyError('key_malformed', 'an ed25519 public key is 64 lower-case hexadecimal digits')
  }
  const bytes = hexDecode(text)
  let y = 0n
  for (const byte of bytes.toReversed()) y = (y << 8n) | BigInt(byte)
  y &= 2n ** 255n - 1n
  if (y >= ed25519Prime || smallOrderY.includes(y)) {
    throw keyError('key_malformed', 'a degenerate ed25519 public key')
  }
  return { key, material: `ed25519:${text}`, algorithm: 'ed25519', bytes }
}

/**
 * Whether `signature` (lower-case hexadecimal, as TUF metadata carries it; ECDSA in strict DER) is
 * by `key` over `message`. A malformed signature is simply not one.
 */
export async function isSignedBy(
  key: VerifyingKey,
  message: Uint8Array<ArrayBuffer>,
  signature: string,
): Promise<boolean> {
  // The longest is RSA 16384.
  if (signature.length > 4096 || !/^(?:[0-9a-f]{2})+$/.test(signature)) return false
  const given = hexDecode(signature)
  const { algorithm } = key
  const imported = await crypto.subtle
    .importKey(
      algorithm === 'ed25519' ? 'raw' : 'spki',
      key.bytes,
      importParameters(algorithm),
      false,
      ['verify'],
    )
    // Not a point on the curve: a key that verifies nothing.
    .catch(() => undefined)
  if (!imported) return false
  switch (algorithm) {
    case 'ed25519':
      return given.length === 64 && crypto.subtle.verify('Ed25519', imported, given, message)
    case 'p256':
    case 'p384': {
      const raw = ecdsaDerToRaw(given, algorithm === 'p256' ? 32 : 48)
      const hash = algorithm === 'p256' ? 'SHA-256' : 'SHA-384'
      return !!raw && crypto.subtle.verify({ name: 'ECDSA', hash }, imported, raw, message)
    }
    case 'rsa-pss':
      // Salt as long as the hash, or as long as fits: both are in use.
      for (const saltLength of [32, given.length - 34]) {
        if (saltLength < 0) continue
        const parameters = { name: 'RSA-PSS', saltLength }
        if (await crypto.subtle.verify(parameters, imported, given, message)) return true
      }
      return false
    case 'rsa-pkcs1':
      return crypto.subtle.verify('RSASSA-PKCS1-v1_5', imported, given, message)
  }
}
