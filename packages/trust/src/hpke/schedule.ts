/**
 * The key derivations of RFC 9180 for DHKEM(X25519, HKDF-SHA256) and HKDF-SHA256 in base mode. Each
 * pair of LabeledExtract and LabeledExpand is one HKDF of the platform.
 */
import { concatBytes, utf8Encode } from '@seaworthy/std/bytes'

/** AEAD identifiers of RFC 9180, 7.3: the RFC's own vectors for this KEM are of AES-128-GCM. */
export interface Aead {
  readonly id: 1 | 2
  readonly keyBytes: 16 | 32
}
export const aes256Gcm: Aead = { id: 2, keyBytes: 32 }

/** HKDF-SHA256 with the input of this call; each call of the result has its own salt and info. */
export type PrepareHkdf = (ikm: Uint8Array<ArrayBuffer>) => Hkdf | Promise<Hkdf>
export type Hkdf = (
  salt: Uint8Array<ArrayBuffer>,
  info: Uint8Array<ArrayBuffer>,
  bytes: number,
) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>

const nonceBytes = 12
const version = utf8Encode('HPKE-v1')
const kemSuite = concatBytes(utf8Encode('KEM'), Uint8Array.of(0, 0x20))
const suiteOf = (aead: Aead) =>
  concatBytes(utf8Encode('HPKE'), Uint8Array.of(0, 0x20, 0, 1, 0, aead.id))
const nothing = new Uint8Array(0)

function labeledIkm(suite: Uint8Array, label: string, ikm: Uint8Array) {
  return concatBytes(version, suite, utf8Encode(label), ikm)
}

function labeledInfo(suite: Uint8Array, label: string, info: Uint8Array, length: number) {
  return concatBytes(
    Uint8Array.of(length >> 8, length & 255),
    version,
    suite,
    utf8Encode(label),
    info,
  )
}

/** LabeledExtract with an empty salt: an HMAC under a key of zeros. */
async function extract(suite: Uint8Array, label: string, ikm: Uint8Array): Promise<ArrayBuffer> {
  const zeros = await crypto.subtle.importKey(
    'raw',
    new Uint8Array(32),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  )
  return crypto.subtle.sign('HMAC', zeros, labeledIkm(suite, label, ikm))
}

/** ExtractAndExpand (4.1): the KEM's shared secret from that of the curve. */
export async function kemSecret(
  prepareHkdf: PrepareHkdf,
  dh: ArrayBuffer,
  encapsulated: Uint8Array,
  recipient: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const hkdf = await prepareHkdf(labeledIkm(kemSuite, 'eae_prk', new Uint8Array(dh)))
  const info = labeledInfo(kemSuite, 'shared_secret', concatBytes(encapsulated, recipient), 32)
  return hkdf(nothing, info, 32)
}

/** What the key schedule (5.1) makes of a shared secret. */
export interface Schedule {
  derive(sharedSecret: Uint8Array<ArrayBuffer>): Promise<CipherKey>
}

export interface CipherKey {
  readonly key: Uint8Array<ArrayBuffer>
  readonly nonce: Uint8Array<ArrayBuffer>
}

/** The part of the key schedule that depends on `info` alone is computed once. */
export async function createSchedule(
  aead: Aead,
  info: Uint8Array,
  prepareHkdf: PrepareHkdf,
): Promise<Schedule> {
  const suite = suiteOf(aead)
  const context = concatBytes(
    // Base mode.
    Uint8Array.of(0),
    new Uint8Array(await extract(suite, 'psk_id_hash', nothing)),
    new Uint8Array(await extract(suite, 'info_hash', info)),
  )
  const hkdf = await prepareHkdf(labeledIkm(suite, 'secret', nothing))
  const keyInfo = labeledInfo(suite, 'key', context, aead.keyBytes)
  const nonceInfo = labeledInfo(suite, 'base_nonce', context, nonceBytes)
  return {
    async derive(sharedSecret) {
      const [key, nonce] = await Promise.all([
        hkdf(sharedSecret, keyInfo, aead.keyBytes),
        hkdf(sharedSecret, nonceInfo, nonceBytes),
      ])
      return { key, nonce }
    },
  }
}
