/**
 * Sealing by Node's synchronous calls. One secret goes to thousands of devices, and handing each
 * step to a thread, as WebCrypto does, takes about as long as the step.
 */
import { createCipheriv, createPublicKey, encapsulate, hkdfSync } from 'node:crypto'
import { concatBytes } from '@seaworthy/std/bytes'
import type { SealingPlatform } from '@seaworthy/trust/hpke'
import { hpkeError } from '@seaworthy/trust/hpke'

export const nodeSealing: SealingPlatform = {
  /** OpenSSL's encapsulation for X25519 is the one of RFC 9180. */
  encapsulate(recipient) {
    const key = createPublicKey({
      key: Buffer.from(recipient),
      format: 'raw-public',
      asymmetricKeyType: 'x25519',
    })
    try {
      const { sharedKey, ciphertext } = encapsulate(key)
      return { encapsulated: new Uint8Array(ciphertext), sharedSecret: new Uint8Array(sharedKey) }
    } catch (cause) {
      // OpenSSL refuses a shared secret of zeros (RFC 7748, 6.1) and knows no other failure here.
      throw hpkeError('receiving_key_degenerate', 'a degenerate public key of X25519', { cause })
    }
  },
  prepareHkdf: (ikm) => (salt, info, bytes) =>
    new Uint8Array(hkdfSync('sha256', ikm, salt, info, bytes)),
  encrypt({ key, nonce }, aad, plaintext) {
    const cipher = createCipheriv(key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm', key, nonce)
    cipher.setAAD(aad)
    return concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
  },
}
