/**
 * A valid value for a zod schema, found by looking at it: seeds for what a server or a client
 * reads.
 */
import type { z } from 'zod'

/** Texts one of which every text field of the contract takes. */
const texts = [
  'acme',
  '1.0.0',
  'linux/amd64',
  'a'.repeat(64),
  `sha256:${'a'.repeat(64)}`,
  '2026-03-01T12:00:00Z',
  'AAAA',
  'https://ship.example:8443',
  ...[
    ...['device', 'fleet', 'proposal', 'token', 'provisioning', 'rollout', 'release'],
    ...['gateway', 'lock', 'fleetlock', 'person', 'session', 'passkey', 'invitation'],
    ...['pairing', 'approval', 'review'],
  ].map((kind) => `${kind}_${'0'.repeat(26)}`),
  `sw_${'0'.repeat(26)}_${'a'.repeat(64)}`,
  `https://ship.example:8443/invitation#${'a'.repeat(64)}`,
  'BCDF-GHJK',
  'ann@example.org',
  '0000-0000-0000-0000-0000-0000',
  '123456',
  'fleet:read',
  'site=berlin',
  'note',
  '30d',
  '22:00',
  'UTC',
]
const numbers = [1, 0, 5, 60, 3600, 200]

interface Definition {
  type: string
  shape?: Record<string, z.ZodType>
  element?: z.ZodType
  items?: z.ZodType[]
  keyType?: z.ZodType
  valueType?: z.ZodType
  innerType?: z.ZodType
  in?: z.ZodType
  out?: z.ZodType
  options?: z.ZodType[]
  values?: unknown[]
  entries?: Record<string, unknown>
}

function definitionOf(schema: z.ZodType): Definition {
  return (schema as unknown as { _zod: { def: Definition } })._zod.def
}

/** Throws when the schema has a part that this does not know how to fill. */
export function exampleOf(schema: z.ZodType): unknown {
  const definition = definitionOf(schema)
  const candidates = candidatesFor(definition)
  const found = candidates.find((value) => schema.safeParse(value).success)
  if (found === undefined && definition.type !== 'undefined') {
    throw new Error(`no example for a schema of type ${definition.type}`)
  }
  return found
}

function candidatesFor(definition: Definition): unknown[] {
  switch (definition.type) {
    case 'object': {
      const members = Object.entries(definition.shape!)
      return [Object.fromEntries(members.map(([name, inner]) => [name, exampleOf(inner)]))]
    }
    case 'array':
      return [[exampleOf(definition.element!)], []]
    case 'record':
      return [{ [String(exampleOf(definition.keyType!))]: exampleOf(definition.valueType!) }, {}]
    case 'optional':
    case 'nullable':
    case 'default':
    case 'readonly':
      return [exampleOf(definition.innerType!)]
    case 'pipe': {
      // A transformation in front of a schema takes what the schema takes, perhaps as text.
      if (definitionOf(definition.in!).type !== 'transform') return [exampleOf(definition.in!)]
      const example = exampleOf(definition.out!)
      return [String(example), example]
    }
    case 'union':
      return definition.options!.map(exampleOf)
    case 'tuple':
      return [definition.items!.map(exampleOf)]
    case 'enum':
      return Object.values(definition.entries!)
    case 'literal':
      return definition.values!
    case 'number':
    case 'int':
      return [...numbers, ...numbers.map(String)]
    case 'boolean':
      return [true, false]
    case 'string':
      return texts
    case 'unknown':
    case 'any':
      return [{ a: ['1', 2, null] }]
    default:
      return []
  }
}
