/**
 * Filters as SQL. OData knows true and false alone where a value is missing: nothing is less than
 * null, and null equals null. A condition here may be NULL where it is false, and `not` reads it as
 * false.
 */
import type {
  ComparisonWord,
  FilterCondition,
  Operand,
  Path,
  ValueType,
} from '@seaworthy/api/odata'
import { setsByName, tagOf } from '@seaworthy/api/odata'
import type { Part } from './parts.ts'
import { alias, join, part } from './parts.ts'
import type { Reach } from './tables.ts'
import { tableOf } from './tables.ts'

/** The names of rows that were given out so far, and what may be seen. */
export interface Frame {
  readonly reach: Reach
  readonly fresh: () => Part
}

export function createFrame(reach: Reach): Frame {
  let count = 0
  return { reach, fresh: () => alias(count++) }
}

const types: Readonly<Record<ValueType, Part>> = {
  text: part`text`,
  whole: part`bigint`,
  instant: part`timestamptz`,
  truth: part`boolean`,
}

export function typePart(type: ValueType): Part {
  return types[type]
}

/** `rows` are the names of the rows that the variables stand for. */
export function compileCondition(
  frame: Frame,
  condition: FilterCondition,
  rows: readonly Part[],
): Part {
  const compile = (one: FilterCondition) => compileCondition(frame, one, rows)
  switch (condition.kind) {
    case 'truth':
      return operandPart(frame, condition.of, rows)
    case 'compare':
      return compileComparison(frame, condition, rows)
    case 'in': {
      const { of, values } = condition
      const list = values.map(({ value }) => formatValue(value))
      const type = of.type === 'null' ? 'text' : of.type
      return within(frame, of, rows, (x) => part`${x} = any(${list}::text[]::${typePart(type)}[])`)
    }
    case 'test': {
      const what = operandPart(frame, condition.what, rows)
      return within(frame, condition.of, rows, (x) => compileTest(condition.name, x, what))
    }
    case 'and': {
      const parts = condition.parts.map(compile)
      const tag = tagOf(condition.parts)
      if (tag !== null) parts.push(containsTag(condition.parts, tag, rows))
      return part`(${join(parts, part` and `)})`
    }
    case 'or':
      return part`(${join(condition.parts.map(compile), part` or `)})`
    case 'not':
      return part`((${compile(condition.of)}) is not true)`
    case 'some': {
      const { of } = condition
      const isSuch = (row: Part) =>
        of === null ? [] : [compileCondition(frame, of, [...rows, row])]
      return part`exists ${linked(frame, condition, rows, part`1`, isSuch)}`
    }
    case 'every': {
      const { of } = condition
      const isOther = (row: Part) =>
        of === null ? [] : [part`(${compileCondition(frame, of, [...rows, row])}) is not true`]
      return part`not exists ${linked(frame, condition, rows, part`1`, isOther)}`
    }
  }
}

/** The index over all tags finds the tag, and the comparisons beside it need not. */
function containsTag(
  parts: readonly FilterCondition[],
  { name, value }: { name: string; value: string },
  rows: readonly Part[],
): Part {
  const [first] = parts.filter((one) => one.kind === 'compare' && tagOf([one, ...parts]) !== null)
  const left = first?.kind === 'compare' ? first.left : undefined
  const variable = left?.kind === 'property' ? left.path.variable : 0
  return part`${rows[variable]!}.tags @> jsonb_build_object(${name}::text, ${value}::text)`
}

function compileComparison(
  frame: Frame,
  { op, left, right }: Extract<FilterCondition, { kind: 'compare' }>,
  rows: readonly Part[],
): Part {
  if (left.type === 'null' || right.type === 'null') {
    const other = left.type === 'null' ? right : left
    const isBoth = other.type === 'null'
    if (isBoth) return op === 'eq' ? part`true` : part`false`
    const x = operandPart(frame, other, rows)
    return op === 'eq' ? part`${x} is null` : part`${x} is not null`
  }
  if (left.kind === 'literal' && right.kind !== 'literal') {
    const turned = { kind: 'compare', op: turnedOf[op], left: right, right: left } as const
    return compileComparison(frame, turned, rows)
  }
  const isOfOne = right.kind === 'literal'
  const y = operandPart(frame, right, rows)
  if (op === 'ne') return part`${operandPart(frame, left, rows)} is distinct from ${y}`
  if (op === 'eq' && !isOfOne) {
    return part`${operandPart(frame, left, rows)} is not distinct from ${y}`
  }
  return within(frame, left, rows, (x) => part`${x} ${operators[op]} ${y}`)
}

const operators: Readonly<Record<Exclude<ComparisonWord, 'ne'>, Part>> = {
  eq: part`=`,
  gt: part`>`,
  ge: part`>=`,
  lt: part`<`,
  le: part`<=`,
}
const turnedOf: Readonly<Record<ComparisonWord, ComparisonWord>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'lt',
  ge: 'le',
  lt: 'gt',
  le: 'ge',
}

function compileTest(name: 'contains' | 'startswith' | 'endswith', x: Part, what: Part): Part {
  switch (name) {
    case 'contains':
      return part`strpos(${x}, ${what}) > 0`
    case 'startswith':
      return part`${x} ^@ ${what}`
    case 'endswith':
      return part`right(${x}, char_length(${what})) = ${what}`
  }
}

/**
 * A test that is false for null, of an operand that may be at the end of links. It then asks
 * whether there is such an entity, which an index can answer.
 */
function within(
  frame: Frame,
  operand: Operand,
  rows: readonly Part[],
  test: (x: Part) => Part,
): Part {
  if (operand.kind !== 'property' || operand.path.links.length === 0) {
    return test(operandPart(frame, operand, rows))
  }
  const { path, name } = operand
  const { from, where, last } = follow(frame, path, rows)
  const x = column(path.set, name, last)
  return part`exists (select 1 from ${from} where ${where} and ${test(x)})`
}

function operandPart(frame: Frame, operand: Operand, rows: readonly Part[]): Part {
  switch (operand.kind) {
    case 'literal':
      return literalPart(operand)
    case 'property': {
      const { path, name } = operand
      if (path.links.length === 0) return column(path.set, name, rows[path.variable]!)
      const { from, where, last } = follow(frame, path, rows)
      return part`(select ${column(path.set, name, last)} from ${from} where ${where})`
    }
    case 'call': {
      const x = operandPart(frame, operand.of, rows)
      if (operand.name === 'length') return part`char_length(${x})::bigint`
      return operand.name === 'tolower'
        ? part`lower(${x} collate "C")`
        : part`upper(${x} collate "C")`
    }
    case 'count':
      return part`(${linked(frame, operand, rows, part`count(*)`, () => [])})`
  }
}

function literalPart({ type, value }: Extract<Operand, { kind: 'literal' }>): Part {
  if (type === 'null') return part`null`
  return part`${formatValue(value)}::text::${typePart(type)}`
}

function formatValue(value: Extract<Operand, { kind: 'literal' }>['value']): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

export function column(set: string, name: string, row: Part): Part {
  return tableOf(set).columns[name]!(row)
}

/** The conditions under which the asker may see a row of the set. */
export function reachedParts({ reach }: Frame, set: string, row: Part): Part[] {
  const isReached = tableOf(set).reached(row, reach)
  return isReached === null ? [] : [isReached]
}

/** The rows that a path leads over, the last one of the path's set. */
function follow(
  frame: Frame,
  path: Path,
  rows: readonly Part[],
): { from: Part; where: Part; last: Part } {
  let set = path.from
  let last = rows[path.variable]!
  const froms: Part[] = []
  const wheres: Part[] = []
  for (const link of path.links) {
    const { to } = setsByName.get(set)!.links[link]!
    const row = frame.fresh()
    froms.push(tableOf(to).from(row, frame.reach))
    wheres.push(tableOf(set).links[link]!(last, row))
    for (const isReached of reachedParts(frame, to, row)) wheres.push(isReached)
    set = to
    last = row
  }
  return { from: join(froms, part`, `), where: join(wheres, part` and `), last }
}

/** A subquery over the entities that a link leads to. */
function linked(
  frame: Frame,
  { path, link }: { readonly path: Path; readonly link: string },
  rows: readonly Part[],
  what: Part,
  conditions: (row: Part) => readonly Part[],
): Part {
  const { to } = setsByName.get(path.set)!.links[link]!
  const { from, where, last } = follow(
    frame,
    { ...path, links: [...path.links, link], set: to },
    rows,
  )
  const all = [where, ...conditions(last)]
  return part`(select ${what} from ${from} where ${join(all, part` and `)})`
}
