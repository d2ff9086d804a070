/** Splits the text of a query option into tokens, each with the place where it begins. */
import { cutText } from '@seaworthy/std/printable'
import { invariant } from '@seaworthy/std/refusal'
import { refuseAt } from './refuse.ts'

/** The longest query option, in UTF-16 units. */
const optionLengthMax = 8 * 1024
/** How many brackets, lambdas and expanded links may be open at once. */
const depthMax = 32
/** How many tokens the options of one request may have together. */
const tokensMax = 4000

export interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'instant' | 'mark' | 'end'
  /** The token as it stands; of a text, the value without its quotes. */
  readonly value: string
  /** The first character, counted from 1. */
  readonly at: number
}

const forms: readonly (readonly [Token['kind'], RegExp])[] = [
  ['instant', /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)/y],
  ['number', /-?\d{1,18}(?![\w.])/y],
  ['text', /'(?:[^']|'')*'/y],
  ['name', /[$@A-Za-z_][A-Za-z0-9_]*/y],
  ['mark', /[(),;:=/*]/y],
]

/** The tokens of one option, read one after the other. */
export class Cursor {
  readonly option: string
  private readonly source: string
  private readonly tokens: readonly Token[]
  private next = 0
  private depth: number

  private constructor(option: string, source: string, tokens: readonly Token[], depth: number) {
    this.option = option
    this.source = source
    this.tokens = tokens
    this.depth = depth
  }

  static over(option: string, text: string): Cursor {
    return new Cursor(option, text, split(option, text), 0)
  }

  peek(ahead = 0): Token {
    const token = this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)]
    invariant(token !== undefined, 'the last token is the end')
    return token
  }

  take(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.next++
    return token
  }

  /** Takes the token if it is this mark or name. */
  takeIf(value: string): boolean {
    const token = this.peek()
    if ((token.kind !== 'mark' && token.kind !== 'name') || token.value !== value) return false
    this.take()
    return true
  }

  expect(value: string): void {
    if (!this.takeIf(value)) this.refuse(`${value} is expected here, not ${describe(this.peek())}`)
  }

  takeName(what: string): Token {
    const token = this.peek()
    if (token.kind !== 'name') this.refuse(`${what} is expected here, not ${describe(token)}`)
    return this.take()
  }

  expectEnd(): void {
    if (this.peek().kind !== 'end')
      this.refuse(`nothing is expected here, not ${describe(this.peek())}`)
  }

  /** Reads what is nested one level deeper. */
  nested<T>(read: () => T): T {
    if (++this.depth > depthMax) {
      refuseAt('odata_too_large', this.place(), `this is nested more than ${depthMax} levels deep`)
    }
    const value = read()
    this.depth--
    return value
  }

  /**
   * Takes what stands in brackets, apart where a semicolon parts it, each part as a cursor of its
   * own one level deeper.
   */
  takeParts(): { cursor: Cursor; text: string }[] {
    return this.nested(() => {
      this.expect('(')
      const parts: { cursor: Cursor; text: string }[] = []
      let from = this.next
      let open = 1
      while (open > 0) {
        const token = this.peek()
        if (token.kind === 'end') this.expect(')')
        if (token.kind === 'mark' && token.value === '(') open++
        if (token.kind === 'mark' && token.value === ')') open--
        if (open === 0 || (open === 1 && token.kind === 'mark' && token.value === ';')) {
          parts.push(this.part(from, token))
          from = this.next + 1
        }
        this.take()
      }
      return parts
    })
  }

  private part(from: number, end: Token): { cursor: Cursor; text: string } {
    const tokens: Token[] = [
      ...this.tokens.slice(from, this.next),
      { kind: 'end', value: '', at: end.at },
    ]
    const text = this.source.slice(tokens[0]!.at - 1, end.at - 1)
    return { cursor: new Cursor(this.option, this.source, tokens, this.depth), text }
  }

  /** What is left, as it was written. */
  rest(): string {
    return this.source.slice(this.peek().at - 1, this.tokens.at(-1)!.at - 1)
  }

  place(token: Token = this.peek()): { option: string; at: number } {
    return { option: this.option, at: token.at }
  }

  refuse(what: string, token: Token = this.peek()): never {
    refuseAt('odata_malformed', this.place(token), what)
  }
}

export function describe({ kind, value }: Token): string {
  if (kind === 'end') return 'the end'
  const shown = value.length > 40 ? `${cutText(value, 40)}…` : value
  return kind === 'text' ? `the text '${shown}'` : shown
}

function split(option: string, text: string): Token[] {
  if (text.length > optionLengthMax) {
    const place = { option, at: optionLengthMax + 1 }
    refuseAt('odata_too_large', place, `an option has at most ${optionLengthMax} characters`)
  }
  const zero = text.indexOf('\0')
  if (zero >= 0)
    refuseAt('odata_malformed', { option, at: zero + 1 }, 'no text has a NUL character')
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    if (text[at] === ' ') {
      at++
      continue
    }
    const token = readToken(text, at)
    if (token === undefined) {
      const what =
        text[at] === "'" ? 'this text has no closing quote' : `nothing begins with ${text[at]!}`
      return refuseAt('odata_malformed', { option, at: at + 1 }, what)
    }
    tokens.push(token.token)
    if (tokens.length > tokensMax) {
      refuseAt(
        'odata_too_large',
        { option, at: at + 1 },
        `an option has at most ${tokensMax} words`,
      )
    }
    at = token.end
  }
  tokens.push({ kind: 'end', value: '', at: text.length + 1 })
  return tokens
}

function readToken(text: string, from: number): { token: Token; end: number } | undefined {
  for (const [kind, form] of forms) {
    form.lastIndex = from
    const value = form.exec(text)?.[0]
    if (value === undefined) continue
    const shown = kind === 'text' ? value.slice(1, -1).replaceAll("''", "'") : value
    return { token: { kind, value: shown, at: from + 1 }, end: from + value.length }
  }
  return undefined
}
