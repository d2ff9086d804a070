/** Answers questions of OData: each is one statement, of parameters and indexed columns. */
import type { FilterCondition, Expansion, Order, Question } from '@seaworthy/api/odata'
import { setsByName } from '@seaworthy/api/odata'
import type { ReadTx } from '../connection.ts'
import type { Frame } from './conditions.ts'
import { column, compileCondition, createFrame, reachedParts, typePart } from './conditions.ts'
import type { Part, Value } from './parts.ts'
import { formatStatement, join, part } from './parts.ts'
import type { Reach } from './tables.ts'
import { tableOf } from './tables.ts'

export type { Published, Reach } from './tables.ts'

/** The entity that a link is followed from. */
export interface Parent {
  readonly set: string
  readonly condition: FilterCondition
  readonly link: string
}

export type EntityValue = string | number | boolean | null

/** An entity, and its place in the order asked for. */
export interface FoundEntity {
  readonly place: readonly (string | null)[]
  readonly values: Readonly<Record<string, EntityValue>>
  /** The entities that each link leads to, one more than were asked for. */
  readonly links: Readonly<Record<string, readonly FoundEntity[]>>
  readonly counts: Readonly<Record<string, number>>
}

/** Lists entities of a set, one more than the question's limit where there are more. */
export async function listEntities(
  { sql }: ReadTx,
  question: Question,
  parent: Parent | null,
  reach: Reach,
): Promise<FoundEntity[]> {
  const frame = createFrame(reach)
  const row = frame.fresh()
  const isLinked = parentParts(frame, parent, row)
  const statement = formatStatement(
    part`select ${cellParts(frame, question, row)} ${tail(frame, question, row, isLinked)}`,
  )
  const rows = await ask({ sql }, statement)
  return rows.map((cells) => readEntity(question, cells))
}

export async function countEntities(
  { sql }: ReadTx,
  question: Pick<Question, 'set' | 'filter'>,
  parent: Parent | null,
  reach: Reach,
): Promise<number> {
  const frame = createFrame(reach)
  const row = frame.fresh()
  const all = [...parentParts(frame, parent, row), ...conditionsOf(frame, question, row)]
  const from = tableOf(question.set).from(row, reach)
  const statement = formatStatement(part`select count(*) from ${from}${whereOf(all)}`)
  const [found] = await ask({ sql }, statement)
  return found![0] as number
}

/**
 * Statements are as various as what people ask: none is kept prepared, which would fill the memory
 * of the sessions.
 */
async function ask(
  { sql }: ReadTx,
  { text, values }: { text: string; values: Value[] },
): Promise<readonly Cells[]> {
  const parameters = values.map((value) => (typeof value === 'object' ? [...value] : value))
  return sql.unsafe(text, parameters).values()
}

function whereOf(conditions: readonly Part[]): Part {
  return conditions.length === 0 ? part`` : part` where ${join(conditions, part` and `)}`
}

function conditionsOf(
  frame: Frame,
  { set, filter }: Pick<Question, 'set' | 'filter'>,
  row: Part,
): Part[] {
  const conditions = reachedParts(frame, set, row)
  if (filter !== null) conditions.push(compileCondition(frame, filter, [row]))
  return conditions
}

function parentParts(frame: Frame, parent: Parent | null, row: Part): Part[] {
  if (parent === null) return []
  const { set, condition, link } = parent
  const above = frame.fresh()
  const { from, links } = tableOf(set)
  const all = [links[link]!(above, row), ...conditionsOf(frame, { set, filter: condition }, above)]
  return [part`exists (select 1 from ${from(above, frame.reach)}${whereOf(all)})`]
}

/** Everything of a question behind its `select …`. */
function tail(frame: Frame, question: Question, row: Part, more: readonly Part[]): Part {
  const { set, order, limit, skip, after } = question
  const conditions = [...more, ...conditionsOf(frame, question, row)]
  if (after !== null) conditions.push(behind(question, after, row))
  const { properties } = setsByName.get(set)!
  const places = order.map(({ property, isDescending }) => {
    const x = column(set, property, row)
    // An index is in the order that is asked for only where null is at the same end in both.
    if (!properties[property]!.isNullable) return isDescending ? part`${x} desc` : part`${x}`
    return isDescending ? part`${x} desc nulls last` : part`${x} asc nulls first`
  })
  const from = tableOf(set).from(row, frame.reach)
  return part`from ${from}${whereOf(conditions)} order by ${join(places, part`, `)}
    limit ${String(limit + 1)}::text::bigint offset ${String(skip)}::text::bigint`
}

/**
 * Whether a row comes after another one in the order that is asked for. Null comes before every
 * value.
 */
function behind({ set, order }: Question, after: readonly (string | null)[], row: Part): Part {
  const { properties } = setsByName.get(set)!
  const isUniform =
    order.every(({ isDescending }) => isDescending === order[0]!.isDescending) &&
    order.every(({ property }) => !properties[property]!.isNullable)
  const own = order.map(({ property }) => column(set, property, row))
  const others = order.map(({ property }, i) => {
    const value = after[i]
    const type = typePart(properties[property]!.type)
    return value === null || value === undefined ? part`null` : part`${value}::text::${type}`
  })
  if (isUniform) {
    const sides = [join(own, part`, `), join(others, part`, `)] as const
    return order[0]!.isDescending
      ? part`(${sides[0]}) < (${sides[1]})`
      : part`(${sides[0]}) > (${sides[1]})`
  }
  return part`(${join(
    order.map((_, i) => {
      const isSame = own.slice(0, i).map((x, j) => part`${x} is not distinct from ${others[j]!}`)
      return part`(${join([...isSame, isBehind(order[i]!, after[i]!, own[i]!, others[i]!)], part` and `)})`
    }),
    part` or `,
  )})`
}

function isBehind({ isDescending }: Order, after: string | null, x: Part, other: Part): Part {
  if (isDescending) return after === null ? part`false` : part`(${x} < ${other} or ${x} is null)`
  return after === null ? part`${x} is not null` : part`${x} > ${other}`
}

/**
 * An entity as it is found: the cells of its place, its values, its links and its counts, in the
 * order in which the question names them. Without names there is less to build and to read.
 */
type Cells = readonly unknown[]

function cellParts(frame: Frame, question: Question, row: Part): Part {
  const { set, select, order, expand } = question
  const cells = [
    ...order.map(({ property }) => placePart(set, property, row)),
    ...select.map((name) => valuePart(set, name, row)),
    ...expand.filter(isListed).map((one) => entitiesPart(frame, set, one, row)),
    ...expand.filter(isNumbered).map((one) => countPart(frame, set, one, row)),
  ]
  return join(cells, part`, `)
}

function readEntity({ order, select, expand }: Question, cells: Cells): FoundEntity {
  const [values, links] = [order.length, order.length + select.length]
  const listed = expand.filter(isListed)
  const counts = links + listed.length
  const entities = ({ isMany, question }: Expansion, cell: unknown) => {
    const list = isMany ? (cell as readonly Cells[]) : cell === null ? [] : [cell as Cells]
    return list.map((one) => readEntity(question, one))
  }
  return {
    place: cells.slice(0, values) as (string | null)[],
    values: Object.fromEntries(select.map((name, i) => [name, cells[values + i] as EntityValue])),
    links: Object.fromEntries(listed.map((one, i) => [one.link, entities(one, cells[links + i])])),
    counts: Object.fromEntries(
      expand.filter(isNumbered).map(({ link }, i) => [link, cells[counts + i] as number]),
    ),
  }
}

const isListed = ({ isCountOnly }: Expansion) => !isCountOnly
const isNumbered = ({ isCountOnly, question }: Expansion) => isCountOnly || question.isCounted

function valuePart(set: string, name: string, row: Part): Part {
  const x = column(set, name, row)
  const isInstant = setsByName.get(set)!.properties[name]!.type === 'instant'
  return isInstant ? part`to_char(${x}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` : x
}

function placePart(set: string, name: string, row: Part): Part {
  const x = column(set, name, row)
  const isInstant = setsByName.get(set)!.properties[name]!.type === 'instant'
  return isInstant ? part`to_char(${x}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')` : part`${x}::text`
}

function entitiesPart(
  frame: Frame,
  set: string,
  { link, isMany, question }: Expansion,
  above: Part,
): Part {
  const row = frame.fresh()
  const isLinked = tableOf(set).links[link]!(above, row)
  const one = part`jsonb_build_array(${cellParts(frame, question, row)})`
  if (isMany) {
    return part`coalesce((select jsonb_agg(x.entity) from (
      select ${one} as entity ${tail(frame, question, row, [isLinked])}) x), '[]')`
  }
  // There is one at most: nothing is sorted or joined to a list.
  if (question.skip > 0) return part`null::jsonb`
  const all = [isLinked, ...conditionsOf(frame, question, row)]
  const from = tableOf(question.set).from(row, frame.reach)
  return part`(select ${one} from ${from}${whereOf(all)} limit 1)`
}

function countPart(frame: Frame, set: string, { link, question }: Expansion, above: Part): Part {
  const row = frame.fresh()
  const all = [tableOf(set).links[link]!(above, row), ...conditionsOf(frame, question, row)]
  const from = tableOf(question.set).from(row, frame.reach)
  return part`(select count(*) from ${from}${whereOf(all)})`
}
