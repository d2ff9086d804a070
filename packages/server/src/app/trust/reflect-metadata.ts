/**
 * `@peculiar/x509` wires its parts by `tsyringe`, which needs the metadata half of `Reflect`. This
 * is the part of it that is needed: a value per object, key and property, found along the prototype
 * chain.
 */
type Key = string | symbol | undefined

const store = new WeakMap<object, Map<unknown, Map<Key, unknown>>>()

function getOwnMetadata(name: unknown, target: object, key?: Key): unknown {
  return store.get(target)?.get(name)?.get(key)
}

function getMetadata(name: unknown, target: object | null, key?: Key): unknown {
  for (let at = target; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const value = getOwnMetadata(name, at, key)
    if (value !== undefined) return value
  }
  return undefined
}

function defineMetadata(name: unknown, value: unknown, target: object, key?: Key): void {
  const byName = store.get(target) ?? new Map<unknown, Map<Key, unknown>>()
  const byKey = byName.get(name) ?? new Map<Key, unknown>()
  store.set(target, byName.set(name, byKey.set(key, value)))
}

Object.assign(Reflect, {
  getMetadata,
  getOwnMetadata,
  defineMetadata,
  hasOwnMetadata: (name: unknown, target: object, key?: Key) =>
    getOwnMetadata(name, target, key) !== undefined,
  metadata: (name: unknown, value: unknown) => (target: object, key?: Key) =>
    defineMetadata(name, value, target, key),
})
