/**
 * JSON as far as signed metadata may use it: bounded, whole numbers only, no duplicate member, no
 * lone surrogate. It has two written forms: OLPC canonical JSON, which signatures cover, and the
 * wire form.
 */
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { trustError } from './codes.ts'
import type { TufError } from './codes.ts'

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
/**
 * An object without a prototype, so that `constructor` or `__proto__` is a member only where the
 * text has it.
 */
export interface JsonObject {
  [name: string]: JsonValue
}

export interface JsonLimits {
  bytesMax: number
  /** How deep arrays and objects may nest. */
  depthMax: number
}

/**
 * Parses untrusted bytes. Anything but one JSON value within the limits is a `TrustError`:
 * `endless_data` above `bytesMax`, otherwise `metadata_malformed`.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  if (bytes.length > limits.bytesMax) {
    throw trustError('endless_data', `more than ${limits.bytesMax} bytes`)
  }
  let text: string
  try {
    text = utf8Decode(bytes)
  } catch (cause) {
    throw trustError('metadata_malformed', 'not UTF-8', { cause })
  }
  return parseJsonText(text, limits.depthMax)
}

function parseJsonText(text: string, depthMax: number): JsonValue {
  let at = 0

  const malformed = (what: string): TufError =>
    trustError('metadata_malformed', `${what} at character ${at}`)

  const skipSpace = () => {
    for (;;) {
      const c = text.charCodeAt(at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      at++
    }
  }

  const parseString = (): string => {
    let start = ++at
    let out = ''
    for (;;) {
      const c = text.charCodeAt(at)
      if (c === 0x22) {
        out += text.slice(start, at++)
        if (!out.isWellFormed()) throw malformed('a lone surrogate')
        return out
      }
      if (c === 0x5c) {
        out += text.slice(start, at++)
        out += parseEscape()
        start = at
      } else if (c >= 0x20) {
        at++
      } else {
        // NaN, beyond the end, lands here too: every comparison with it is false.
        throw malformed(at >= text.length ? 'an unfinished string' : 'a control character')
      }
    }
  }

  const parseEscape = (): string => {
    const c = text[at++]
    const plain = c === undefined ? -1 : '"\\/bfnrt'.indexOf(c)
    if (plain >= 0) return '"\\/\b\f\n\r\t'[plain]!
    const hex = text.slice(at, at + 4)
    if (c !== 'u' || !/^[0-9a-fA-F]{4}$/.test(hex)) throw malformed('an unknown escape')
    at += 4
    return String.fromCharCode(Number.parseInt(hex, 16))
  }

  const parseNumber = (): number => {
    const start = at
    if (text[at] === '-') at++
    while (text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) {
      if (at - start > 17) throw malformed('a number beyond 2^53')
      at++
    }
    const digits = text.slice(start, at)
    if (!/^(?:0|-?[1-9]\d*)$/.test(digits)) throw malformed('no number')
    if (/[.eE]/.test(text[at] ?? '')) throw malformed('a number that is not whole')
    const value = Number(digits)
    if (!Number.isSafeInteger(value)) throw malformed('a number beyond 2^53')
    return value
  }

  const parseValue = (depth: number): JsonValue => {
    skipSpace()
    const c = text[at]
    if (c === '"') return parseString()
    if (c === '{' || c === '[') {
      if (depth >= depthMax) throw malformed('nesting too deep')
      return c === '{' ? parseObject(depth + 1) : parseArray(depth + 1)
    }
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (c === word[0] && text.startsWith(word, at)) {
        at += word.length
        return value
      }
    }
    if (c === undefined) throw malformed('an unexpected end')
    return parseNumber()
  }

  const parseArray = (depth: number): JsonValue[] => {
    const out: JsonValue[] = []
    at++
    skipSpace()
    if (text[at] === ']') {
      at++
      return out
    }
    for (;;) {
      out.push(parseValue(depth))
      skipSpace()
      const c = text[at++]
      if (c === ']') return out
      if (c !== ',') throw malformed('neither comma nor end of array')
    }
  }

  const parseObject = (depth: number): JsonObject => {
    const out = Object.create(null) as JsonObject
    at++
    skipSpace()
    if (text[at] === '}') {
      at++
      return out
    }
    for (;;) {
      skipSpace()
      if (text[at] !== '"') throw malformed('no member name')
      const name = parseString()
      if (name in out) throw malformed('a member given twice')
      skipSpace()
      if (text[at++] !== ':') throw malformed('no colon')
      out[name] = parseValue(depth)
      skipSpace()
      const c = text[at++]
      if (c === '}') return out
      if (c !== ',') throw malformed('neither comma nor end of object')
    }
  }

  const value = parseValue(0)
  skipSpace()
  if (at !== text.length) throw malformed('something after the value')
  return value
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
