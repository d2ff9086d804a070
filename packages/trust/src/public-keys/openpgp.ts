/** An armoured OpenPGP public key (RFC 4880, RFC 9580): one certificate, and nothing secret. */
import { base64Decode, base64Encode, concatBytes, hexEncode } from '@seaworthy/std/bytes'
import { privateKeyGiven, publicKeyError } from './codes.ts'
import type { PersonKey } from './person-key.ts'
import { requireRsaBits } from './ssh.ts'

const begin = '-----BEGIN PGP PUBLIC KEY BLOCK-----'
const end = '-----END PGP PUBLIC KEY BLOCK-----'
const packetsMax = 500

const malformed = (what: string, cause?: unknown) =>
  publicKeyError('public_key_malformed', `the OpenPGP key is not whole: ${what}`, { cause })

const tags = { signature: 2, key: 6, subkey: 14, userId: 13, userAttribute: 17, padding: 21 }
const secretTags = [5, 7]
const knownTags: readonly number[] = Object.values(tags)

/** Primary keys sign: of these kinds, by the number of the algorithm. */
const algorithms: Readonly<Record<number, string>> = {
  1: 'rsa',
  19: 'ecdsa',
  22: 'eddsa',
  27: 'ed25519',
  28: 'ed448',
}

/** Throws `public_key_malformed`, `public_key_unusable`, `public_key_private`. */
export async function parseOpenPgpKey(text: string): Promise<PersonKey> {
  const bytes = readArmour(text)
  const packets = readPackets(bytes)
  if (packets.some(({ tag }) => secretTags.includes(tag))) throw privateKeyGiven()
  const odd = packets.find(({ tag }) => !knownTags.includes(tag))
  if (odd !== undefined) throw malformed(`it has a packet of the kind ${odd.tag}`)
  const [first] = packets
  if (first?.tag !== tags.key || packets.filter(({ tag }) => tag === tags.key).length !== 1) {
    throw malformed('it is not exactly one key')
  }
  const { algorithm, version } = readKey(first.body)
  return {
    kind: 'openpgp',
    algorithm,
    fingerprint: await fingerprintOf(first.body, version),
    publicKey: armour(bytes),
  }
}

function readArmour(text: string): Uint8Array<ArrayBuffer> {
  const lines = text.split('\n').map((line) => line.trimEnd())
  if (lines[0] !== begin || lines.at(-1) !== end) {
    throw malformed(`it goes from ${begin} to ${end}, with nothing around them`)
  }
  const blank = lines.indexOf('')
  if (blank < 1 || !lines.slice(1, blank).every((line) => /^[A-Za-z]+: \P{Cc}*$/u.test(line))) {
    throw malformed('an empty line separates its headers from its bytes')
  }
  const inner = lines.slice(blank + 1, -1)
  const last = inner.at(-1) ?? ''
  const checksum = /^=[A-Za-z0-9+/]{4}$/.test(last) ? last.slice(1) : undefined
  const encoded = (checksum === undefined ? inner : inner.slice(0, -1)).join('')
  try {
    const bytes = base64Decode(encoded)
    if (checksum === undefined || base64Encode(crc24(bytes)) === checksum) return bytes
  } catch (cause) {
    throw malformed('it is not Base64', cause)
  }
  throw malformed('its checksum is another one')
}

/** RFC 4880, 6.1. */
function crc24(bytes: Uint8Array): Uint8Array {
  let crc = 0xb704ce
  for (const byte of bytes) {
    crc ^= byte << 16
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1
      if ((crc & 0x100_0000) !== 0) crc ^= 0x1864cfb
    }
  }
  return Uint8Array.of((crc >> 16) & 255, (crc >> 8) & 255, crc & 255)
}

function armour(bytes: Uint8Array): string {
  const lines = base64Encode(bytes).match(/.{1,64}/g) ?? []
  return [begin, '', ...lines, end, ''].join('\n')
}

interface Packet {
  readonly tag: number
  readonly body: Uint8Array<ArrayBuffer>
}

/** Packets whose lengths are known: none of those of a key may come in parts. */
function readPackets(bytes: Uint8Array<ArrayBuffer>): Packet[] {
  const packets: Packet[] = []
  let at = 0
  const readNumber = (size: number) => {
    if (bytes.length - at < size) throw malformed('it ends early')
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + bytes[at++]!
    return value
  }
  while (at < bytes.length) {
    if (packets.length >= packetsMax) throw malformed(`it has more than ${packetsMax} packets`)
    const head = readNumber(1)
    if (head < 0x80) throw malformed('a packet does not begin as one')
    const isNew = (head & 0x40) !== 0
    let length: number
    if (isNew) {
      const one = readNumber(1)
      if (one >= 224 && one < 255) throw malformed('a packet comes in parts')
      length = one < 192 ? one : one < 224 ? (one - 192) * 256 + readNumber(1) + 192 : readNumber(4)
    } else {
      const size = [1, 2, 4][head & 3]
      if (size === undefined) throw malformed('a packet has no length')
      length = readNumber(size)
    }
    if (length > bytes.length - at) throw malformed('it ends early')
    packets.push({
      tag: isNew ? head & 0x3f : (head >> 2) & 0x0f,
      body: bytes.slice(at, at + length),
    })
    at += length
  }
  return packets
}

function readKey(body: Uint8Array): { algorithm: string; version: 4 | 6 } {
  const version = body[0]
  if (version !== 4 && version !== 6) {
    throw publicKeyError(
      'public_key_unusable',
      'OpenPGP keys of version 4 or 6 are taken, and this one is of another: make a new one',
    )
  }
  const kind = algorithms[body[5] ?? 0]
  if (kind === undefined) {
    throw publicKeyError(
      'public_key_unusable',
      'the main key must be RSA, ECDSA, Ed25519 or Ed448: make a new one, such as with `gpg --quick-generate-key NAME ed25519`',
    )
  }
  const material = body.subarray(version === 4 ? 6 : 10)
  if (material.length < 2) throw malformed('it ends early')
  if (kind !== 'rsa') return { algorithm: kind, version }
  const bits = material[0]! * 256 + material[1]!
  const bytes = Math.ceil(bits / 8)
  // The first byte has as many bits as the length says: nobody passes for a longer key.
  const isHonest =
    material.length > 2 + bytes && 32 - Math.clz32(material[2]!) === ((bits - 1) % 8) + 1
  if (!isHonest) throw malformed('its number has another length')
  requireRsaBits(bits)
  return { algorithm: `rsa${bits}`, version }
}

/** RFC 4880, 12.2, and RFC 9580, 5.5.4. */
async function fingerprintOf(body: Uint8Array, version: 4 | 6): Promise<string> {
  const length = body.length
  const head =
    version === 4
      ? Uint8Array.of(0x99, length >> 8, length & 255)
      : Uint8Array.of(0x9b, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255)
  if (version === 4 && length > 0xffff) throw malformed('it is too long')
  const hash = version === 4 ? 'SHA-1' : 'SHA-256'
  const digest = await crypto.subtle.digest(hash, concatBytes(head, body))
  return hexEncode(new Uint8Array(digest)).toUpperCase()
}
