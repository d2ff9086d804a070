/**
 * Which questions an index serves. A filter of a large set needs a condition by which an index
 * finds the entities; whatever else it says is then looked at in those alone.
 */
import type { FilterCondition, Operand, Path } from './expressions.ts'
import type { EntityLink } from './model.ts'
import { setsByName } from './model.ts'
import { listNames } from './names.ts'
import { refuseAt } from './refuse.ts'

/**
 * Throws `odata_not_indexed` for a question about a large set that no index serves. `order` is the
 * property by which entities are sorted, `null` where an index lists them in the order asked for.
 */
export function requireServed(
  set: string,
  filter: FilterCondition | null,
  order: string | null,
): void {
  const { isLarge, properties } = setsByName.get(set)!
  if (!isLarge || (filter !== null && isServed(filter))) return
  if (filter === null && order === null) return
  const indexed = Object.entries(properties).flatMap(([name, { isIndexed }]) =>
    isIndexed ? [name] : [],
  )
  const more = set === 'devices' ? ", by hasTags/any(t: t/name eq '…' and t/value eq '…')" : ''
  const advice = `have $filter find them by ${listNames(indexed)}${more}, and look for the rest beside that`
  if (filter === null) {
    const what = `no index lists ${set} by ${order}: ${advice}`
    refuseAt('odata_not_indexed', { option: '$orderby', at: 1 }, what)
  }
  refuseAt(
    'odata_not_indexed',
    { option: '$filter', at: 1 },
    `no index finds these ${set}: ${advice}`,
  )
}

/**
 * Throws `odata_not_indexed` for a lambda that would read many entities for each entity of its set.
 */
export function requireFewInLambdas(condition: FilterCondition): void {
  switch (condition.kind) {
    case 'and':
    case 'or':
      for (const part of condition.parts) requireFewInLambdas(part)
      return
    case 'not':
      requireFewInLambdas(condition.of)
      return
    case 'some':
    case 'every': {
      const { isFew, to } = linkOf(condition.path, condition.link)
      const isLarge = !isFew && setsByName.get(to)!.isLarge
      const isFound = condition.kind === 'some' && condition.of !== null && isServed(condition.of)
      if (isLarge && condition.of !== null && !isFound) {
        const what = `${condition.link} leads to many ${to}: any needs a condition that an index serves, all cannot be asked`
        refuseAt('odata_not_indexed', { option: '$filter', at: 1 }, what)
      }
      if (condition.of !== null) requireFewInLambdas(condition.of)
      return
    }
    case 'compare':
      requireFew(condition.left)
      requireFew(condition.right)
      return
    case 'truth':
    case 'in':
    case 'test':
      return
  }
}

function requireFew(operand: Operand): void {
  if (operand.kind !== 'count') return
  const { isFew, to } = linkOf(operand.path, operand.link)
  if (isFew || !setsByName.get(to)!.isLarge) return
  const what = `${operand.link} leads to too many ${to} to count them for each: ask by $expand=${operand.link}/$count`
  refuseAt('odata_not_indexed', { option: '$filter', at: 1 }, what)
}

function linkOf({ set }: Path, link: string): EntityLink {
  return setsByName.get(set)!.links[link]!
}

function isServed(condition: FilterCondition): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.parts.some(isServed) || isTag(condition)
    case 'or':
      return condition.parts.every(isServed)
    case 'compare':
      return condition.op !== 'ne' && isFoundBy(condition.left, condition.right)
    case 'in':
      return isIndexed(condition.of)
    case 'test':
      return condition.name === 'startswith' && isFoundBy(condition.of, condition.what)
    case 'some': {
      const { isIndexed: isLed } = linkOf(condition.path, condition.link)
      return isLed && isOwn(condition.path) && condition.of !== null && isServed(condition.of)
    }
    case 'truth':
    case 'not':
    case 'every':
      return false
  }
}

/** Whether an index finds one operand by the other, which is a literal. */
function isFoundBy(left: Operand, right: Operand): boolean {
  return (
    (isIndexed(left) && right.kind === 'literal') || (left.kind === 'literal' && isIndexed(right))
  )
}

function isIndexed(operand: Operand): boolean {
  if (operand.kind !== 'property') return false
  const { path, name } = operand
  let { from: set } = path
  for (const link of path.links) {
    const led = setsByName.get(set)!.links[link]!
    if (!led.isIndexed) return false
    set = led.to
  }
  const { isLarge, properties } = setsByName.get(set)!
  return !isLarge || properties[name]!.isIndexed
}

const isOwn = ({ links }: Path) => links.length === 0

/** Whether it says which tag a device has, with name and value. */
function isTag({ parts }: { readonly parts: readonly FilterCondition[] }): boolean {
  return tagOf(parts) !== null
}

/** The tag that the conditions name, about one entity of `deviceTags`. */
export function tagOf(parts: readonly FilterCondition[]): { name: string; value: string } | null {
  const found = new Map<string, string>()
  for (const part of parts) {
    if (part.kind !== 'compare' || part.op !== 'eq') continue
    const { left, right } = part
    if (left.kind !== 'property' || left.path.set !== 'deviceTags' || !isOwn(left.path)) continue
    if (right.kind === 'literal' && typeof right.value === 'string')
      found.set(left.name, right.value)
  }
  const name = found.get('name')
  const value = found.get('value')
  return name === undefined || value === undefined ? null : { name, value }
}
