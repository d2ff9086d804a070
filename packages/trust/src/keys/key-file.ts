/**
 * Key files: a private key sealed with a passphrase, and the public form that may be shown to
 * anyone.
 */
import { base64Decode, base64Encode, hexDecode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { canonicalJson, isJsonObject, parseJson } from '../tuf/json.ts'
import type { JsonObject } from '../tuf/json.ts'
import { keyError } from './codes.ts'
import { keyId, parsePublicKey } from './public-key.ts'
import type { PublicKey } from './public-key.ts'
import { signerFromPkcs8 } from './signer.ts'
import type { Signer } from './signer.ts'

/** Argon2id as a port: WebCrypto does not have it everywhere. */
export type Argon2id = (input: {
  passphrase: Uint8Array<ArrayBuffer>
  salt: Uint8Array<ArrayBuffer>
  memoryKiB: number
  passes: number
  parallelism: number
  lengthBytes: number
}) => Promise<Uint8Array<ArrayBuffer>>

export interface KeyFileCost {
  memoryKiB: number
  passes: number
  parallelism: number
}

/** RFC 9106's second recommended option. */
export const defaultKeyFileCost: KeyFileCost = { memoryKiB: 65_536, passes: 3, parallelism: 4 }

const bounds: Record<keyof KeyFileCost, readonly [number, number]> = {
  memoryKiB: [8192, 1_048_576],
  passes: [1, 16],
  parallelism: [1, 16],
}

export const keyFileFormat = 'seaworthy-key-v1'
const publicKeyFileFormat = 'seaworthy-public-key-v1'
/** A key file is about one kilobyte. */
export const keyFileBytesMax = 16_384

/**
 * Seals a private key into the text of a `seaworthy-key-v1` file: argon2id, then AES-256-GCM with
 * all other members, the public key among them, as additional data.
 */
export async function sealKeyFile(
  input: { key: PublicKey; pkcs8: Uint8Array<ArrayBuffer>; passphrase: string; cost: KeyFileCost },
  ports: { argon2id: Argon2id; random: Random },
): Promise<string> {
  const header = {
    format: keyFileFormat,
    key: input.key,
    keyid: await keyId(input.key),
    kdf: { name: 'argon2id', ...input.cost, salt: hexEncode(ports.random.bytes(16)) },
    cipher: { name: 'aes-256-gcm', nonce: hexEncode(ports.random.bytes(12)) },
  }
  const secret = await deriveSecret(header.kdf, input.passphrase, ports.argon2id)
  const sealed = await crypto.subtle.encrypt(cipherParameters(header), secret, input.pkcs8)
  const body = { ...header, ciphertext: base64Encode(new Uint8Array(sealed)) }
  return `${JSON.stringify({ ...body, checksum: await checksum(body) }, undefined, 2)}\n`
}

/** The public form of a key, as `key show` prints it. */
export async function formatPublicKeyFile(key: PublicKey): Promise<string> {
  const file = { format: publicKeyFileFormat, key, keyid: await keyId(key) }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/**
 * The public key of a key file, sealed or public, or of a bare TUF key object. Needs no passphrase.
 * Throws `key_file_malformed`, `key_file_damaged`, `key_malformed` or `key_unsupported`.
 */
export async function parsePublicKeyFile(bytes: Uint8Array): Promise<PublicKey> {
  const file = parseFile(bytes)
  if (file['format'] === keyFileFormat) return (await parseSealed(file)).key
  if ('keytype' in file) return parsePublicKey(file).key
  expectMembers(file, ['format', 'key', 'keyid'])
  if (file['format'] !== publicKeyFileFormat) throw malformed('an unknown format')
  return parseKeyWithId(file)
}

/**
 * Opens a sealed key file. Throws `wrong_passphrase` when the file is whole but does not open,
 * `key_file_damaged` when its checksum fails, `key_file_malformed` when it is none.
 */
export async function openKeyFile(
  bytes: Uint8Array,
  passphrase: string,
  ports: { argon2id: Argon2id },
): Promise<Signer> {
  const sealed = await parseSealed(parseFile(bytes))
  const secret = await deriveSecret(sealed.kdf, passphrase, ports.argon2id)
  let pkcs8: ArrayBuffer
  try {
    pkcs8 = await crypto.subtle.decrypt(cipherParameters(sealed.header), secret, sealed.ciphertext)
  } catch (cause) {
    throw keyError('wrong_passphrase', 'the passphrase does not open this key file', { cause })
  }
  return signerFromPkcs8(sealed.key, new Uint8Array(pkcs8))
}

interface Kdf extends KeyFileCost {
  salt: string
}

async function deriveSecret(kdf: Kdf, passphrase: string, argon2id: Argon2id): Promise<CryptoKey> {
  const bytes = await argon2id({
    passphrase: utf8Encode(passphrase.normalize('NFC')),
    salt: hexDecode(kdf.salt),
    memoryKiB: kdf.memoryKiB,
    passes: kdf.passes,
    parallelism: kdf.parallelism,
    lengthBytes: 32,
  })
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

function cipherParameters(header: { cipher: { nonce: string } }) {
  return {
    name: 'AES-GCM',
    iv: hexDecode(header.cipher.nonce),
    additionalData: canonicalJson(header),
  }
}

async function checksum(body: object): Promise<string> {
  return hexEncode(new Uint8Array(await crypto.subtle.digest('SHA-256', canonicalJson(body))))
}

const malformed = (what: string) => keyError('key_file_malformed', `not a key file: ${what}`)

function parseFile(bytes: Uint8Array): JsonObject {
  try {
    const file = parseJson(bytes, { bytesMax: keyFileBytesMax, depthMax: 4 })
    if (isJsonObject(file)) return file
  } catch (cause) {
    throw keyError('key_file_malformed', 'not a key file: not JSON', { cause })
  }
  throw malformed('not an object')
}

function expectMembers(value: unknown, names: readonly string[]): asserts value is JsonObject {
  if (!isJsonObject(value)) throw malformed('an object is missing')
  const found = Object.keys(value)
  if (found.length !== names.length || !names.every((name) => name in value)) {
    throw malformed(`exactly the members ${names.join(', ')} are expected`)
  }
}

async function parseKeyWithId(file: JsonObject): Promise<PublicKey> {
  const { key } = parsePublicKey(file['key'])
  if (file['keyid'] !== (await keyId(key))) throw malformed('the key id is not that of the key')
  return key
}

async function parseSealed(file: JsonObject) {
  expectMembers(file, ['format', 'key', 'keyid', 'kdf', 'cipher', 'ciphertext', 'checksum'])
  if (file['format'] !== keyFileFormat) throw malformed('an unknown format')
  const { checksum: expected, ...body } = file
  if (expected !== (await checksum(body))) {
    throw keyError('key_file_damaged', 'the key file is damaged: its checksum does not hold')
  }
  const { ciphertext, ...header } = body
  const kdf = header['kdf']
  const cipher = header['cipher']
  expectMembers(kdf, ['name', 'memoryKiB', 'passes', 'parallelism', 'salt'])
  expectMembers(cipher, ['name', 'nonce'])
  if (kdf['name'] !== 'argon2id' || cipher['name'] !== 'aes-256-gcm') {
    throw malformed('an unknown algorithm')
  }
  for (const name of Object.keys(bounds) as (keyof KeyFileCost)[]) {
    const value = kdf[name]
    const [min, max] = bounds[name]
    if (typeof value !== 'number' || value < min || value > max) {
      throw malformed(`${name} is not between ${min} and ${max}`)
    }
  }
  const { salt } = kdf
  if (typeof salt !== 'string' || !/^(?:[0-9a-f]{2}){16,32}$/.test(salt)) {
    throw malformed('the salt')
  }
  const { nonce } = cipher
  if (typeof nonce !== 'string' || !/^[0-9a-f]{24}$/.test(nonce)) throw malformed('the nonce')
  if (typeof ciphertext !== 'string') throw malformed('the ciphertext')
  try {
    return {
      key: await parseKeyWithId(file),
      kdf: kdf as unknown as Kdf,
      header: header as unknown as { cipher: { nonce: string } },
      ciphertext: base64Decode(ciphertext),
    }
  } catch (cause) {
    if (cause instanceof SyntaxError) throw malformed('the ciphertext')
    throw cause
  }
}
