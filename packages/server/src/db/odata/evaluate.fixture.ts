/**
 * What a question means, worked out over rows in memory without any SQL: the other side of the
 * property test. It is written to be plain, and knows nothing of `conditions.ts`.
 */
import type {
  ComparisonWord,
  FilterCondition,
  Literal,
  Operand,
  Order,
  Path,
  Question,
} from '@seaworthy/api/odata'
import { setsByName } from '@seaworthy/api/odata'

type Value = Literal['value']
export type Entity = Readonly<Record<string, Value>>
/** All entities of each set that somebody reaches. */
export type World = Readonly<Record<string, readonly Entity[]>>

/** Where a link leads: which property of the one entity equals which of the other. */
const leads: Readonly<Record<string, readonly (readonly [own: string, other: string])[]>> = {
  'fleets.hasDevices': [['name', 'fleet']],
  'fleets.hasRollouts': [['name', 'fleet']],
  'devices.inFleet': [['fleet', 'name']],
  'devices.hasTags': [['id', 'device']],
  'devices.hasUpdates': [['id', 'device']],
  'deviceTags.ofDevice': [['device', 'id']],
  'rollouts.inFleet': [['fleet', 'name']],
  'rollouts.isWayBackOf': [['wayBackOf', 'id']],
  'rollouts.hasUpdates': [['id', 'rollout']],
  'updates.ofRollout': [['rollout', 'id']],
  'updates.ofDevice': [['device', 'id']],
}

export function follow(world: World, set: string, link: string, entity: Entity): Entity[] {
  const pairs = leads[`${set}.${link}`]!
  const { to } = setsByName.get(set)!.links[link]!
  return world[to]!.filter((other) =>
    pairs.every(([own, its]) => entity[own] !== null && entity[own] === other[its]),
  )
}

/** Whether the condition holds of the entities that the variables stand for. */
export function holds(
  world: World,
  condition: FilterCondition,
  variables: readonly Entity[],
): boolean {
  const sub = (one: FilterCondition, more: readonly Entity[] = []) =>
    holds(world, one, [...variables, ...more])
  const valueOf = (operand: Operand) => evaluate(world, operand, variables)
  switch (condition.kind) {
    case 'truth':
      return valueOf(condition.of) === true
    case 'compare':
      return isInOrder(condition.op, valueOf(condition.left), valueOf(condition.right))
    case 'in': {
      const value = valueOf(condition.of)
      return value !== null && condition.values.some((one) => compare(one.value, value) === 0)
    }
    case 'test': {
      const text = valueOf(condition.of)
      const what = valueOf(condition.what)
      if (typeof text !== 'string' || typeof what !== 'string') return false
      if (condition.name === 'contains') return text.includes(what)
      return condition.name === 'startswith' ? text.startsWith(what) : text.endsWith(what)
    }
    case 'and':
      return condition.parts.every((one) => sub(one))
    case 'or':
      return condition.parts.some((one) => sub(one))
    case 'not':
      return !sub(condition.of)
    case 'some':
    case 'every': {
      const { path, link, of } = condition
      const entities = walk(world, { ...path, links: [...path.links, link] }, variables)
      if (of === null) return condition.kind === 'every' || entities.length > 0
      const isSuch = (entity: Entity) => sub(of, [entity])
      return condition.kind === 'some' ? entities.some(isSuch) : entities.every(isSuch)
    }
  }
}

function isInOrder(op: ComparisonWord, left: Value, right: Value): boolean {
  const order = compare(left, right)
  if (op === 'eq') return order === 0
  if (op === 'ne') return order !== 0
  if (left === null || right === null) return false
  if (op === 'gt') return order > 0
  if (op === 'ge') return order >= 0
  return op === 'lt' ? order < 0 : order <= 0
}

function evaluate(world: World, operand: Operand, variables: readonly Entity[]): Value {
  switch (operand.kind) {
    case 'literal':
      return operand.value
    case 'property': {
      const [entity] = walk(world, operand.path, variables)
      return entity?.[operand.name] ?? null
    }
    case 'call': {
      const text = evaluate(world, operand.of, variables)
      if (typeof text !== 'string') return null
      if (operand.name === 'length') return Array.from(text).length
      return operand.name === 'tolower' ? text.toLowerCase() : text.toUpperCase()
    }
    case 'count': {
      const { path, link } = operand
      return walk(world, { ...path, links: [...path.links, link] }, variables).length
    }
  }
}

function walk(
  world: World,
  { variable, from, links }: Pick<Path, 'variable' | 'from' | 'links'>,
  variables: readonly Entity[],
): Entity[] {
  let set = from
  let entities = [variables[variable]!]
  for (const link of links) {
    const here = set
    entities = entities.flatMap((entity) => follow(world, here, link, entity))
    set = setsByName.get(set)!.links[link]!.to
  }
  return entities
}

/** Null first, and texts by their characters' numbers, as the database sorts them. */
function compare(a: Value, b: Value): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null)
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(bytes(a), bytes(b))
  return Math.sign(Number(a) - Number(b))
}

const bytes = (text: string) => Buffer.from(text, 'utf8')

/** All entities that a question finds, in its order, whatever its limit. */
export function answer(world: World, { set, filter, order }: Question): Entity[] {
  return world[set]!.filter((entity) => filter === null || holds(world, filter, [entity])).toSorted(
    (a, b) => byOrder(order, a, b),
  )
}

function byOrder(order: readonly Order[], a: Entity, b: Entity): number {
  for (const { property, isDescending } of order) {
    const result = compare(a[property]!, b[property]!)
    if (result !== 0) return isDescending ? -result : result
  }
  return 0
}
