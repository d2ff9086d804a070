/**
 * `openapi.json` says exactly what is accepted: for values made from its schemas, and for values
 * spoilt in one place, a route's parser accepts what the schema accepts and refuses what it
 * refuses. The schemas are read here by a small separate reader.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { nothing } from '@seaworthy/api/route'
import type { Route } from '@seaworthy/api/route'
import { routes } from '@seaworthy/api/routes'
import { describeEndpoints } from './openapi.ts'
import { listEndpoints } from './endpoints.ts'
import { problemCodesOf } from './problem-codes.ts'
import { workProblems } from './work-problems.ts'
import { parsePart, readQuery } from './parse-part.ts'
import { HttpError } from './problems.ts'
import { parseJson } from './request.ts'
import { expectGolden } from '../../../../tools/golden.ts'
import type { ApiDocument } from '../testing/api-pages.ts'
import { renderApi } from '../testing/api-pages.ts'

interface Schema {
  $ref?: string
  type?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: Schema | boolean
  propertyNames?: Schema
  maxProperties?: number
  items?: Schema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  /** Keywords that say nothing about validity, or nothing that `pattern` does not say. */
  description?: string
  format?: string
  contentEncoding?: string
}

const known = new Set(
  `$ref type const enum anyOf oneOf properties required additionalProperties propertyNames maxProperties items minItems
   maxItems minLength maxLength pattern minimum maximum exclusiveMinimum description format contentEncoding`.split(
    /\s+/,
  ),
)

interface Operation {
  operationId: string
  security: Record<string, string[]>[]
  parameters: {
    name: string
    in: 'path' | 'query'
    required: boolean
    schema: Schema
    example: unknown
  }[]
  requestBody?: Content
  responses: Record<string, { content?: Partial<Content['content']> }>
}

interface Content {
  content: {
    'application/json': { schema: Schema; example: unknown }
    'application/problem+json': { examples: Record<string, { $ref: string }> }
  }
}

const endpoints = listEndpoints(() => true, true)
const document = JSON.parse(JSON.stringify(await describeEndpoints(endpoints, '0'))) as {
  servers: object[]
  security: object[]
  paths: Record<string, Record<string, Operation>>
  components: {
    examples: Record<string, { value: unknown }>
    schemas: Record<string, Schema>
    securitySchemes: object
  }
}
const operations = new Map(
  Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    .map((operation) => [operation.operationId, operation]),
)

const resolve = (schema: Schema): Schema =>
  schema.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').pop()!]!

function isValid(given: Schema, value: unknown): boolean {
  const schema = resolve(given)
  for (const word of Object.keys(schema))
    assert.ok(known.has(word), `the word ${word} is read here`)
  if (schema.const !== undefined && value !== schema.const) return false
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false
  if (schema.anyOf !== undefined && !schema.anyOf.some((one) => isValid(one, value))) return false
  if (
    schema.oneOf !== undefined &&
    schema.oneOf.filter((one) => isValid(one, value)).length !== 1
  ) {
    return false
  }
  switch (schema.type) {
    case undefined:
      return true
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'integer':
      return Number.isInteger(value) && isNumber(schema, value as number)
    case 'number':
      return typeof value === 'number' && isNumber(schema, value)
    case 'string':
      return typeof value === 'string' && isText(schema, value)
    case 'array':
      return (
        Array.isArray(value) &&
        value.length >= (schema.minItems ?? 0) &&
        value.length <= (schema.maxItems ?? Infinity) &&
        value.every((item) => isValid(schema.items!, item))
      )
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? isObject(schema, value as Record<string, unknown>)
        : false
    default:
      return assert.fail(schema.type)
  }
}

function isNumber({ minimum, maximum, exclusiveMinimum }: Schema, value: number): boolean {
  return (
    value >= (minimum ?? -Infinity) &&
    value <= (maximum ?? Infinity) &&
    value > (exclusiveMinimum ?? -Infinity)
  )
}

function isText({ minLength, maxLength, pattern }: Schema, value: string): boolean {
  const length = Array.from(value).length
  return (
    length >= (minLength ?? 0) &&
    length <= (maxLength ?? Infinity) &&
    (pattern === undefined || new RegExp(pattern, 'u').test(value))
  )
}

function isObject(schema: Schema, value: Record<string, unknown>): boolean {
  const { properties = {}, required = [], additionalProperties = true, propertyNames } = schema
  const names = Object.keys(value)
  return (
    names.length <= (schema.maxProperties ?? Infinity) &&
    required.every((name) => Object.hasOwn(value, name)) &&
    names.every((name) => {
      if (propertyNames !== undefined && !isValid(propertyNames, name)) return false
      if (Object.hasOwn(properties, name)) return isValid(properties[name]!, value[name])
      return typeof additionalProperties === 'boolean'
        ? additionalProperties
        : isValid(additionalProperties, value[name])
    })
  )
}

function valueOf(given: Schema): fc.Arbitrary<unknown> {
  const schema = resolve(given)
  if (given.$ref?.endsWith('/Json')) return fc.jsonValue({ stringUnit: anyCodePoint, maxDepth: 3 })
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return fc.oneof(...choices.map(valueOf))
  switch (schema.type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.maxSafeInteger().map((n) => within(schema, n))
    case 'number':
      return fc.double({
        min: schema.minimum ?? schema.exclusiveMinimum ?? -1e9,
        max: schema.maximum ?? 1e9,
        minExcluded: schema.exclusiveMinimum !== undefined,
        noNaN: true,
      })
    case 'string':
      return textOf(schema)
    case 'array':
      return fc.array(valueOf(schema.items!), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      })
    case 'object':
      return objectOf(schema)
    case undefined:
    default:
      return assert.fail(JSON.stringify(schema))
  }
}

/** The numbers are as often on the edges as between them. */
function within({ minimum = -10, maximum = 1e6 }: Schema, n: number): number {
  if (n % 3 === 0) return minimum
  return n % 3 === 1 ? maximum : minimum + (Math.abs(n) % (maximum - minimum + 1))
}

/** Texts that may be longer, as whole records may, are made shorter: megabytes take minutes. */
const textMadeMax = 32_768

function textOf(schema: Schema): fc.Arbitrary<string> {
  const { pattern = '', minLength = 0, maxLength = 300 } = schema
  const isRight = (text: string) => isText(schema, text)
  if (schema.format === 'date-time') {
    return fc
      .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((at) => `${at.toISOString().slice(0, 19)}Z`)
  }
  if (pattern.includes('\\p{')) {
    const max = Math.min(maxLength, Number(/\{1,(\d+)\}/.exec(pattern)?.[1] ?? maxLength))
    const madeMax = Math.min(max, textMadeMax)
    const anyText = fc.string({ unit: anyCodePoint, minLength, maxLength: madeMax })
    // The longest text there is, of characters that take two units in JavaScript.
    return fc.oneof(anyText.filter(isRight), fc.constant('𝒳'.repeat(madeMax)))
  }
  return fc.stringMatching(new RegExp(pattern.replace(/\(\?!.*?\)\$\)/, ''))).filter(isRight)
}

function objectOf(schema: Schema): fc.Arbitrary<unknown> {
  const { properties, required = [], additionalProperties, propertyNames } = schema
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, one]) => [name, valueOf(one)] as const)
    return fc.record(Object.fromEntries(fields), { requiredKeys: required })
  }
  if (typeof additionalProperties !== 'object') return fc.constant({})
  const maxKeys = Math.min(schema.maxProperties ?? 5, 5)
  return fc.dictionary(textOf(propertyNames ?? { type: 'string' }), valueOf(additionalProperties), {
    maxKeys,
  })
}

const odd = fc.constantFrom<unknown[]>(
  ...[null, true, 0, -1, 1.5, 1e9, 1e15, 2 ** 53, [], {}, { x: 1 }, [1], '', ' ', 'x'.repeat(3000)],
  ...['root', 'Root', 'ä', '\0', '\ud800', '𝒳'.repeat(150), '12', '2030-02-30T00:00:00Z', 'a\n'],
  ...['2030-01-01T00:00:00+01:00', '2030-01-01T00:00:00.5Z', 'Mars/Base', 'AAA', 'sha256:00'],
)

/** The same value with one place replaced or removed, or with a member added. */
function spoil(value: unknown, at: number, how: number, by: unknown): unknown {
  const places: { holder: Record<string, unknown>; name: string }[] = []
  const root = { value: structuredClone(value) }
  const walk = (holder: Record<string, unknown>) => {
    for (const name of Object.keys(holder)) {
      places.push({ holder, name })
      const below = holder[name]
      if (typeof below === 'object' && below !== null) walk(below as Record<string, unknown>)
    }
  }
  walk(root)
  const { holder, name } = places[at % places.length]!
  const target = holder[name]
  if (how === 0 && holder !== root && !Array.isArray(holder)) delete holder[name]
  else if (how === 1 && typeof target === 'object' && target !== null && !Array.isArray(target)) {
    Object.assign(target, { [typeof by === 'string' ? by : 'extra']: by })
  } else holder[name] = by
  return root.value
}

function accepts(act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    assert.ok(error instanceof HttpError && error.code === 'invalid_request', String(error))
    return false
  }
}

/** Checks that the two agree on good and spoilt values. */
function compare(name: string, schema: Schema, parse: (value: unknown) => void): void {
  const value = valueOf(schema)
  const spoilt = fc
    .tuple(value, fc.nat(200), fc.nat(2), odd)
    .map(([whole, at, how, by]) => spoil(whole, at, how, by))
  let refusedCount = 0
  fc.assert(
    fc.property(fc.oneof(value, spoilt), (any) => {
      const expected = isValid(schema, any)
      if (!expected) refusedCount++
      const text = JSON.stringify(any)
      assert.equal(
        accepts(() => parse(any)),
        expected,
        `${name}: ${text?.slice(0, 500)}`,
      )
    }),
    { numRuns: 300 },
  )
  assert.ok(refusedCount > 0, `${name}: something was refused`)
}

const operationOf = ({ name }: Route) => operations.get(name)!

test('O1 openapi: a body is taken if and only if its schema says so, for every route (property)', () => {
  let count = 0
  for (const route of routes) {
    const schema = operationOf(route).requestBody?.content['application/json'].schema
    assert.equal(schema === undefined, route.body === nothing, route.name)
    if (schema === undefined) continue
    count++
    compare(route.name, schema, (value) =>
      parsePart(route.body, parseJson(JSON.stringify(value)), 'body'),
    )
  }
  assert.ok(count > 15, `${count} bodies`)
})

test('O1 openapi: parameters are taken if and only if their schemas say so, for every route (property)', () => {
  for (const route of routes) {
    for (const place of ['path', 'query'] as const) {
      const listed = operationOf(route).parameters.filter((one) => one.in === place)
      if (listed.length === 0) continue
      const properties = Object.fromEntries(listed.map((one) => [one.name, one.schema]))
      const required = listed.filter((one) => one.required).map((one) => one.name)
      const schema = { type: 'object', properties, required, additionalProperties: false }
      // In a query a number is text, written in the one way that JSON has for whole numbers.
      compare(`${route.name} ${place}`, schema, (value) => {
        if (!isRecord(value)) throw new HttpError('invalid_request', 'only objects can be written')
        const written = Object.entries(value).map(([name, one]) => {
          const isWritable = ['string', 'number'].includes(typeof one)
          if (!isWritable || (typeof one === 'string') !== (properties[name]?.type !== 'integer')) {
            throw new HttpError('invalid_request', 'cannot be written, or would be read as another')
          }
          return [name, String(one)]
        })
        parsePart(route[place === 'path' ? 'params' : 'query'], Object.fromEntries(written), place)
      })
    }
  }
})

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

test('O1 a number in a query is written in one way, and a parameter is given once', () => {
  const list = routes.find(({ name }) => name === 'fleet.list')!
  const read = (query: string) => parsePart(list.query, readQuery(query), 'query')
  assert.deepEqual(read('limit=7'), { limit: 7 })
  for (const limit of ['', '0', '007', '+7', '%207', '7.0', '7e0', '0x7', '1001', '-1', 'true']) {
    assert.ok(!accepts(() => read(`limit=${limit}`)), limit)
  }
  assert.ok(!accepts(() => read('limit=7&limit=8')))
})

test('openapi names its server, and for every route what must be sent with a request', () => {
  assert.deepEqual(document.servers, [{ url: '/' }])
  const schemes = Object.keys(document.components.securitySchemes)
  for (const route of routes) {
    const names = operationOf(route).security.flatMap((one) => Object.keys(one))
    assert.equal(names.length === 0, ['public', 'pairing', 'device-assertion'].includes(route.auth))
    for (const name of names) assert.ok(schemes.includes(name))
  }
  for (const one of document.security) assert.ok(schemes.includes(Object.keys(one)[0]!))
})

test('O1 openapi: every operation shows a request and an answer, which its schemas and the server take', () => {
  for (const route of routes) {
    const { parameters, requestBody, responses } = operationOf(route)
    for (const { name, schema, example } of parameters)
      assert.ok(isValid(schema, example), `${route.name}: ${name}`)
    const body = requestBody?.content['application/json']
    if (body !== undefined) {
      assert.ok(isValid(body.schema, body.example), `${route.name}: request`)
      parsePart(route.body, parseJson(JSON.stringify(body.example)), 'body')
    }
    const answer = responses[route.status]?.content?.['application/json']
    assert.equal(answer === undefined, route.status === 204, route.name)
    if (answer !== undefined) route.reply.parse(answer.example)
  }
})

test('O1 A4 openapi: every operation names the permission by which the server decides, and the codes it can refuse with', () => {
  const { examples, schemas } = document.components
  for (const { value } of Object.values(examples)) assert.ok(isValid(schemas['Problem']!, value))
  for (const { route, permission } of endpoints) {
    const { security, responses } = operationOf(route)
    for (const one of security) assert.deepEqual(Object.values(one), [[permission]], route.name)
    const codes = Object.values(responses).flatMap(({ content }) =>
      Object.keys(content?.['application/problem+json']?.examples ?? {}),
    )
    assert.deepEqual(codes.toSorted(), problemCodesOf(route, permission), route.name)
    for (const code of codes) assert.ok(examples[code], code)
  }
  assert.deepEqual(
    Object.keys(workProblems).toSorted(),
    routes.map(({ name }) => name).toSorted(),
    'problems are listed for the routes that there are',
  )
})

test('O1 docs/api says what openapi.json says', () => {
  const folder = new URL('../../../../docs/api/', import.meta.url)
  const pages = renderApi(document as unknown as ApiDocument)
  for (const [name, text] of pages) expectGolden(new URL(name, folder), text)
  assert.deepEqual(readdirSync(folder).toSorted(), [...pages.keys()].toSorted())
})
