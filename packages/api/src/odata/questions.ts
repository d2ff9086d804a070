/** Reads the query options of a request: what is asked of a set, and of what its links lead to. */
import { cutText } from '@seaworthy/std/printable'
import { base64UrlDecode, base64UrlEncode, utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import type { FilterCondition, FilterScope } from './expressions.ts'
import { readCondition } from './expressions.ts'
import type { Property } from './model.ts'
import { setsByName } from './model.ts'
import { listNames } from './names.ts'
import { refuseAt } from './refuse.ts'
import { readSearch } from './search.ts'
import { requireFewInLambdas, requireServed } from './served.ts'
import type { Token } from './tokens.ts'
import { Cursor, describe } from './tokens.ts'

export interface Order {
  readonly property: string
  readonly isDescending: boolean
}

/** What is asked of the entities of a set. */
export interface Question {
  readonly set: string
  /** The properties that are answered. */
  readonly select: readonly string[]
  readonly expand: readonly Expansion[]
  readonly filter: FilterCondition | null
  /** It ends with the key, so that no two entities have the same place. */
  readonly order: readonly Order[]
  readonly limit: number
  readonly skip: number
  readonly isCounted: boolean
  /** The place of the last entity of the page before. */
  readonly after: readonly (string | null)[] | null
  /** The options as they were written, for the link to the next page. */
  readonly texts: Readonly<Record<string, string>>
}

export interface Expansion {
  readonly link: string
  readonly isMany: boolean
  /** Whether only the number of entities is asked for. */
  readonly isCountOnly: boolean
  readonly question: Question
}

export interface AskedQuestion {
  readonly question: Question
  /** How many entities are wanted over all pages; null without `$top`. */
  readonly top: number | null
  /** Every set that is touched: each needs its permission. */
  readonly touched: ReadonlySet<string>
}

/** Entities of one page, where the request names no number. */
const pageDefault = 100
const pageMax = 1000
const skipMax = 10_000
const expansionsMax = 8
/** Entities of one answer, those of links included. */
const entitiesMax = 100_000

interface Frame {
  readonly now: Date
  readonly touched: Set<string>
  /** Counts the links of a whole request that are expanded. */
  readonly expanded: { count: number }
}

type Options = ReadonlyMap<string, { readonly text: string; readonly cursor: Cursor }>

const known = [
  '$filter',
  '$select',
  '$expand',
  '$orderby',
  '$top',
  '$skip',
  '$count',
  '$search',
  '$skiptoken',
  '$format',
]

/** Reads the options of a whole request about a set. */
export function readQuestion(
  set: string,
  options: Readonly<Record<string, string>>,
  { now, pageSize }: { now: Date; pageSize: number | null },
): AskedQuestion {
  const touched = new Set([set])
  const read = new Map<string, { text: string; cursor: Cursor }>()
  for (const [name, text] of Object.entries(options)) {
    if (!known.includes(name)) {
      const what = `there is no option of this name; there are ${listNames(known)}`
      refuseAt('odata_not_supported', { option: cutText(name, 40), at: 1 }, what)
    }
    if (name === '$format' && text !== 'json' && text !== 'application/json') {
      refuseAt('odata_not_supported', { option: name, at: 1 }, 'answers are JSON')
    }
    // What is searched for has its own words, and the token of a page none.
    const isPlain = name === '$search' || name === '$skiptoken' || name === '$format'
    read.set(name, { text, cursor: Cursor.over(name, isPlain ? '' : text) })
  }
  const top = readNumber(read, '$top', 1_000_000_000)
  const page = Math.min(pageSize ?? (top === null ? pageDefault : pageMax), pageMax)
  const frame: Frame = { now, touched, expanded: { count: 0 } }
  const question = readLevel(set, read, frame, top === null ? page : Math.min(top, page))
  const each = countWith(question)
  if (each > entitiesMax) {
    const what = `each entity would come with up to ${each} others, and at most ${entitiesMax} are answered: ask for fewer by $top in $expand`
    refuseAt('odata_too_large', { option: '$expand', at: 1 }, what)
  }
  // A page is shorter where each of its entities brings many others.
  const limit = Math.min(question.limit, Math.floor(entitiesMax / each))
  return { question: { ...question, limit }, top, touched }
}

/** How many entities an answer has at most for one entity of a set, itself included. */
function countWith({ expand }: Question): number {
  return expand.reduce((all, { isMany, isCountOnly, question }) => {
    if (isCountOnly) return all
    return all + (isMany ? question.limit : 1) * countWith(question)
  }, 1)
}

/** Without a limit, the options are those of a link that is expanded. */
function readLevel(set: string, options: Options, frame: Frame, limit: number | null): Question {
  const { properties, key } = setsByName.get(set)!
  const written = options.get('$filter')
  const scope = (cursor: Cursor): FilterScope => ({
    cursor,
    now: frame.now,
    touched: frame.touched,
    variables: [{ name: '$it', set }],
  })
  const parts: FilterCondition[] = []
  if (written !== undefined) {
    parts.push(readCondition(scope(written.cursor)))
    written.cursor.expectEnd()
  }
  const search = options.get('$search')
  if (search !== undefined) parts.push(readSearch(set, search.text))
  const filter = parts.length < 2 ? (parts[0] ?? null) : ({ kind: 'and', parts } as const)
  const asked = readOrder(set, options.get('$orderby')?.cursor)
  const [first] = asked
  const last = asked.at(-1)
  const order = [
    ...asked,
    ...key
      .filter((name) => !asked.some(({ property }) => property === name))
      .map((property) => ({ property, isDescending: last?.isDescending ?? false })),
  ]
  const isInOrderOfIndex =
    first === undefined || (asked.length === 1 && properties[first.property]!.isIndexed)
  const isNested = limit === null
  if (filter !== null) requireFewInLambdas(filter)
  if (!isNested) requireServed(set, filter, isInOrderOfIndex ? null : first.property)
  const after = options.get('$skiptoken')
  return {
    set,
    select: readSelect(set, options.get('$select')?.cursor),
    expand: readExpand(set, options.get('$expand'), frame),
    filter,
    order,
    limit: limit ?? readNumber(options, '$top', pageMax) ?? pageDefault,
    skip: readNumber(options, '$skip', skipMax) ?? 0,
    isCounted: readFlag(options, '$count'),
    after: after === undefined ? null : readPlace(set, order, after.text),
    texts: Object.fromEntries([...options].map(([name, { text }]) => [name, text])),
  }
}

function readNumber(options: Options, name: string, max: number): number | null {
  const option = options.get(name)
  if (option === undefined) return null
  const { cursor } = option
  const token = cursor.take()
  const value =
    /^\d{1,10}$/.test(token.value) && token.kind === 'number' ? Number(token.value) : NaN
  if (Number.isNaN(value)) cursor.refuse('a whole number is expected here', token)
  cursor.expectEnd()
  if (value > max) {
    const advice = name === '$skip' ? ': follow the link to the next page' : ''
    refuseAt('odata_too_large', cursor.place(token), `at most ${max}${advice}`)
  }
  return value
}

function readFlag(options: Options, name: string): boolean {
  const option = options.get(name)
  if (option === undefined) return false
  const { cursor } = option
  const token = cursor.take()
  if (token.value !== 'true' && token.value !== 'false') {
    cursor.refuse('true or false is expected here', token)
  }
  cursor.expectEnd()
  return token.value === 'true'
}

function requireProperty(set: string, cursor: Cursor, token: Token): Property {
  const { properties } = setsByName.get(set)!
  const property = Object.hasOwn(properties, token.value) ? properties[token.value] : undefined
  if (property !== undefined) return property
  const names = listNames(Object.keys(properties))
  return refuseAt(
    'odata_name_unknown',
    cursor.place(token),
    `${set} have no property ${describe(token)}; they have ${names}`,
  )
}

function readSelect(set: string, cursor: Cursor | undefined): string[] {
  const all = Object.keys(setsByName.get(set)!.properties)
  if (cursor === undefined) return all
  const names = new Set<string>()
  do {
    if (cursor.takeIf('*')) {
      for (const name of all) names.add(name)
      continue
    }
    const token = cursor.takeName('a property')
    requireProperty(set, cursor, token)
    names.add(token.value)
  } while (cursor.takeIf(','))
  cursor.expectEnd()
  return [...names]
}

function readOrder(set: string, cursor: Cursor | undefined): Order[] {
  if (cursor === undefined) return []
  const order: Order[] = []
  do {
    const token = cursor.takeName('a property')
    requireProperty(set, cursor, token)
    if (order.some(({ property }) => property === token.value)) {
      cursor.refuse(`${token.value} is there twice`, token)
    }
    const isDescending = cursor.takeIf('desc')
    if (!isDescending) cursor.takeIf('asc')
    order.push({ property: token.value, isDescending })
  } while (cursor.takeIf(','))
  cursor.expectEnd()
  return order
}

function readExpand(
  set: string,
  option: { cursor: Cursor } | undefined,
  frame: Frame,
): Expansion[] {
  if (option === undefined) return []
  const { cursor } = option
  const { links } = setsByName.get(set)!
  const expand: Expansion[] = []
  do {
    const token = cursor.takeName('a link')
    const link = Object.hasOwn(links, token.value) ? links[token.value] : undefined
    if (link === undefined) {
      const names = listNames(Object.keys(links))
      refuseAt(
        'odata_name_unknown',
        cursor.place(token),
        `${set} have no link ${describe(token)}; they have ${names}`,
      )
    }
    if (expand.some((one) => one.link === token.value)) {
      cursor.refuse(`${token.value} is there twice`, token)
    }
    if (++frame.expanded.count > expansionsMax) {
      const what = `at most ${expansionsMax} links are expanded at once`
      refuseAt('odata_too_large', cursor.place(token), what)
    }
    frame.touched.add(link.to)
    const isCountOnly = cursor.takeIf('/')
    if (isCountOnly && (!link.isMany || !cursor.takeIf('$count'))) {
      cursor.refuse('only $count can follow, and only a link that leads to many')
    }
    const question = readNested(link.to, cursor, frame)
    expand.push({ link: token.value, isMany: link.isMany, isCountOnly, question })
  } while (cursor.takeIf(','))
  cursor.expectEnd()
  return expand
}

const knownInExpand = ['$filter', '$select', '$expand', '$orderby', '$top', '$skip', '$count']

function readNested(set: string, cursor: Cursor, frame: Frame): Question {
  const options = new Map<string, { text: string; cursor: Cursor }>()
  const next = cursor.peek()
  const hasOptions = next.kind === 'mark' && next.value === '('
  for (const { cursor: part } of hasOptions ? cursor.takeParts() : []) {
    const name = part.takeName('an option')
    if (!knownInExpand.includes(name.value)) {
      const what = `there is no option ${describe(name)} here; there are ${listNames(knownInExpand)}`
      refuseAt('odata_not_supported', part.place(name), what)
    }
    if (options.has(name.value)) part.refuse(`${name.value} is there twice`, name)
    part.expect('=')
    options.set(name.value, { text: part.rest(), cursor: part })
  }
  return readLevel(set, options, frame, null)
}

/** Writes the place of an entity in the order, for the link to the next page. */
export function formatPlace(values: readonly (string | null)[]): string {
  return base64UrlEncode(utf8Encode(JSON.stringify(values)))
}

function readPlace(set: string, order: readonly Order[], text: string): (string | null)[] {
  const { properties } = setsByName.get(set)!
  const place = { option: '$skiptoken', at: 1 }
  let values: unknown
  try {
    values = parseAnyJson(base64UrlDecode(text))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  const isWhole =
    Array.isArray(values) &&
    values.length === order.length &&
    order.every(({ property }, i) => isPlaceValue(properties[property]!, values[i]))
  if (!isWhole) refuseAt('odata_malformed', place, 'it is no token of a page of this question')
  return values as (string | null)[]
}

function isPlaceValue({ type, isNullable }: Property, value: unknown): boolean {
  if (value === null) return isNullable
  if (typeof value !== 'string' || value.includes('\0')) return false
  switch (type) {
    case 'text':
      return value.isWellFormed()
    case 'whole':
      return /^-?\d{1,18}$/.test(value)
    case 'truth':
      return value === 'true' || value === 'false'
    case 'instant': {
      if (!/^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(value)) return false
      const instant = new Date(value)
      return (
        !Number.isNaN(instant.getTime()) &&
        instant.toISOString().slice(0, 19) === value.slice(0, 19)
      )
    }
  }
}
