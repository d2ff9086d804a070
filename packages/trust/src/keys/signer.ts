/** A signer: a key in memory, a key file that was opened, or later a PKCS#11 token. */
import { hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { keyError } from './codes.ts'
import { ecdsaRawToDer, encodePem } from './der.ts'
import { isSignedBy, keyId, parsePublicKey } from './public-key.ts'
import type { PublicKey } from './public-key.ts'

export interface Signer {
  readonly key: PublicKey
  readonly keyId: string
  /**
   * A signature over exactly `message`, in TUF's text form: lower-case hexadecimal, ECDSA as DER.
   */
  sign(message: Uint8Array<ArrayBuffer>): Promise<string>
}

export type KeyAlgorithm = 'ed25519' | 'p256'

const generation = {
  ed25519: { name: 'Ed25519' },
  p256: { name: 'ECDSA', namedCurve: 'P-256' },
} as const

/**
 * A new key pair from the system's randomness. `pkcs8` is the secret: the caller seals or drops it.
 */
export async function generateKeyPair(
  algorithm: KeyAlgorithm,
): Promise<{ key: PublicKey; pkcs8: Uint8Array<ArrayBuffer> }> {
  const pair = await crypto.subtle.generateKey(generation[algorithm], true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('a key pair was asked for')
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey))
  return { key: await exportPublicKey(algorithm, pair.publicKey), pkcs8 }
}

async function exportPublicKey(algorithm: KeyAlgorithm, key: CryptoKey): Promise<PublicKey> {
  if (algorithm === 'ed25519') {
    const raw = new Uint8Array(await crypto.subtle.exportKey('raw', key))
    return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hexEncode(raw) } }
  }
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', key))
  return {
    keytype: 'ecdsa',
    scheme: 'ecdsa-sha2-nistp256',
    keyval: { public: encodePem(spki) },
  }
}

/**
 * A signer from a PKCS#8 private key. Throws `key_malformed` when the private key is none, or does
 * not belong to `key`: a pair that does not match is noticed here, not when a device refuses.
 */
export async function signerFromPkcs8(
  key: PublicKey,
  pkcs8: Uint8Array<ArrayBuffer>,
): Promise<Signer> {
  const verifying = parsePublicKey(key)
  const algorithm = verifying.algorithm === 'ed25519' ? 'ed25519' : 'p256'
  let imported: CryptoKey
  try {
    imported = await crypto.subtle.importKey('pkcs8', pkcs8, generation[algorithm], false, ['sign'])
  } catch (cause) {
    throw keyError('key_malformed', 'not a private key of that algorithm', { cause })
  }
  const sign = async (message: Uint8Array<ArrayBuffer>) => {
    if (algorithm === 'ed25519') {
      return hexEncode(new Uint8Array(await crypto.subtle.sign('Ed25519', imported, message)))
    }
    const parameters = { name: 'ECDSA', hash: 'SHA-256' }
    return hexEncode(
      ecdsaRawToDer(new Uint8Array(await crypto.subtle.sign(parameters, imported, message))),
    )
  }
  const probe = utf8Encode('does this private key belong to its public key?')
  if (!(await isSignedBy(verifying, probe, await sign(probe)))) {
    throw keyError('key_malformed', 'the private key does not belong to the public key')
  }
  return { key, keyId: await keyId(key), sign }
}

/** A signer with a new key that exists only in memory: online keys before sealing, and tests. */
export async function generateSigner(algorithm: KeyAlgorithm): Promise<Signer> {
  const { key, pkcs8 } = await generateKeyPair(algorithm)
  return signerFromPkcs8(key, pkcs8)
}
