/**
 * Reading JSON. `parseJson` is the strict reader, for hostile bytes: bounded depth, no duplicate
 * members, no stray bytes, and no number that is read as another. `parseAnyJson` reads as every
 * other JSON reader does. Nothing else calls `JSON.parse`.
 */
import { utf8Decode } from './bytes.ts'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

export interface JsonLimits {
  /** How deep arrays and objects may nest. */
  readonly depthMax: number
  /**
   * The numbers that are read: `plain` ones, whose text is that of an integer in its one form;
   * `exact` ones, whose value is an exact integer; or `any`, where every other number is `NaN`, for
   * documents with members of others.
   */
  readonly numbers: 'plain' | 'exact' | 'any'
  /** How many values and members there may be in all: each costs far more than its bytes. */
  readonly valuesMax: number
}

/** A document that may be whole, but has more in it than its reader takes. */
export class JsonTooLargeError extends SyntaxError {
  override readonly name = 'JsonTooLargeError'
}

/** Limits for documents of which we know every member. */
export const strictJson: JsonLimits = {
  depthMax: 16,
  numbers: 'exact',
  valuesMax: Number.POSITIVE_INFINITY,
}
/**
 * Limits for documents in which anybody may have members of their own. A caller that needs an
 * integer must ask for one: `NaN` is a number too.
 */
export const openJson: JsonLimits = { depthMax: 64, numbers: 'any', valuesMax: 200_000 }

/** The longest text of an exact integer that anybody writes. */
const numberTextMax = 24
/** An integer in its one form. */
const plainNumber = /^(?:0|-?[1-9][0-9]*)(?![0-9.eE+-])/
const exactNumber = /^-?(?:0|[1-9][0-9]*)(?:\.0+)?(?![0-9.eE+-])/
/** RFC 8259, section 6, in any length. */
const anyNumber = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9.eE+-])/y

/**
 * Throws `SyntaxError` for everything that is not one JSON text (RFC 8259) in UTF-8 without byte
 * order mark and with distinct member names. Objects have no prototype. The caller bounds the
 * length before.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits = strictJson): Json {
  let text: string
  try {
    text = utf8Decode(bytes)
  } catch (cause) {
    throw new SyntaxError('not UTF-8', { cause })
  }
  let at = 0
  let values = 0

  const skipSpace = () => {
    for (;;) {
      const c = text.charCodeAt(at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      at++
    }
  }
  const takeWord = <T extends Json>(word: string, value: T): T => {
    if (!text.startsWith(word, at)) throw new SyntaxError(`unexpected character at ${at}`)
    at += word.length
    return value
  }
  const parseString = (): string => {
    const start = at
    if (text[at++] !== '"') throw new SyntaxError(`unexpected character at ${start}`)
    for (;;) {
      const c = text.charCodeAt(at)
      if (c === 0x22) break
      if (Number.isNaN(c) || c < 0x20) throw new SyntaxError(`unexpected character at ${at}`)
      at += c === 0x5c ? 2 : 1
    }
    at++
    const value = JSON.parse(text.slice(start, at)) as string
    if (!value.isWellFormed()) throw new SyntaxError('half of a surrogate pair')
    return value
  }
  const parseNumber = (): number => {
    const form = limits.numbers === 'plain' ? plainNumber : exactNumber
    const match = form.exec(text.slice(at, at + numberTextMax))
    const value = Number(match?.[0])
    if (match !== null && Number.isSafeInteger(value)) {
      at += match[0].length
      return value
    }
    anyNumber.lastIndex = at
    const other = anyNumber.exec(text)
    if (other === null) throw new SyntaxError(`unexpected character at ${at}`)
    if (limits.numbers !== 'any') throw new SyntaxError('not an exact integer')
    at += other[0].length
    return Number.NaN
  }
  const parseArray = (depth: number): Json[] => {
    const items: Json[] = []
    at++
    skipSpace()
    if (text[at] === ']') {
      at++
      return items
    }
    for (;;) {
      items.push(parseValue(depth + 1))
      if (text[at] === ']') {
        at++
        return items
      }
      if (text[at++] !== ',') throw new SyntaxError(`unexpected character at ${at - 1}`)
    }
  }
  const parseObject = (depth: number): Json => {
    const members: { [name: string]: Json } = Object.create(null)
    at++
    skipSpace()
    if (text[at] === '}') {
      at++
      return members
    }
    for (;;) {
      skipSpace()
      const name = parseString()
      if (name in members) throw new SyntaxError('a member name occurs twice')
      skipSpace()
      if (text[at++] !== ':') throw new SyntaxError(`unexpected character at ${at - 1}`)
      members[name] = parseValue(depth + 1)
      if (text[at] === '}') {
        at++
        return members
      }
      if (text[at++] !== ',') throw new SyntaxError(`unexpected character at ${at - 1}`)
    }
  }
  /** Reads one value and the white space on both sides of it. */
  const parseValue = (depth: number): Json => {
    if (++values > limits.valuesMax) {
      throw new JsonTooLargeError(`more than ${limits.valuesMax} values`)
    }
    skipSpace()
    let value: Json
    const first = text.charAt(at)
    if ((first === '{' || first === '[') && depth >= limits.depthMax) {
      throw new SyntaxError('nested too deeply')
    }
    switch (first) {
      case '{':
        value = parseObject(depth)
        break
      case '[':
        value = parseArray(depth)
        break
      case '"':
        value = parseString()
        break
      case 't':
        value = takeWord('true', true)
        break
      case 'f':
        value = takeWord('false', false)
        break
      case 'n':
        value = takeWord('null', null)
        break
      default:
        value = parseNumber()
    }
    skipSpace()
    return value
  }

  const value = parseValue(0)
  if (at !== text.length) throw new SyntaxError(`bytes after the end at ${at}`)
  return value
}

/**
 * Parses JSON in UTF-8 as every other reader does: for what we wrote ourselves, and for documents
 * whose every member is checked afterwards. Throws `SyntaxError` or `TypeError`.
 */
export function parseAnyJson(bytes: Uint8Array): unknown {
  return parseAnyJsonText(utf8Decode(bytes))
}

/** The same for a text. */
export function parseAnyJsonText(text: string): unknown {
  return JSON.parse(text)
}
