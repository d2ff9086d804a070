/** Receiving keys: X25519 pairs to which others seal messages. */
import { base64Decode } from '@seaworthy/std/bytes'
import { hpkeError } from './codes.ts'

export const publicKeyBytes = 32
const x25519 = 'X25519'

export interface ReceivingKey {
  readonly publicKey: Uint8Array<ArrayBuffer>
  readonly privateKey: CryptoKey
}

/**
 * The public key of a Base64 text. Throws `receiving_key_malformed`.
 */
export function parseReceivingKey(text: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = base64Decode(text)
  } catch (cause) {
    throw hpkeError('receiving_key_malformed', 'the receiving key is not Base64', { cause })
  }
  requireReceivingKey(bytes)
  return bytes
}

/** Throws `receiving_key_malformed`. */
export function requireReceivingKey(publicKey: Uint8Array): void {
  if (publicKey.length === publicKeyBytes) return
  throw hpkeError('receiving_key_malformed', `a receiving key has ${publicKeyBytes} bytes`)
}

/** A new pair. `pkcs8` is the secret: the caller stores it where nobody else reads it. */
export async function generateReceivingKey(): Promise<{
  publicKey: Uint8Array<ArrayBuffer>
  pkcs8: Uint8Array<ArrayBuffer>
}> {
  const pair = await generatePair()
  return {
    publicKey: await exportPublic(pair.publicKey),
    pkcs8: new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey)),
  }
}

export interface KeyPair {
  readonly publicKey: CryptoKey
  readonly privateKey: CryptoKey
}

export async function generatePair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(x25519, true, ['deriveBits'])
  if (!('privateKey' in pair)) throw new Error('a key pair was asked for')
  return pair
}

export async function exportPublic(key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.exportKey('raw', key))
}

/** The base point of X25519: a private key times this is the public key (RFC 7748). */
const basePoint = new Uint8Array(32).fill(9, 0, 1)

/**
 * The pair of a stored private key. Throws `receiving_key_malformed`.
 */
export async function openReceivingKey(pkcs8: Uint8Array<ArrayBuffer>): Promise<ReceivingKey> {
  try {
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, x25519, false, ['deriveBits'])
    const publicKey = new Uint8Array(await agree(privateKey, basePoint))
    return { publicKey, privateKey }
  } catch (cause) {
    throw hpkeError('receiving_key_malformed', 'not a private key of X25519', { cause })
  }
}

/**
 * The curve's shared secret. Throws `receiving_key_malformed`, and `receiving_key_degenerate` where
 * the secret does not depend on the private key.
 */
export async function agree(
  privateKey: CryptoKey,
  publicKey: Uint8Array<ArrayBuffer>,
): Promise<ArrayBuffer> {
  requireReceivingKey(publicKey)
  const point = await crypto.subtle.importKey('raw', publicKey, x25519, true, [])
  try {
    return await crypto.subtle.deriveBits({ name: x25519, public: point }, privateKey, 256)
  } catch (cause) {
    // The platform refuses a shared secret of zeros (RFC 7748, 6.1) and knows no other failure.
    throw hpkeError('receiving_key_degenerate', 'a degenerate public key of X25519', { cause })
  }
}
