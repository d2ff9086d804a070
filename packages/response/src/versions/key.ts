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
  const counting = digits.replace(/^0+/, '')
  return joinBytes([mark(counting.length >> 8), mark(counting.length & 0xff), utf8Encode(counting)])
}

/** Text without a zero byte; a text that is a prefix of another one comes before it. */
export function textKey(text: string): Uint8Array {
  return joinBytes([utf8Encode(text), mark(0)])
}

export const joinKeys = joinBytes
