/**
 * Checks the parts of a request against the schemas of its route: what `openapi.json` says is what
 * is accepted here (`openapi.test.ts`).
 */
import { cutText } from '@seaworthy/std/printable'
import type { Route } from '@seaworthy/api/route'
import { noMembers } from '@seaworthy/api/route'
import { findUnstorable } from './plain-json.ts'
import { HttpError } from './problems.ts'

/**
 * Throws `invalid_request` unless the value fits the schema; `parseJson` has already checked the
 * text of a body.
 */
export function parsePart(
  schema: Route['params'],
  value: unknown,
  place: 'path' | 'query' | 'body',
): unknown {
  // Most routes have this schema, which leaves nothing to check.
  if (schema === noMembers && isEmpty(value)) return value
  const fault = place === 'body' ? undefined : findUnstorable(value)
  if (fault !== undefined) throw new HttpError('invalid_request', `the ${place}: ${fault}`)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.slice(0, 20).map(({ path, message }) => ({
    path: cutText([place, ...path.map(String)].join('.'), 200),
    message: cutText(message, 300),
  }))
  const members = [...new Set(issues.map(({ path }) => path))].filter((path) => path !== place)
  const which = members.length === 0 ? `the ${place}` : members.slice(0, 3).join(', ')
  throw new HttpError('invalid_request', `not of the agreed form: ${which}`, { issues })
}

/** The parameters after `?`, each given once. */
export function readQuery(query: string): Readonly<Record<string, string>> {
  if (query === '') return {}
  const pairs = [...new URLSearchParams(query)]
  const values = Object.fromEntries(pairs)
  if (Object.keys(values).length === pairs.length) return values
  throw new HttpError('invalid_request', 'the query: a parameter is given more than once')
}

function isEmpty(value: unknown): boolean {
  for (const _ in value as object) return false
  return true
}
