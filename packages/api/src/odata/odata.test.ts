import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import fc from 'fast-check'
import { entitySets, formatMetadata, readAddress, readQuestion, setsByName } from './index.ts'

const now = new Date('2026-01-01T00:00:00Z')
const read = (set: string, options: Record<string, string>) =>
  readQuestion(set, options, { now, pageSize: null })

const words = [
  ...['(', ')', ',', '/', ':', ';', '=', '*', "'x'", "'", '"', '1', '-', ' ', 'and', 'or', 'not('],
  ...['eq', 'ne', 'gt', 'in', 'any(', 'all(', 'd:', 'd/', 'null', 'true', 'now()', '$count', '$it'],
  ...['contains(', 'length(', 'id', 'fleet', 'name', 'inFleet', 'hasTags', 'hasDevices', '$filter'],
  ...['2026-01-01T00:00:00Z', "duration'PT1H'", 'sub', '__proto__', '\0', '𝒳', 'desc', 'NOT'],
]

test('A9 attack: whatever text is asked, it is read or refused by a code and a place (property)', () => {
  const text = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((list) => list.join(' '))
  const option = fc.constantFrom('$filter', '$expand', '$select', '$orderby', '$search', '$top')
  const set = fc.constantFrom(...setsByName.keys())
  fc.assert(
    fc.property(set, option, fc.oneof(text, fc.string()), (name, one, value) => {
      for (const ask of [() => read(name, { [one]: value }), () => readAddress(value)]) {
        try {
          ask()
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error))
          assert.match(error.code, /^odata_/)
          assert.match(error.message, /, character \d+: /)
        }
      }
    }),
    { numRuns: 2000 },
  )
})

test('A9 attack: the deepest and the longest question is refused at once', () => {
  const code = (options: Record<string, string>) => {
    try {
      read('devices', options)
      return 'read'
    } catch (error) {
      return error instanceof Refusal ? error.code : String(error)
    }
  }
  const nested = (depth: number) => `${'('.repeat(depth)}id eq 'x'${')'.repeat(depth)}`
  assert.equal(code({ $filter: nested(30) }), 'read')
  assert.equal(code({ $filter: nested(100) }), 'odata_too_large')
  assert.equal(code({ $filter: nested(4000) }), 'odata_too_large')
  assert.equal(code({ $filter: "id eq 'x' and ".repeat(500) + "id eq 'x'" }), 'read')
  assert.equal(code({ $filter: "id eq 'x' and ".repeat(800) }), 'odata_too_large')
  const deep = `inFleet($expand=hasDevices($top=1;$expand=${'inFleet($expand=hasDevices($top=1;$expand='.repeat(20)}`
  assert.equal(code({ $expand: deep }), 'odata_malformed')
})

test('A4 what stands in brackets may be a value, as the client of balena writes it', () => {
  const { question } = read('devices', {
    $filter: "registeredAt gt (now() sub duration'PT1H') and ((fleet) eq ('shops'))",
  })
  assert.deepEqual(question.filter, {
    kind: 'and',
    parts: [
      {
        kind: 'compare',
        op: 'gt',
        left: { ...propertyOf('registeredAt'), type: 'instant' },
        right: { kind: 'literal', type: 'instant', value: new Date(now.getTime() - 3_600_000) },
      },
      {
        kind: 'compare',
        op: 'eq',
        left: propertyOf('fleet'),
        right: { kind: 'literal', type: 'text', value: 'shops' },
      },
    ],
  })
})

const propertyOf = (name: string) => ({
  kind: 'property',
  type: 'text',
  path: { variable: 0, from: 'devices', links: [], set: 'devices' },
  name,
})

test('A4 $metadata says the type, the key and every property and link of each set', () => {
  const text = formatMetadata()
  for (const [name, set] of Object.entries(entitySets)) {
    assert.ok(text.includes(`<EntitySet Name="${name}" EntityType="Seaworthy.${set.type}">`))
    const type = text
      .slice(text.indexOf(`<EntityType Name="${set.type}">`))
      .split('</EntityType>')[0]!
    for (const key of set.key) assert.ok(type.includes(`<PropertyRef Name="${key}"/>`))
    for (const property of Object.keys(set.properties)) {
      assert.ok(type.includes(`<Property Name="${property}" `))
    }
    for (const [link, { to }] of Object.entries(set.links)) {
      assert.ok(type.includes(`<NavigationProperty Name="${link}" `))
      assert.ok(setsByName.has(to))
    }
  }
})
