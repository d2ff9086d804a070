/** Reads `$filter`: every name is found in the model, every comparison is of one type. */
import type { EntityLink, ValueType } from './model.ts'
import { setsByName } from './model.ts'
import { listNames } from './names.ts'
import { refuseAt } from './refuse.ts'
import type { Cursor, Token } from './tokens.ts'
import { describe } from './tokens.ts'

export interface Literal {
  readonly kind: 'literal'
  readonly type: ValueType | 'null'
  readonly value: string | number | boolean | Date | null
}

/** Where a property or link is found: over links to one entity each, from a variable. */
export interface Path {
  /** The number of the variable: 0 is the entity that is asked for, others are of lambdas. */
  readonly variable: number
  /** The set of the variable. */
  readonly from: string
  readonly links: readonly string[]
  /** The set that the last link leads to. */
  readonly set: string
}

export type ComparisonWord = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le'
export type TextTest = 'contains' | 'startswith' | 'endswith'
export type TextFunction = 'tolower' | 'toupper' | 'length'

export type Operand =
  | Literal
  | {
      readonly kind: 'property'
      readonly type: ValueType
      readonly path: Path
      readonly name: string
    }
  | {
      readonly kind: 'call'
      readonly type: ValueType
      readonly name: TextFunction
      readonly of: Operand
    }
  /** How many entities a link leads to. */
  | { readonly kind: 'count'; readonly type: 'whole'; readonly path: Path; readonly link: string }

export type FilterCondition =
  | { readonly kind: 'truth'; readonly of: Operand }
  | {
      readonly kind: 'compare'
      readonly op: ComparisonWord
      readonly left: Operand
      readonly right: Operand
    }
  | { readonly kind: 'in'; readonly of: Operand; readonly values: readonly Literal[] }
  | {
      readonly kind: 'test'
      readonly name: TextTest
      readonly of: Operand
      readonly what: Operand
    }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly FilterCondition[] }
  | { readonly kind: 'not'; readonly of: FilterCondition }
  | {
      readonly kind: 'some' | 'every'
      readonly path: Path
      readonly link: string
      /** The number of the variable that stands for each entity which the link leads to. */
      readonly variable: number
      /** Null for `any()`, which asks whether there is one. */
      readonly of: FilterCondition | null
    }

/** How many values a list after `in` may have. */
const valuesMax = 500

export interface FilterScope {
  readonly cursor: Cursor
  readonly now: Date
  /** Every set that a question touches is noted here: each needs its permission. */
  readonly touched: Set<string>
  /** The first is what is asked for and has no name. */
  readonly variables: readonly { readonly name: string; readonly set: string }[]
}

/** Something read: a condition can stand where a truth value can. */
type Read =
  | { readonly is: 'operand'; readonly operand: Operand; readonly at: Token }
  | { readonly is: 'condition'; readonly condition: FilterCondition; readonly at: Token }

export function readCondition(scope: FilterScope): FilterCondition {
  return scope.cursor.nested(() => readOr(scope, readComparison(scope)))
}

function readOr(scope: FilterScope, first: Read): FilterCondition {
  const parts = [readAnd(scope, first)]
  while (scope.cursor.takeIf('or')) parts.push(readAnd(scope, readComparison(scope)))
  return parts.length === 1 ? parts[0]! : { kind: 'or', parts }
}

function readAnd(scope: FilterScope, first: Read): FilterCondition {
  const parts = [toCondition(scope, first)]
  while (scope.cursor.takeIf('and')) parts.push(toCondition(scope, readComparison(scope)))
  return parts.length === 1 ? parts[0]! : { kind: 'and', parts }
}

/** What stands in brackets: a condition, or an operand such as `(now() sub duration'PT1H')`. */
function readBrackets(scope: FilterScope): Read {
  const { cursor } = scope
  const at = cursor.take()
  return cursor.nested((): Read => {
    const first = readComparison(scope)
    if (cursor.takeIf(')')) return first
    const condition = readOr(scope, first)
    cursor.expect(')')
    return { is: 'condition', condition, at }
  })
}

const comparisons: readonly string[] = [
  'eq',
  'ne',
  'gt',
  'ge',
  'lt',
  'le',
] satisfies ComparisonWord[]

function readComparison(scope: FilterScope): Read {
  const { cursor } = scope
  if (cursor.peek().value === 'not' && cursor.peek().kind === 'name') return readNot(scope)
  const left = readOperand(scope)
  const word = cursor.peek()
  if (word.kind !== 'name') return left
  if (word.value === 'in') {
    cursor.take()
    const of = toOperand(scope, left)
    return {
      is: 'condition',
      condition: { kind: 'in', of, values: readValues(scope, of) },
      at: left.at,
    }
  }
  if (!comparisons.includes(word.value)) return left
  cursor.take()
  const right = readOperand(scope)
  const op = word.value as ComparisonWord
  const condition = compare(scope, op, word, toOperand(scope, left), toOperand(scope, right))
  return { is: 'condition', condition, at: left.at }
}

function readNot(scope: FilterScope): Read {
  const at = scope.cursor.take()
  const inner = scope.cursor.nested(() => readOperand(scope))
  const word = scope.cursor.peek()
  if (word.kind === 'name' && (comparisons.includes(word.value) || word.value === 'in')) {
    scope.cursor.refuse('brackets are needed after not: not (a eq b)', word)
  }
  return { is: 'condition', condition: { kind: 'not', of: toCondition(scope, inner) }, at }
}

function compare(
  { cursor }: FilterScope,
  op: ComparisonWord,
  word: Token,
  left: Operand,
  right: Operand,
): FilterCondition {
  const isOrder = op !== 'eq' && op !== 'ne'
  const types = new Set([left.type, right.type])
  if (isOrder && (types.has('truth') || types.has('null'))) {
    cursor.refuse(`${op} does not compare ${[...types].join(' with ')}`, word)
  }
  types.delete('null')
  if (types.size > 1) cursor.refuse(`${left.type} is not compared with ${right.type}`, word)
  return { kind: 'compare', op, left, right }
}

function readValues(scope: FilterScope, of: Operand): Literal[] {
  const { cursor } = scope
  const values: Literal[] = []
  cursor.expect('(')
  do {
    const token = cursor.peek()
    const value = toOperand(scope, readOperand(scope))
    if (value.kind !== 'literal' || value.type !== of.type) {
      return cursor.refuse(`in takes literals of the type ${of.type}`, token)
    }
    values.push(value)
    if (values.length > valuesMax) {
      refuseAt('odata_too_large', cursor.place(token), `in takes at most ${valuesMax} values`)
    }
  } while (cursor.takeIf(','))
  cursor.expect(')')
  return values
}

function readOperand(scope: FilterScope): Read {
  const { cursor } = scope
  const token = cursor.peek()
  if (token.kind === 'mark' && token.value === '(') return readBrackets(scope)
  if (token.kind === 'name' && cursor.peek(1).value === '(' && cursor.peek(1).kind === 'mark') {
    if (token.value === 'now') return readLiteral(scope)
    return readFunction(scope)
  }
  const isKeyword = ['true', 'false', 'null', 'duration'].includes(token.value)
  if (token.kind === 'name' && !isKeyword) return readPath(scope)
  return readLiteral(scope)
}

const textTests: readonly string[] = ['contains', 'startswith', 'endswith'] satisfies TextTest[]
const textFunctions: readonly string[] = ['tolower', 'toupper', 'length'] satisfies TextFunction[]

function readFunction(scope: FilterScope): Read {
  const { cursor } = scope
  const at = cursor.take()
  if (!textTests.includes(at.value) && !textFunctions.includes(at.value)) {
    const known = listNames([...textTests, ...textFunctions, 'now'])
    refuseAt(
      'odata_not_supported',
      cursor.place(at),
      `there is no function ${describe(at)}; there are ${known}`,
    )
  }
  return cursor.nested((): Read => {
    cursor.expect('(')
    const of = readText(scope)
    if (textFunctions.includes(at.value)) {
      cursor.expect(')')
      const name = at.value as TextFunction
      const type = name === 'length' ? 'whole' : 'text'
      return { is: 'operand', operand: { kind: 'call', type, name, of }, at }
    }
    cursor.expect(',')
    const what = readText(scope)
    cursor.expect(')')
    const name = at.value as TextTest
    return { is: 'condition', condition: { kind: 'test', name, of, what }, at }
  })
}

function readText(scope: FilterScope): Operand {
  const token = scope.cursor.peek()
  const operand = toOperand(scope, readOperand(scope))
  if (operand.type !== 'text') scope.cursor.refuse('a text is expected here', token)
  return operand
}

function readLiteral(scope: FilterScope): Read {
  const { cursor } = scope
  const token = cursor.take()
  const literal = (type: Literal['type'], value: Literal['value']): Read => ({
    is: 'operand',
    operand: { kind: 'literal', type, value },
    at: token,
  })
  const { kind, value } = token
  if (kind === 'text') return literal('text', value)
  if (kind === 'number') return literal('whole', readWhole(cursor, token))
  if (kind === 'instant') {
    const instant = new Date(value)
    if (Number.isNaN(instant.getTime())) cursor.refuse(`${value} is no time`, token)
    return literal('instant', shift(cursor, instant))
  }
  if (kind === 'name' && value === 'now') {
    cursor.expect('(')
    cursor.expect(')')
    return literal('instant', shift(cursor, scope.now))
  }
  if (kind === 'name' && value === 'null') return literal('null', null)
  if (kind === 'name' && (value === 'true' || value === 'false')) {
    return literal('truth', value === 'true')
  }
  return cursor.refuse(`a value or a name is expected here, not ${describe(token)}`, token)
}

function readWhole(cursor: Cursor, token: Token): number {
  const value = Number(token.value)
  if (!Number.isSafeInteger(value)) {
    cursor.refuse(`${token.value} is too large a number`, token)
  }
  return value
}

const durationForm = /^P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?$/

/** A time with `add` or `sub` and a duration after it, such as `now() sub duration'PT1H'`. */
function shift(cursor: Cursor, instant: Date): Date {
  const word = cursor.peek()
  const isShifted = word.kind === 'name' && (word.value === 'add' || word.value === 'sub')
  const ms = isShifted ? readDuration(cursor) : 0
  const shifted = new Date(instant.getTime() + (word.value === 'add' ? ms : -ms))
  const year = shifted.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) cursor.refuse('this is outside of the calendar', word)
  return shifted
}

/** Milliseconds. */
function readDuration(cursor: Cursor): number {
  cursor.take()
  cursor.expect('duration')
  const token = cursor.take()
  const match = token.kind === 'text' ? durationForm.exec(token.value) : null
  if (match === null || token.value.length < 3) {
    return cursor.refuse(`a duration is expected here, such as 'PT1H'`, token)
  }
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part: string | undefined) => Number(part ?? 0))
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}

function readPath(scope: FilterScope): Read {
  const { cursor } = scope
  const at = cursor.peek()
  let path = startPath(scope)
  for (;;) {
    const token = cursor.takeName('a name')
    const { properties, links } = setsByName.get(path.set)!
    const property = Object.hasOwn(properties, token.value) ? properties[token.value] : undefined
    if (property !== undefined) {
      return {
        is: 'operand',
        operand: { kind: 'property', type: property.type, path, name: token.value },
        at,
      }
    }
    const link = requireLink(cursor, path.set, links, token, Object.keys(properties))
    cursor.expect('/')
    scope.touched.add(link.to)
    const ending = readEnding(scope, path, token.value, link, at)
    if (ending !== undefined) return ending
    if (link.isMany) {
      cursor.refuse(`${token.value} leads to many: any, all or $count is expected here`)
    }
    path = { ...path, links: [...path.links, token.value], set: link.to }
  }
}

function requireLink(
  cursor: Cursor,
  set: string,
  links: Readonly<Record<string, EntityLink>>,
  token: Token,
  others: readonly string[],
): EntityLink {
  const link = Object.hasOwn(links, token.value) ? links[token.value] : undefined
  if (link !== undefined) return link
  const known = listNames([...others, ...Object.keys(links)])
  return refuseAt(
    'odata_name_unknown',
    cursor.place(token),
    `${set} have no ${describe(token)}; they have ${known}`,
  )
}

function startPath({ cursor, variables }: FilterScope): Path {
  const token = cursor.peek()
  const isFollowed = cursor.peek(1).kind === 'mark' && cursor.peek(1).value === '/'
  const named = variables.findIndex(({ name }) => name === token.value)
  const variable = named < 0 ? 0 : named
  const { set } = variables[variable]!
  if (isFollowed && named >= 0) {
    cursor.take()
    cursor.take()
  }
  return { variable, from: set, links: [], set }
}

/** What can end a path after a link: `any(…)`, `all(…)`, `$count`. */
function readEnding(
  scope: FilterScope,
  path: Path,
  link: string,
  { to, isMany }: EntityLink,
  at: Token,
): Read | undefined {
  const { cursor } = scope
  const word = cursor.peek()
  if (word.value === '$count' && isMany) {
    cursor.take()
    return { is: 'operand', operand: { kind: 'count', type: 'whole', path, link }, at }
  }
  const isLambda = word.value === 'any' || word.value === 'all'
  if (!isLambda || cursor.peek(1).value !== '(') return undefined
  cursor.take()
  cursor.take()
  const kind = word.value === 'any' ? 'some' : 'every'
  const variable = scope.variables.length
  if (kind === 'some' && cursor.takeIf(')')) {
    return { is: 'condition', condition: { kind, path, link, variable, of: null }, at }
  }
  const name = cursor.takeName('a variable')
  if (scope.variables.some((one) => one.name === name.value)) {
    cursor.refuse(`there is a variable ${name.value} already`, name)
  }
  cursor.expect(':')
  const variables = [...scope.variables, { name: name.value, set: to }]
  const of = readCondition({ ...scope, variables })
  cursor.expect(')')
  return { is: 'condition', condition: { kind, path, link, variable, of }, at }
}

function toCondition({ cursor }: FilterScope, read: Read): FilterCondition {
  if (read.is === 'condition') return read.condition
  if (read.operand.type === 'truth') return { kind: 'truth', of: read.operand }
  return cursor.refuse('a condition is expected here', read.at)
}

function toOperand({ cursor }: FilterScope, read: Read): Operand {
  if (read.is === 'operand') return read.operand
  const what = 'a condition is not compared with anything here'
  return refuseAt('odata_not_supported', cursor.place(read.at), what)
}
