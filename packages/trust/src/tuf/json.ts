/**
 * JSON as far as signed metadata may use it: bounded, whole numbers only, no duplicate member, no
 * lone surrogate. It has two written forms: OLPC canonical JSON, which signatures cover, and the
 * wire form.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseJson as parseStrictly } from '@seaworthy/std/json'
import { trustError } from './codes.ts'

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
/**
 * An object without a prototype, so that `constructor` or `__proto__` is a member only where the
 * text has it.
 */
export interface JsonObject {
  [name: string]: JsonValue
}

export interface MetadataLimits {
  bytesMax: number
  /** How deep arrays and objects may nest. */
  depthMax: number
}

/**
 * Parses untrusted bytes. Anything but one JSON value within the limits is a `TrustError`:
 * `endless_data` above `bytesMax`, otherwise `metadata_malformed`.
 */
export function parseJson(bytes: Uint8Array, limits: MetadataLimits): JsonValue {
  if (bytes.length > limits.bytesMax) {
    throw trustError('endless_data', `more than ${limits.bytesMax} bytes`)
  }
  const { depthMax } = limits
  try {
    return parseStrictly(bytes, { depthMax, numbers: 'plain', valuesMax: Infinity })
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw trustError('metadata_malformed', cause.message, { cause })
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The order of Unicode code points, which for astral characters is not the order of `<`. */
function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const xHalf = x >= 0xd800 && x <= 0xdfff
    const yHalf = y >= 0xd800 && y <= 0xdfff
    if (xHalf !== yHalf) return xHalf ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

function write(value: unknown, quote: (text: string) => string): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new TypeError('only whole numbers have a canonical form')
    }
    return String(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new TypeError('a lone surrogate has no canonical form')
    return quote(value)
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, quote)).join(',')}]`
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .toSorted(compareCodePoints)
      .map((name) => `${write(name, quote)}:${write(value[name], quote)}`)
    return `{${members.join(',')}}`
  }
  throw new TypeError(`${typeof value} is not JSON`)
}

/**
 * OLPC canonical JSON, the bytes that signatures and key ids cover: members by code point, only `"`
 * and `\` escaped, control characters raw. Throws `TypeError` for what has no such form.
 */
export function canonicalJson(value: unknown): Uint8Array<ArrayBuffer> {
  return utf8Encode(write(value, (text) => `"${text.replace(/["\\]/g, '\\$&')}"`))
}

/**
 * The one form in which we publish: canonical JSON, except that control characters are escaped, as
 * every JSON reader demands. The two differ only where a string holds a control character (PEM).
 */
export function wireJson(value: unknown): Uint8Array<ArrayBuffer> {
  return utf8Encode(write(value, (text) => JSON.stringify(text)))
}
