/**
 * Bytes and their text forms. Decoders are strict: text that is not the one canonical form is
 * refused.
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

/**
 * Throws `TypeError` when the bytes are not well-formed UTF-8. A byte order mark is kept as a
 * character.
 */
export function utf8Decode(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function hexEncode(bytes: Uint8Array): string {
  return bytes.toHex()
}

/** Lower-case hexadecimal only, even length; throws `SyntaxError` otherwise. */
export function hexDecode(text: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new SyntaxError('not lower-case hexadecimal')
  return Uint8Array.fromHex(text)
}

/** Standard alphabet with padding. */
export function base64Encode(bytes: Uint8Array): string {
  return bytes.toBase64()
}

/** Exactly the texts that `base64Decode` reads. */
export const base64Form =
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/

/**
 * Standard alphabet with padding, no white space, no stray bits; throws `SyntaxError` otherwise.
 */
export function base64Decode(text: string): Uint8Array<ArrayBuffer> {
  if (/\s/.test(text)) throw new SyntaxError('white space in base64')
  return Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' })
}

/** URL alphabet without padding (RFC 7515 `BASE64URL`). */
export function base64UrlEncode(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: 'base64url', omitPadding: true })
}

/** The inverse of `base64UrlEncode`: padding, white space and stray bits throw `SyntaxError`. */
export function base64UrlDecode(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new SyntaxError('not unpadded base64url')
  const bytes = Uint8Array.fromBase64(text, { alphabet: 'base64url' })
  if (base64UrlEncode(bytes) !== text) throw new SyntaxError('stray bits in base64url')
  return bytes
}

export function concatBytes(
  first: Uint8Array,
  second: Uint8Array,
  ...others: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  return joinBytes([first, second, ...others])
}

/** The parts of a list in one piece, however many there are. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/**
 * Bytes that come in pieces. Each piece is copied into one buffer that grows, because a piece may
 * be one byte, and keep hundreds of others alive.
 */
export interface ByteCollector {
  readonly length: number
  /** The size of the buffer: at most twice the bytes in it, or 1 KiB. */
  readonly capacity: number
  add(piece: Uint8Array): void
  /** All bytes in one piece; the collector is empty afterwards. */
  take(): Uint8Array<ArrayBuffer>
}

export function createByteCollector(): ByteCollector {
  let buffer = new ArrayBuffer(0)
  let bytes = new Uint8Array(buffer)
  let length = 0
  const resize = (capacity: number) => {
    buffer = buffer.transfer(capacity)
    bytes = new Uint8Array(buffer)
  }
  return {
    get length() {
      return length
    },
    get capacity() {
      return buffer.byteLength
    },
    add(piece) {
      const needed = length + piece.length
      if (needed > buffer.byteLength) {
        resize(Math.max(needed, Math.min(2 * buffer.byteLength, 2 * needed), capacityMin))
      }
      bytes.set(piece, length)
      length = needed
    },
    take() {
      resize(length)
      const whole = bytes
      buffer = new ArrayBuffer(0)
      bytes = new Uint8Array(buffer)
      length = 0
      return whole
    },
  }
}

const capacityMin = 1024

/** Equality of public bytes. Not constant in time: never compare secrets with it. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The order of unsigned bytes, shorter first on a common prefix: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  return crc
})

/** CRC-32 as in ISO-HDLC and zip: it catches slips of the hand, and proves nothing. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
