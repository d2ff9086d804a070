/** The cryptography that sealing asks of a platform, and that of WebCrypto, which is everywhere. */
import type { KeyPair } from './receiving-key.ts'
import { agree, exportPublic, generatePair } from './receiving-key.ts'
import type { CipherKey, PrepareHkdf } from './schedule.ts'
import { kemSecret } from './schedule.ts'

export const tagBytes = 16

/** A platform with synchronous calls seals about twice as many messages a second as WebCrypto. */
export interface SealingPlatform {
  /**
   * Encap of DHKEM(X25519, HKDF-SHA256) with a new key pair at each call. `recipient` has the
   * length of a receiving key. Throws `receiving_key_degenerate`.
   */
  encapsulate(recipient: Uint8Array<ArrayBuffer>): EncapsulatedSecret | Promise<EncapsulatedSecret>
  readonly prepareHkdf: PrepareHkdf
  /** AES-GCM: the ciphertext and its tag of 16 bytes, one after the other. */
  encrypt(
    cipherKey: CipherKey,
    aad: Uint8Array<ArrayBuffer>,
    plaintext: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>
}

export interface EncapsulatedSecret {
  readonly encapsulated: Uint8Array<ArrayBuffer>
  readonly sharedSecret: Uint8Array<ArrayBuffer>
}

export const prepareWebHkdf: PrepareHkdf = async (ikm) => {
  const key = await crypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits'])
  return async (salt, info, bytes) => {
    const parameters = { name: 'HKDF', hash: 'SHA-256', salt, info }
    return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, bytes * 8))
  }
}

export async function webCipherOf(
  { key, nonce }: CipherKey,
  aad: Uint8Array<ArrayBuffer>,
  use: 'encrypt' | 'decrypt',
) {
  return {
    key: await crypto.subtle.importKey('raw', key, 'AES-GCM', false, [use]),
    parameters: { name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: tagBytes * 8 },
  }
}

/** `createPair` is for the RFC's vectors, which fix the sender's key pair. */
export function createWebPlatform(
  createPair: () => Promise<KeyPair> = generatePair,
): SealingPlatform {
  return {
    prepareHkdf: prepareWebHkdf,
    async encapsulate(recipient) {
      const pair = await createPair()
      const encapsulated = await exportPublic(pair.publicKey)
      const dh = await agree(pair.privateKey, recipient)
      const sharedSecret = await kemSecret(prepareWebHkdf, dh, encapsulated, recipient)
      return { encapsulated, sharedSecret }
    },
    async encrypt(cipherKey, aad, plaintext) {
      const { key, parameters } = await webCipherOf(cipherKey, aad, 'encrypt')
      return new Uint8Array(await crypto.subtle.encrypt(parameters, key, plaintext))
    },
  }
}
