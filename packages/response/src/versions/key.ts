/**
 * Keys of versions: bytes whose order is the order of the versions, so that a database compares
 * them as it does any other column. Two versions that are equal have the same key.
 */
import { joinBytes, utf8Encode } from '@seaworthy/std/bytes'

/** No real version is longer. */
export const versionLengthMax = 400

/** A byte that stands for the kind of what follows it. */
export function mark(byte: number): Uint8Array {
  return Uint8Array.of(byte)
}

/** Decimal digits as a number: how many count, and then these. */
export function numberKey(digits: string): Uint8Array {
  let zeros = 0
  while (digits[zeros] === '0') zeros++
  const count = digits.length - zeros
  const key = new Uint8Array(2 + count)
  key[0] = count >> 8
  key[1] = count & 0xff
  for (let at = 0; at < count; at++) key[2 + at] = digits.charCodeAt(zeros + at)
  return key
}

/**
 * Text without a zero byte; a text that is a prefix of another one comes before it. An encoder
 * takes longer than a loop for the few characters that most parts of versions have.
 */
export function textKey(text: string): Uint8Array {
  const key = new Uint8Array(text.length + 1)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code > 0x7f) return joinBytes([utf8Encode(text), mark(0)])
    key[at] = code
  }
  return key
}

export const joinKeys = joinBytes
