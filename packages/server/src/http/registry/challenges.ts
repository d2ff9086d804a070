/**
 * Decides who may go on, and tells a client that may not yet what to ask for (distribution, "token
 * authentication").
 */
import type { IncomingMessage } from 'node:http'
import { unreachable } from '@seaworthy/std/refusal'
import { RegistryError, tooManyRequests } from './errors.ts'
import type { RegistryAccess, RegistryAction, RegistryPorts } from './ports.ts'

/** Access to one repository. */
export type Needed = Exclude<RegistryAccess, { repository: null }>

export const pullOf = (repository: string): Needed => ({ repository, action: 'pull' })

/**
 * The actor of the request if it may do this; otherwise throws 401, 403 or 429. The challenge of a
 * 401 also names `alsoNeeded`, because clients ask for a token with exactly what the challenge
 * names.
 */
export async function requireAccess<Actor>(
  ports: RegistryPorts<Actor>,
  request: IncomingMessage,
  access: RegistryAccess,
  alsoNeeded: readonly Needed[] = [],
): Promise<Actor> {
  const result = await ports.authorize(request, access)
  switch (result.kind) {
    case 'allowed':
      return result.actor
    case 'unauthorized':
      throw challenge(ports, request, access.repository === null ? [] : [access, ...alsoNeeded])
    case 'denied':
      throw new RegistryError(403, 'DENIED', 'not allowed')
    case 'too_many_requests':
      throw tooManyRequests(result.retryAfterSeconds)
    default:
      return unreachable(result)
  }
}

export function challenge<Actor>(
  ports: RegistryPorts<Actor>,
  request: IncomingMessage,
  needed: readonly Needed[],
): RegistryError {
  const scopes = needed.map(
    ({ repository, action }) => `repository:${repository}:${scopeActions[action]}`,
  )
  const scope = scopes.length === 0 ? '' : `,scope="${scopes.join(' ')}"`
  const bearer = `Bearer realm="${ports.tokenUrl(request)}",service="${ports.service}"${scope}`
  return new RegistryError(401, 'UNAUTHORIZED', 'credentials are needed', {
    headers: { 'www-authenticate': bearer },
  })
}

const scopeActions: Readonly<Record<RegistryAction, string>> = {
  pull: 'pull',
  push: 'pull,push',
  delete: 'pull,push,delete',
}
