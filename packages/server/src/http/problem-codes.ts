/**
 * The problem codes that each route can answer with, which openapi.json and docs/api tell clients:
 * what follows from how a route is called, and what its work refuses (`work-problems.ts`). The
 * client of the tests lets no answer pass that has another code (`testing/people.ts`).
 */
import { nothing } from '@seaworthy/api/route'
import type { Route } from '@seaworthy/api/route'
import type { Permission } from '@seaworthy/fleet/access'
import { guarded } from './effects.ts'
import type { KnownCode } from './problems.ts'
import { workProblems } from './work-problems.ts'

/** Every code with which a request of this route may be refused, in order of the alphabet. */
export function problemCodesOf(route: Route, permission: Permission): readonly KnownCode[] {
  const own = workProblems[route.name]
  if (own === undefined) throw new Error(`the problems of ${route.name} are not listed`)
  return [...new Set([...own, ...ofRequest(route, permission)])].toSorted()
}

/** What follows from how a route is called. */
function ofRequest(
  { auth, method, name, body, stepUp }: Route,
  permission: Permission,
): KnownCode[] {
  const hasBody = body !== nothing
  const isForStrangers = auth === 'public' || auth === 'pairing' || auth === 'device-assertion'
  const isOfDevice = auth === 'device' || auth === 'device-assertion' || auth === 'provisioning-key'
  const isPublicRead = auth === 'public' && method === 'GET'
  const isOfAccount = permission === 'account:self' && method !== 'GET' && method !== 'DELETE'
  return [
    'invalid_request',
    'unavailable',
    ...on(!isPublicRead, 'too_many_requests', 'two_credentials', 'request_cross_site'),
    ...on(hasBody, 'body_too_large', 'body_timed_out', 'unsupported_media_type'),
    ...on(!isForStrangers, 'unauthenticated', 'network_not_allowed', 'permission_denied'),
    ...on(!isForStrangers, 'credential_ended', 'rights_changed'),
    ...on(isOfDevice, 'overloaded'),
    ...on(stepUp, 'step_up_required'),
    ...on(isOfAccount, 'account_changes_too_often'),
    ...on(name in guarded, 'approval_required', 'approval_void'),
    ...on(name in guarded, 'approval_needs_person', 'approvals_too_many'),
  ]
}

const on = (condition: boolean, ...codes: readonly KnownCode[]) => (condition ? codes : [])
