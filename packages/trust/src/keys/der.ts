/**
 * The little of DER and PEM that keys and ECDSA signatures need, strict: one encoding per value.
 */
import { base64Decode, base64Encode, concatBytes, joinBytes } from '@seaworthy/std/bytes'

/** SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point itself. */
const p256SpkiPrefix = Uint8Array.fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200')

/** The 65-byte point of a P-256 SubjectPublicKeyInfo, or `undefined` for anything else. */
export function p256Point(spki: Uint8Array): Uint8Array | undefined {
  if (spki.length !== p256SpkiPrefix.length + 65) return undefined
  if (p256SpkiPrefix.some((byte, i) => spki[i] !== byte)) return undefined
  const point = spki.slice(p256SpkiPrefix.length)
  return point[0] === 4 ? point : undefined
}

export function encodePem(der: Uint8Array): string {
  const lines = base64Encode(der).match(/.{1,64}/g) ?? []
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n')
}

/** The bytes of a `PUBLIC KEY` block, white space ignored; `undefined` for anything else. */
export function decodePem(text: string): Uint8Array<ArrayBuffer> | undefined {
  const begin = '-----BEGIN PUBLIC KEY-----'
  const end = '-----END PUBLIC KEY-----'
  const trimmed = text.trim()
  if (!trimmed.startsWith(begin) || !trimmed.endsWith(end)) return undefined
  try {
    return base64Decode(trimmed.slice(begin.length, -end.length).replace(/[ \t\r\n]/g, ''))
  } catch {
    return undefined
  }
}

/**
 * Turns `SEQUENCE { INTEGER r, INTEGER s }` into `r || s` of `2 * size` bytes. Gives `undefined`
 * when the encoding is not DER (negative or padded integers, long-form lengths, trailing bytes) or
 * a number is too big.
 */
export function ecdsaDerToRaw(der: Uint8Array, size: number): Uint8Array<ArrayBuffer> | undefined {
  // All our curves fit the short form of a length, except P-521, which we do not accept.
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || der[1] > 127) return undefined
  const raw = new Uint8Array(2 * size)
  let at = 2
  for (const offset of [0, size]) {
    const length = der[at + 1]
    if (der[at] !== 0x02 || length === undefined || length === 0 || length > size + 1) {
      return undefined
    }
    let value = der.subarray(at + 2, at + 2 + length)
    if (value.length !== length || value[0]! > 127) return undefined
    if (value[0] === 0 && length > 1) {
      if (value[1]! < 128) return undefined
      value = value.subarray(1)
    }
    if (value.length > size) return undefined
    raw.set(value, offset + size - value.length)
    at += 2 + length
  }
  return at === der.length ? raw : undefined
}

/** The inverse of `ecdsaDerToRaw`. */
export function ecdsaRawToDer(raw: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = raw.length / 2
  const integers = [raw.subarray(0, size), raw.subarray(size)].map((half) => {
    let start = 0
    while (start < size - 1 && half[start] === 0) start++
    const value = half.subarray(start)
    const padded = value[0]! > 127 ? concatBytes(Uint8Array.of(0), value) : value
    return concatBytes(Uint8Array.of(0x02, padded.length), padded)
  })
  const body = joinBytes(integers)
  return concatBytes(Uint8Array.of(0x30, body.length), body)
}
