/** The registry's questions, put to `app` in the name of whoever asks. */
import type { IncomingMessage } from 'node:http'
import type { Actor } from '../app/actors.ts'
import type { App } from '../app/app.ts'
import { decideRegistryAccess, recordRegistryChange, tradeCredential } from '../app/registry.ts'
import { listNeededDigests } from '../app/releases.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { bearerOf } from './authenticate.ts'
import { HttpError } from './problems.ts'
import type {
  AuthorizeResult,
  RegistryAccess,
  RegistryPorts,
  TokenRequest,
} from './registry/index.ts'

const uploadBytesMax = 64 * 1024 ** 3
const service = 'seaworthy'

export function createRegistryPorts(app: App, limiter: AttemptLimiter): RegistryPorts<Actor> {
  return {
    store: app.store,
    service,
    uploadBytesMax,
    log: app.log,
    authorize: (request, access) => authorize(app, limiter, request, access),
    issueToken: (request) => issueToken(app, limiter, request),
    onEvent: ({ kind, actor, repository, ...facts }) =>
      recordRegistryChange(app, { kind, actor, repository, facts }),
    roots: () => listNeededDigests(app),
    tokenUrl: (request) => `https://${request.headers.host ?? 'localhost'}/v2/token`,
  }
}

async function authorize(
  app: App,
  limiter: AttemptLimiter,
  request: IncomingMessage,
  access: RegistryAccess,
): Promise<AuthorizeResult<Actor>> {
  const now = app.clock.now()
  const bearer = readBearer(request)
  if (bearer === undefined) return { kind: 'unauthorized' }
  const decision = await decideRegistryAccess(app, bearer, access, now)
  switch (decision.kind) {
    case 'allowed':
    case 'denied':
      return decision
    case 'not_asked':
      return { kind: 'unauthorized' }
    case 'unknown':
      return isBarred(limiter, request)
        ? { kind: 'too_many_requests', retryAfterSeconds: 60 }
        : { kind: 'unauthorized' }
  }
}

function readBearer(request: IncomingMessage): string | undefined {
  try {
    return bearerOf(request)
  } catch (error) {
    if (error instanceof HttpError) return undefined
    throw error
  }
}

/** Counts a wrong credential; true when there were too many. */
function isBarred(limiter: AttemptLimiter, request: IncomingMessage): boolean {
  try {
    limiter.countWrong(request.socket.remoteAddress ?? '')
    return false
  } catch (error) {
    if (error instanceof HttpError) return true
    throw error
  }
}

async function issueToken(app: App, limiter: AttemptLimiter, token: TokenRequest) {
  const { secret, scopes, request } = token
  if (secret === undefined) return undefined
  const issued = await tradeCredential(app, secret, scopes, app.clock.now())
  if (issued === undefined) isBarred(limiter, request)
  return issued
}
