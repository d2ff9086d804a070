/** Reads the path of a request: what it is about. */
import type { FilterCondition } from './expressions.ts'
import { setsByName } from './model.ts'
import { listNames } from './names.ts'
import { refuseAt } from './refuse.ts'
import { Cursor, describe } from './tokens.ts'

export type Key = readonly { readonly property: string; readonly value: string }[]

export type Address =
  | { readonly kind: 'service' }
  | { readonly kind: 'metadata' }
  | {
      readonly kind: 'entities'
      readonly set: string
      /** One entity of the set. */
      readonly key: Key | null
      /** What the entity's link leads to. */
      readonly link: string | null
      /** Whether only their number is asked for. */
      readonly isCount: boolean
    }

const option = 'the path'

/** Reads the decoded path behind the root of the service. */
export function readAddress(path: string): Address {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path
  if (trimmed === '') return { kind: 'service' }
  if (trimmed === '$metadata') return { kind: 'metadata' }
  const cursor = Cursor.over(option, trimmed)
  const token = cursor.takeName('an entity set')
  const set = setsByName.get(token.value)
  if (set === undefined) {
    const names = listNames([...setsByName.keys()])
    refuseAt(
      'odata_name_unknown',
      cursor.place(token),
      `there is no entity set ${describe(token)}; there are ${names}`,
    )
  }
  const next = cursor.peek()
  const key = next.kind === 'mark' && next.value === '(' ? readKey(cursor, set.key) : null
  let link: string | null = null
  let isCount = false
  while (cursor.takeIf('/')) {
    const name = cursor.takeName('a link or $count')
    const isOfMany = link === null ? key === null : set.links[link]!.isMany
    if (name.value === '$count' && isOfMany && !isCount) {
      isCount = true
      continue
    }
    if (isCount || link !== null || key === null || !Object.hasOwn(set.links, name.value)) {
      const names = listNames(Object.keys(set.links))
      refuseAt(
        'odata_name_unknown',
        cursor.place(name),
        `no ${describe(name)} follows here; one entity is followed by ${names}`,
      )
    }
    link = name.value
  }
  cursor.expectEnd()
  return { kind: 'entities', set: token.value, key, link, isCount }
}

/** `('x')`, or `(name='x',device='y')`, which names every property of the key. */
function readKey(cursor: Cursor, names: readonly string[]): Key {
  const open = cursor.take()
  const values = new Map<string, string>()
  do {
    const isNamed = cursor.peek().kind === 'name'
    const name = isNamed ? cursor.take() : undefined
    if (name !== undefined) cursor.expect('=')
    const property = name?.value ?? names[0]!
    if (!names.includes(property) || values.has(property)) {
      cursor.refuse(`the key is ${listNames(names)}`, name ?? open)
    }
    const value = cursor.take()
    if (value.kind !== 'text') cursor.refuse('a text in single quotes is expected here', value)
    values.set(property, value.value)
  } while (cursor.takeIf(','))
  cursor.expect(')')
  if (values.size !== names.length) cursor.refuse(`the key is ${listNames(names)}`, open)
  return [...values].map(([property, value]) => ({ property, value }))
}

/** The condition that finds the entity of a key. */
export function conditionOf(set: string, key: Key): FilterCondition {
  const path = { variable: 0, from: set, links: [], set }
  return {
    kind: 'and',
    parts: key.map(({ property, value }) => ({
      kind: 'compare',
      op: 'eq',
      left: { kind: 'property', type: 'text', path, name: property },
      right: { kind: 'literal', type: 'text', value },
    })),
  }
}
