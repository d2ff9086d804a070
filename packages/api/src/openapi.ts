/** openapi.json, generated from the routes. */
import { z } from 'zod'
import { exampleOf } from './examples.ts'
import { problemMediaType, problemSchema, problemType } from './problems.ts'
import type { Route, RouteAuth } from './route.ts'

/** What the server that answers a route knows of it beyond the contract. */
export interface RouteRules {
  /** The permission that the caller needs; `null` where nobody is signed in yet. */
  readonly permission: string | null
  /** The kind of effect for which rules may ask another person's approval. */
  readonly approval: string | null
  readonly problems: readonly DescribedProblem[]
}

export interface DescribedProblem {
  readonly code: string
  readonly status: number
  readonly title: string
}

/**
 * OpenAPI 3.1 document of the routes of each resource; deterministic, so that it can be compared as
 * a golden file. It takes a processor half a second and more, so `pause` is awaited after each
 * resource.
 */
export async function describeRoutes(
  resources: Readonly<Record<string, readonly Route[]>>,
  version: string,
  rulesOf: (route: Route) => RouteRules,
  pause: () => Promise<void>,
): Promise<object> {
  const paths: Record<string, Record<string, object>> = {}
  const problems = new Map<string, DescribedProblem>()
  for (const [resource, routes] of Object.entries(resources)) {
    for (const route of routes) {
      const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}')
      const rules = rulesOf(route)
      for (const one of rules.problems) problems.set(one.code, one)
      paths[path] ??= {}
      paths[path][route.method.toLowerCase()] = describeRoute(resource, route, rules)
    }
    await pause()
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
    tags: Object.keys(resources).map((name) => ({ name })),
    // The default for routes that say nothing; every route says something.
    security: [{ token: [] }],
    paths,
    components: {
      examples: describeProblems([...problems.values()]),
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

/** One example of a problem document for each code. */
function describeProblems(problems: readonly DescribedProblem[]): Record<string, object> {
  const sorted = problems.toSorted((a, b) => (a.code < b.code ? -1 : 1))
  return Object.fromEntries(
    sorted.map(({ code, status, title }) => [
      code,
      {
        summary: title,
        value: { type: problemType(code), title, status, code, detail: `${title}.` },
      },
    ]),
  )
}

/**
 * Credentials that a request carries besides its body, by the kind of caller. An assertion is in
 * the body.
 */
const security: Readonly<Record<RouteAuth, readonly string[]>> = {
  public: [],
  actor: ['token', 'session'],
  session: ['session'],
  pairing: [],
  'provisioning-key': ['provisioningKey'],
  'device-assertion': [],
  device: ['device'],
}

function describeRoute(
  resource: string,
  route: Route,
  { permission, approval, problems }: RouteRules,
): object {
  const needed = permission === null ? [] : [permission]
  const hasBody = !(route.body instanceof z.ZodUndefined)
  const hasReply = route.status !== 204
  return {
    operationId: route.name,
    tags: [resource],
    summary: route.summary,
    // OpenAPI 3.1 has a place for what the caller must be allowed to do.
    security: security[route.auth].map((scheme) => ({ [scheme]: needed })),
    'x-seaworthy-auth': route.auth,
    ...(route.stepUp ? { 'x-seaworthy-step-up': true } : {}),
    ...(approval === null ? {} : { 'x-seaworthy-approval': approval }),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(hasBody ? { requestBody: { required: true, ...json(route.body, 'input', resource) } } : {}),
    responses: {
      [route.status]: {
        description: hasReply ? 'What was asked for.' : 'Done; there is nothing to say.',
        ...(hasReply ? json(route.reply, 'output', resource) : {}),
      },
      ...refusals(problems),
      default: {
        description: 'The server made a mistake (`internal`), or is newer than this document.',
        content: { [problemMediaType]: { schema: problemReference } },
      },
    },
  }
}

function json(schema: z.ZodType, io: 'input' | 'output', resource: string) {
  const example = exampleOf(schema, { members: io === 'input' ? 'required' : 'all', resource })
  return { content: { 'application/json': { schema: jsonSchema(schema, io), example } } }
}

const problemReference = { $ref: '#/components/schemas/Problem' }

/** An answer for each status, which names the codes that it can have. */
function refusals(problems: readonly DescribedProblem[]): Record<string, object> {
  const byStatus = Map.groupBy(problems, ({ status }) => status)
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map(({ code, title }) => `\`${code}\`: ${title}.`).join(' '),
        content: {
          [problemMediaType]: {
            schema: problemReference,
            examples: Object.fromEntries(
              list.map(({ code }) => [code, { $ref: `#/components/examples/${code}` }]),
            ),
          },
        },
      },
    ]),
  )
}

function parameters(schema: z.ZodType, place: 'path' | 'query'): object[] {
  const described = jsonSchema(schema, 'input') as {
    properties?: Record<string, object>
    required?: string[]
  }
  const examples = exampleOf(schema) as Record<string, unknown>
  return Object.entries(described.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || (described.required ?? []).includes(name),
    schema: property,
    example:
      'type' in property && property.type === 'integer' ? Number(examples[name]) : examples[name],
  }))
}

interface Schema {
  [name: string]: unknown
  type?: string | string[]
  pattern?: string
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io })
  return io === 'input' ? narrowTexts(rest) : spellOut(rest)
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
  const narrowed = schema.type === 'string' && isFree ? { pattern: storableText } : {}
  return changeBelow({ ...schema, ...narrowed }, narrowTexts)
}

/** The same schema, with a choice of types as generators of clients read it. */
function spellOut(schema: Schema): Schema {
  const { type, ...rest } = schema
  const types = Array.isArray(type) ? type.filter((one) => one !== 'null') : []
  if (types.length < 2) return changeBelow(schema, spellOut)
  return { ...rest, anyOf: (type as string[]).map((one) => ({ type: one })) }
}

/** The same schema, with those that it is made of changed. */
function changeBelow(schema: Schema, change: (below: Schema) => Schema): Schema {
  const changed: Schema = { ...schema }
  for (const word of ['items', 'propertyNames', 'additionalProperties']) {
    const below = schema[word]
    if (typeof below === 'object') changed[word] = change(below as Schema)
  }
  for (const word of ['anyOf', 'oneOf', 'allOf']) {
    const below = schema[word] as Schema[] | undefined
    if (below !== undefined) changed[word] = below.map(change)
  }
  const properties = schema['properties'] as Record<string, Schema> | undefined
  if (properties !== undefined) {
    changed['properties'] = Object.fromEntries(
      Object.entries(properties).map(([name, below]) => [name, change(below)]),
    )
  }
  return changed
}
