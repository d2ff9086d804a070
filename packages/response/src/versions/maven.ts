/** Versions of Maven (its reference of the POM, "Version Order Specification"). */
import { joinKeys, mark, numberKey, textKey } from './key.ts'

const words: Readonly<Record<string, number>> = {
  ...{ alpha: 0x10, beta: 0x11, milestone: 0x12, rc: 0x13, cr: 0x13, snapshot: 0x14 },
  ...{ '': 0x20, ga: 0x20, final: 0x20, release: 0x20, sp: 0x21 },
}
const shortWords: Readonly<Record<string, string>> = { a: 'alpha', b: 'beta', m: 'milestone' }

/**
 * What stands at one place, from the least to the greatest; words that are known stand between.
 * Zeros count by what follows them, because a version is filled up with zeros to the length of the
 * one that it is compared with.
 */
const at = {
  zerosBeforeLess: 0x18,
  /** No further token. */
  end: 0x20,
  otherWord: 0x22,
  hyphenNumber: 0x24,
  zerosBeforeWord: 0x28,
  zerosBeforeNumber: 0x29,
  number: 0x31,
} as const
const zerosMax = 0xff

interface Token {
  readonly separator: '-' | '.'
  readonly text: string
}

/** Throws nothing: Maven compares whatever it is given. */
export function mavenKey(version: string): Uint8Array {
  const tokens = trim(tokensOf(version.toLowerCase()))
  const pieces: Uint8Array[] = []
  for (let i = 0; i < tokens.length; i += 1) {
    const zeros = countZeros(tokens, i)
    i += zeros
    const token = tokens[i]
    if (zeros > 0 && token !== undefined) pieces.push(zerosKey(Math.min(zeros, zerosMax), token))
    if (token !== undefined) pieces.push(tokenKey(token))
  }
  return joinKeys([...pieces, mark(at.end)])
}

function countZeros(tokens: readonly Token[], from: number): number {
  const end = tokens.findIndex((token, i) => i >= from && !isZero(token))
  return (end === -1 ? tokens.length : end) - from
}

const isZero = ({ separator, text }: Token) => separator === '.' && /^0+$/.test(text)
const isNumber = ({ text }: Token) => /^\d/.test(text)
const wordOf = (text: string) => (Object.hasOwn(words, text) ? words[text] : undefined)

function zerosKey(zeros: number, next: Token): Uint8Array {
  if (isNumber(next)) return Uint8Array.of(at.zerosBeforeNumber, zerosMax - zeros)
  const isLess = (wordOf(next.text) ?? at.otherWord) < at.end
  return Uint8Array.of(isLess ? at.zerosBeforeLess : at.zerosBeforeWord, zeros)
}

function tokenKey(token: Token): Uint8Array {
  const { separator, text } = token
  if (isNumber(token)) {
    return joinKeys([mark(separator === '-' ? at.hyphenNumber : at.number), numberKey(text)])
  }
  const known = wordOf(text)
  return known === undefined ? joinKeys([mark(at.otherWord), textKey(text)]) : mark(known)
}

function tokensOf(version: string): Token[] {
  const tokens: Token[] = []
  let separator: Token['separator'] = '.'
  for (const [part, dash] of splitParts(version)) {
    // A change between digits and letters separates as a hyphen does.
    const runs = part.match(/\d+|\D+/g) ?? ['']
    for (const [i, run] of runs.entries()) {
      const next = runs[i + 1]
      const isShort = next !== undefined && /^\d/.test(next)
      const text = isShort ? (shortWords[run] ?? run) : run
      tokens.push({ separator: i === 0 ? separator : '-', text: text === '' ? '0' : text })
    }
    separator = dash
  }
  return tokens
}

function* splitParts(version: string): Generator<[string, Token['separator']]> {
  let begin = 0
  for (let i = 0; i <= version.length; i += 1) {
    const character = version[i]
    if (character !== undefined && !'-._'.includes(character)) continue
    yield [version.slice(begin, i), character === '.' ? '.' : '-']
    begin = i + 1
  }
}

/** Takes away what counts as nothing at the end, and before each hyphen. */
function trim(tokens: readonly Token[]): Token[] {
  const kept: Token[] = []
  const isNothing = ({ text }: Token) => /^0+$/.test(text) || wordOf(text) === at.end
  const drop = () => {
    while (kept.length > 0 && isNothing(kept.at(-1)!)) kept.pop()
  }
  for (const token of tokens) {
    if (token.separator === '-') drop()
    kept.push(token)
  }
  drop()
  return kept
}
