/** Holds the answers of servers in tests to what openapi.json says of them. */
import assert from 'node:assert/strict'
import type { ApiClient } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import type { Route } from '@seaworthy/api/route'

/**
 * The same client, which throws `AssertionError` instead of a problem that the description of the
 * route does not list.
 */
export function holdToDescription(client: ApiClient): ApiClient {
  return {
    async call(route, input) {
      try {
        return await client.call(route, input)
      } catch (error) {
        if (error instanceof ProblemError) await requireListed(route, error.code)
        throw error
      }
    },
  }
}

/** Throws `AssertionError` when the route does not list the code. A bug is never listed. */
export async function requireListed(route: Route, code: string): Promise<void> {
  // Most processes of tests never need all routes of the server.
  const { listEndpoints } = await import('../http/endpoints.ts')
  const { problemCodesOf } = await import('../http/problem-codes.ts')
  const endpoints = listEndpoints(() => true, true)
  const endpoint = endpoints.find((one) => one.route.name === route.name)
  const codes: readonly string[] =
    endpoint === undefined ? [] : problemCodesOf(endpoint.route, endpoint.permission)
  if (code === 'internal' || codes.includes(code)) return
  assert.fail(`${route.name} was refused with ${code}, which work-problems.ts does not list`)
}
