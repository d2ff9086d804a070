/** Armour and packets of OpenPGP (RFC 4880, RFC 9580). Every byte that is read is hostile. */
import { base64Decode, base64Encode, concatBytes, hexEncode } from '@seaworthy/std/bytes'

type ArmourKind = 'PUBLIC KEY BLOCK' | 'SIGNATURE'

/** What is expected, and how it is said that it is not there. */
export interface OpenPgpBounds {
  readonly kind: ArmourKind
  readonly packetsMax: number
  readonly malformed: (what: string, cause?: unknown) => Error
}

export const openPgpTags = {
  ...{ signature: 2, key: 6, subkey: 14, userId: 13, userAttribute: 17, padding: 21 },
}

const linesAround = (kind: ArmourKind) =>
  [`-----BEGIN PGP ${kind}-----`, `-----END PGP ${kind}-----`] as const

export function readArmour(
  text: string,
  { kind, malformed }: OpenPgpBounds,
): Uint8Array<ArrayBuffer> {
  const [begin, end] = linesAround(kind)
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

/** GnuPG 2.2 does not find the end of an armour without a checksum. */
export function armourOpenPgp(kind: ArmourKind, bytes: Uint8Array): string {
  const [begin, end] = linesAround(kind)
  const lines = base64Encode(bytes).match(/.{1,64}/g) ?? []
  return [begin, '', ...lines, `=${base64Encode(crc24(bytes))}`, end, ''].join('\n')
}

export interface OpenPgpPacket {
  readonly tag: number
  readonly body: Uint8Array<ArrayBuffer>
}

/** Packets whose lengths are known: none of those of a key may come in parts. */
export function readPackets(
  bytes: Uint8Array<ArrayBuffer>,
  { packetsMax, malformed }: OpenPgpBounds,
): OpenPgpPacket[] {
  const packets: OpenPgpPacket[] = []
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

/** RFC 9580, 4.2.1: a length of five bytes is always allowed. */
export function openPgpPacket(tag: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(Uint8Array.of(0xc0 | tag, 0xff), bigEndian(body.length, 4), body)
}

export function bigEndian(value: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest
  return bytes
}

/** RFC 4880, 12.2, and RFC 9580, 5.5.4. */
export async function openPgpFingerprint(body: Uint8Array, version: 4 | 6): Promise<string> {
  const head = concatBytes(
    Uint8Array.of(version === 4 ? 0x99 : 0x9b),
    bigEndian(body.length, version === 4 ? 2 : 4),
  )
  const hash = version === 4 ? 'SHA-1' : 'SHA-256'
  const digest = await crypto.subtle.digest(hash, concatBytes(head, body))
  return hexEncode(new Uint8Array(digest)).toUpperCase()
}
