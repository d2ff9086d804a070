/** openapi.json, generated from the routes. */
import { z } from 'zod'
import { problemMediaType, problemSchema } from './problems.ts'
import type { Route, RouteAuth } from './route.ts'

/**
 * OpenAPI 3.1 document of the given routes; deterministic, so that it can be compared as a golden
 * file.
 */
export function describeRoutes(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = describeRoute(route)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Seaworthy',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    // The server is the one that the document itself came from.
    servers: [{ url: '/' }],
    // The default for routes that say nothing; every route says something.
    security: [{ token: [] }],
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemSchema, 'output'), Json: storableJson },
      securitySchemes: {
        token: bearerOf('An API token, `sw_…`, of a person or a service.'),
        provisioningKey: bearerOf('A provisioning key, `swp_…`, with which devices join a fleet.'),
        device: bearerOf('The access token that a device gets for an assertion, for one hour.'),
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-seaworthy',
          description: 'The session of a person who has signed in with a browser.',
        },
      },
    },
  }
}

const bearerOf = (description: string) => ({ type: 'http', scheme: 'bearer', description })

/**
 * Credentials that a request carries besides its body, by the kind of caller. An assertion is in
 * the body.
 */
const security: Readonly<Record<RouteAuth, readonly object[]>> = {
  public: [],
  actor: [{ token: [] }, { session: [] }],
  session: [{ session: [] }],
  pairing: [],
  'provisioning-key': [{ provisioningKey: [] }],
  'device-assertion': [],
  device: [{ device: [] }],
}

function describeRoute(route: Route): object {
  const json = (schema: z.ZodType, io: 'input' | 'output') => ({
    content: { 'application/json': { schema: jsonSchema(schema, io) } },
  })
  const hasBody = !(route.body instanceof z.ZodUndefined)
  const hasReply = route.status !== 204
  return {
    operationId: route.name,
    summary: route.summary,
    security: security[route.auth],
    'x-seaworthy-auth': route.auth,
    ...(route.stepUp ? { 'x-seaworthy-step-up': true } : {}),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(hasBody ? { requestBody: { required: true, ...json(route.body, 'input') } } : {}),
    responses: {
      [route.status]: { description: 'done', ...(hasReply ? json(route.reply, 'output') : {}) },
      default: {
        description: 'refused or failed',
        content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  }
}

function parameters(schema: z.ZodType, place: 'path' | 'query'): object[] {
  const described = jsonSchema(schema, 'input') as {
    properties?: Record<string, object>
    required?: string[]
  }
  return Object.entries(described.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || (described.required ?? []).includes(name),
    schema: property,
  }))
}

interface Schema {
  [name: string]: unknown
  type?: string
  pattern?: string
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io })
  return io === 'input' ? narrowTexts(rest as Schema) : rest
}

/** No request holds a NUL character or half of a surrogate pair: nothing could store or sign it. */
const storableText = '^[^\\u0000\\p{Cs}]*$'

/** Any JSON value whose texts can be stored. Servers take at most 64 levels. */
const storableJson = {
  description: 'Any JSON value, at most 64 levels deep, of texts without NUL and lone surrogates.',
  anyOf: [
    { type: 'null' },
    { type: 'boolean' },
    { type: 'number' },
    { type: 'string', pattern: storableText },
    { type: 'array', items: { $ref: '#/components/schemas/Json' } },
    {
      type: 'object',
      propertyNames: { type: 'string', pattern: storableText },
      additionalProperties: { $ref: '#/components/schemas/Json' },
    },
  ],
}

/**
 * The same schema, with what holds for every text of a request said where no pattern of its own
 * says it.
 */
function narrowTexts(schema: Schema): Schema {
  if (Object.keys(schema).length === 0) return { $ref: '#/components/schemas/Json' }
  const isFree = ['pattern', 'enum', 'const'].every((word) => schema[word] === undefined)
  const narrowed: Schema =
    schema.type === 'string' && isFree ? { ...schema, pattern: storableText } : { ...schema }
  for (const word of ['items', 'propertyNames', 'additionalProperties']) {
    const below = narrowed[word]
    if (typeof below === 'object') narrowed[word] = narrowTexts(below as Schema)
  }
  for (const word of ['anyOf', 'oneOf', 'allOf']) {
    const below = narrowed[word] as Schema[] | undefined
    if (below !== undefined) narrowed[word] = below.map(narrowTexts)
  }
  const properties = narrowed['properties'] as Record<string, Schema> | undefined
  if (properties !== undefined) {
    narrowed['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, below]) => [name, narrowTexts(below)]),
    )
  }
  return narrowed
}
