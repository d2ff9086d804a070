/**
 * What openapi.json says of the routes: their contract, and the rules by which this server decides.
 * Each rule is taken from where the server takes it.
 */
import { describeRoutes } from '@seaworthy/api/openapi'
import type { RouteRules } from '@seaworthy/api/openapi'
import { resources } from '@seaworthy/api/routes'
import { guarded } from './effects.ts'
import type { Endpoint } from './endpoint.ts'
import { isForStrangers } from './may-call.ts'
import { problemCodesOf } from './problem-codes.ts'
import { describeProblem } from './problems.ts'

/** Other requests are answered meanwhile. */
export function describeEndpoints(
  endpoints: readonly Endpoint[],
  version: string,
): Promise<object> {
  const byName = new Map(endpoints.map((endpoint) => [endpoint.route.name, endpoint]))
  return describeRoutes(resources, version, ({ name }) => rulesOf(byName.get(name)!), nextTurn)
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

function rulesOf({ route, permission }: Endpoint): RouteRules {
  const approvals: Readonly<Record<string, string>> = guarded
  return {
    permission: isForStrangers(route) ? null : permission,
    approval: approvals[route.name] ?? null,
    problems: problemCodesOf(route, permission).map((code) => ({
      code,
      ...describeProblem(code),
    })),
  }
}
