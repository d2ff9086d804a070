/** openapi.json, generated from the routes. */
import { z } from 'zod'
import { problemMediaType, problemSchema } from './problems.ts'
import type { Route } from './route.ts'

/** OpenAPI 3.1 document of the given routes; deterministic, so that it can be compared as a golden file. */
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
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemSchema, 'output') },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  }
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
    ...(route.auth === 'public'
      ? {}
      : { security: [{ bearer: [] }], 'x-seaworthy-auth': route.auth }),
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

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}
