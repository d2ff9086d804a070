import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import type { JsonSchema } from './manifest-schema.ts'
import { bundleManifestSchema } from './manifest-schema.ts'
import { parseBundleManifest } from './manifest.ts'

/** Whether a value fits, as the specification of JSON Schema has it for these keywords. */
function fits(schema: JsonSchema, value: unknown): boolean {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (schema.type !== undefined) {
    const type = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
    if (schema.type !== type) return false
  }
  if (schema.not !== undefined && fits(schema.not, value)) return false
  if (schema.enum !== undefined && !schema.enum.some((one) => one === value)) return false
  if (typeof value === 'string') {
    if (schema.maxLength !== undefined && value.length > schema.maxLength) return false
    if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) return false
  }
  if (typeof value === 'number') {
    if (!(value > (schema.exclusiveMinimum ?? -Infinity))) return false
    if (value > (schema.maximum ?? Infinity)) return false
  }
  if (Array.isArray(value)) {
    const { minItems = 0, maxItems = Infinity, prefixItems = [], items = {} } = schema
    if (value.length < minItems || value.length > maxItems) return false
    if (!value.every((item, i) => fits(prefixItems[i] ?? items, item))) return false
  }
  if (isMap) {
    const { properties = {}, required = [], additionalProperties, propertyNames } = schema
    const entries = Object.entries(value)
    if (entries.length > (schema.maxProperties ?? Infinity)) return false
    if (!required.every((name) => Object.hasOwn(value, name))) return false
    for (const [name, member] of entries) {
      if (propertyNames !== undefined && !fits(propertyNames, name)) return false
      const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties
      if (known === false || (known !== undefined && !fits(known, member))) return false
    }
  }
  return true
}

function isAccepted(value: unknown): boolean {
  try {
    parseBundleManifest(Buffer.from(JSON.stringify(value)), undefined)
    return true
  } catch (error) {
    assert.ok(error instanceof Refusal)
    return false
  }
}

const start = ['./app']
const samples: readonly [value: unknown, isGood: boolean][] = [
  [{ start }, true],
  [{ start: ['./app', '', '${PORT}'], stopSeconds: 0.5, sandbox: {} }, true],
  [{ start, health: { http: 'http://127.0.0.1:80/', windowSeconds: 86_400 } }, true],
  [{ start, health: { exec: ['./probe'] } }, true],
  [{ start, health: {} }, true],
  [{ start, variables: { onChange: 'signal', defaults: { A_1: 'x'.repeat(4096) } } }, true],
  [{}, false],
  [[], false],
  ['./app', false],
  [{ start: './app' }, false],
  [{ start: [] }, false],
  [{ start: [''] }, false],
  [{ start: ['A=b'] }, false],
  [{ start: ['./app', 1] }, false],
  [{ start: ['./app', 'a\0b'] }, false],
  [{ start: ['./app', 'x'.repeat(8193)] }, false],
  [{ start: Array.from({ length: 257 }, () => 'x') }, false],
  [{ start, strat: [] }, false],
  [{ start, sandbox: { isolated: true } }, false],
  [{ start, health: { http: 'http://a/', exec: ['./b'] } }, false],
  [{ start, health: { http: 7 } }, false],
  [{ start, health: { exec: [] } }, false],
  [{ start, health: { url: 'http://a/' } }, false],
  [{ start, health: { windowSeconds: 0 } }, false],
  [{ start, stopSeconds: '20' }, false],
  [{ start, stopSeconds: 86_401 }, false],
  [{ start, variables: { onChange: 'reload' } }, false],
  [{ start, variables: { values: {} } }, false],
  [{ start, variables: { defaults: [] } }, false],
  [{ start, variables: { defaults: { lower: 'x' } } }, false],
  [{ start, variables: { defaults: { A: 1 } } }, false],
  [{ start, variables: { defaults: { A: 'x'.repeat(4097) } } }, false],
  [
    {
      start,
      variables: {
        defaults: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`A${i}`, ''])),
      },
    },
    false,
  ],
]

test('B10 the schema of seaworthy.json accepts and refuses what a device accepts and refuses', () => {
  for (const [value, isGood] of samples) {
    const shown = JSON.stringify(value).slice(0, 100)
    assert.equal(isAccepted(value), isGood, `the parser: ${shown}`)
    assert.equal(fits(bundleManifestSchema, value), isGood, `the schema: ${shown}`)
  }
})

test('B10 every member that the schema has is accepted with its default and its examples', () => {
  const members = bundleManifestSchema.properties
  const groups = { health: members.health.properties, variables: members.variables.properties }
  for (const [group, known] of Object.entries(groups)) {
    for (const [name, schema] of Object.entries<JsonSchema>(known)) {
      const values = [...(schema.examples ?? []), schema.default].filter((one) => one !== undefined)
      assert.ok(values.length > 0, `${group}.${name} has a default or an example`)
      for (const value of values) {
        const manifest = { start, [group]: { [name]: value } }
        assert.ok(isAccepted(manifest) && fits(bundleManifestSchema, manifest), `${group}.${name}`)
      }
    }
  }
})
