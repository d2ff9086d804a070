/**
 * Hybrid public key encryption (RFC 9180), one message for each encapsulation: base mode,
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. It hides the message from all but the
 * holder of the private key; it does not say who sealed it.
 */
import { concatBytes } from '@seaworthy/std/bytes'
import { hpkeError } from './codes.ts'
import type { SealingPlatform } from './platform.ts'
import { createWebPlatform, prepareWebHkdf, tagBytes, webCipherOf } from './platform.ts'
import type { ReceivingKey } from './receiving-key.ts'
import { agree, publicKeyBytes, requireReceivingKey } from './receiving-key.ts'
import type { Aead } from './schedule.ts'
import { aes256Gcm, createSchedule, kemSecret } from './schedule.ts'

/** How much longer a sealed message is than the message. */
export const sealedOverhead = publicKeyBytes + tagBytes

/** Seals and opens messages of one purpose. */
export interface SealedEnvelope {
  /**
   * The encapsulated key and the ciphertext, one after the other. Throws
   * `receiving_key_malformed` and `receiving_key_degenerate`.
   */
  seal(
    recipient: Uint8Array<ArrayBuffer>,
    aad: Uint8Array<ArrayBuffer>,
    plaintext: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>
  /** Throws `sealed_too_short` and `sealed_not_opened`. */
  open(
    recipient: ReceivingKey,
    aad: Uint8Array<ArrayBuffer>,
    sealed: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>
}

/**
 * `info` says what the messages are for: what was sealed for another purpose does not open.
 * Everything is opened by WebCrypto; `platform` seals. The other option is for the RFC's vectors,
 * which are of AES-128 for this KEM.
 */
export async function createEnvelope(
  info: Uint8Array,
  {
    aead = aes256Gcm,
    platform = createWebPlatform(),
  }: { aead?: Aead; platform?: SealingPlatform } = {},
): Promise<SealedEnvelope> {
  const sealing = await createSchedule(aead, info, (ikm) => platform.prepareHkdf(ikm))
  const opening = await createSchedule(aead, info, prepareWebHkdf)

  return {
    async seal(recipient, aad, plaintext) {
      requireReceivingKey(recipient)
      const { encapsulated, sharedSecret } = await platform.encapsulate(recipient)
      const cipherKey = await sealing.derive(sharedSecret)
      return concatBytes(encapsulated, await platform.encrypt(cipherKey, aad, plaintext))
    },
    async open(recipient, aad, sealed) {
      if (sealed.length < sealedOverhead) {
        throw hpkeError('sealed_too_short', `a sealed message has at least ${sealedOverhead} bytes`)
      }
      const encapsulated = sealed.slice(0, publicKeyBytes)
      try {
        const dh = await agree(recipient.privateKey, encapsulated)
        const secret = await kemSecret(prepareWebHkdf, dh, encapsulated, recipient.publicKey)
        const { key, parameters } = await webCipherOf(await opening.derive(secret), aad, 'decrypt')
        const ciphertext = sealed.subarray(publicKeyBytes)
        return new Uint8Array(await crypto.subtle.decrypt(parameters, key, ciphertext))
      } catch (cause) {
        // One code for every failure: a sender must not learn which part did not fit.
        throw hpkeError(
          'sealed_not_opened',
          'the sealed message does not open: it is for another key or purpose, or was changed',
          { cause },
        )
      }
    },
  }
}
