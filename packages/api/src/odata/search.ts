/**
 * Reads `$search`: words, or texts in double quotes, with AND, OR, NOT and brackets. A word finds
 * the entities of which one of the searched properties begins with it, upper and lower case apart:
 * that is what an index finds.
 */
import type { FilterCondition } from './expressions.ts'
import { setsByName } from './model.ts'
import { refuseAt } from './refuse.ts'

interface Word {
  readonly kind: 'term' | 'mark' | 'end'
  readonly value: string
  readonly at: number
}

/** How many words and brackets a search may have. */
const wordsMax = 64
const lengthMax = 1024
const form = /\s*(?:"([^"\0]+)"|([()])|([^\s"()\0]+))/y

export function readSearch(set: string, text: string): FilterCondition {
  const { search } = setsByName.get(set)!
  const place = (at: number) => ({ option: '$search', at })
  if (search.length === 0) {
    refuseAt('odata_not_supported', place(1), `${set} cannot be searched: use $filter`)
  }
  const words = split(text)
  let next = 0
  const peek = () => words[Math.min(next, words.length - 1)]!
  const takeIf = (value: string) => {
    const isIt = peek().kind === 'mark' && peek().value === value
    if (isIt) next++
    return isIt
  }

  const readTerm = (): FilterCondition => {
    const word = peek()
    if (takeIf('NOT')) return { kind: 'not', of: readTerm() }
    if (takeIf('(')) {
      const inner = readOr()
      if (!takeIf(')')) refuseAt('odata_malformed', place(peek().at), ') is expected here')
      return inner
    }
    if (word.kind !== 'term') refuseAt('odata_malformed', place(word.at), 'a word is expected here')
    next++
    return begins(set, search, word.value)
  }
  const readAnd = (): FilterCondition => {
    const parts = [readTerm()]
    const isMore = () => {
      if (takeIf('AND')) return true
      const { kind, value } = peek()
      return kind === 'term' || (kind === 'mark' && (value === '(' || value === 'NOT'))
    }
    while (isMore()) parts.push(readTerm())
    return parts.length === 1 ? parts[0]! : { kind: 'and', parts }
  }
  const readOr = (): FilterCondition => {
    const parts = [readAnd()]
    while (takeIf('OR')) parts.push(readAnd())
    return parts.length === 1 ? parts[0]! : { kind: 'or', parts }
  }

  const condition = readOr()
  if (peek().kind !== 'end') {
    refuseAt('odata_malformed', place(peek().at), 'nothing is expected here')
  }
  return condition
}

function begins(set: string, search: readonly string[], word: string): FilterCondition {
  const path = { variable: 0, from: set, links: [], set }
  return {
    kind: 'or',
    parts: search.map((name) => ({
      kind: 'test',
      name: 'startswith',
      of: { kind: 'property', type: 'text', path, name },
      what: { kind: 'literal', type: 'text', value: word },
    })),
  }
}

function split(text: string): Word[] {
  const words: Word[] = []
  const trimmed = text.trimEnd()
  if (trimmed.length > lengthMax) {
    const place = { option: '$search', at: lengthMax + 1 }
    refuseAt('odata_too_large', place, `a search has at most ${lengthMax} characters`)
  }
  let at = 0
  while (at < trimmed.length) {
    form.lastIndex = at
    const match = form.exec(trimmed)
    const place = { option: '$search', at: at + 1 }
    if (match === null) return refuseAt('odata_malformed', place, 'this is no word and no text')
    if (words.length === wordsMax) {
      refuseAt('odata_too_large', place, `a search has at most ${wordsMax} words`)
    }
    const [whole, quoted, bracket, word] = match
    const isMark = bracket !== undefined || ['AND', 'OR', 'NOT'].includes(word ?? '')
    const value = quoted ?? bracket ?? word!
    words.push({ kind: isMark ? 'mark' : 'term', value, at: at + 1 })
    at += whole.length
  }
  words.push({ kind: 'end', value: '', at: trimmed.length + 1 })
  return words
}
