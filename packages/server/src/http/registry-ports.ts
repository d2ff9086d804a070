/** The registry's questions, answered by roles, scopes and fleets. */
import type { IncomingMessage } from 'node:http'
import { permissionsOf, reachesProduct } from '@seaworthy/fleet/access'
import { minuteMs } from '@seaworthy/std/time'
import type { Actor } from '../app/actors.ts'
import type { App } from '../app/app.ts'
import { openToken, registryAudience, signToken } from '../app/device-tokens.ts'
import { listNeededDigests } from '../app/releases.ts'
import { appendAudit } from '../db/audit.ts'
import { getDevice } from '../db/devices.ts'
import { getFleet } from '../db/fleets.ts'
import { getToken } from '../db/tokens.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { bearerOf, identify } from './authenticate.ts'
import { HttpError } from './problems.ts'
import type {
  AuthorizeResult,
  RegistryAccess,
  RegistryAction,
  RegistryEvent,
  RegistryPorts,
  TokenRequest,
} from './registry/index.ts'

const tokenLifetimeMs = 5 * minuteMs
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
    onEvent: (event) => record(app, event),
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
  const address = request.socket.remoteAddress ?? ''
  const traded = openToken(app.secrets.registryTokenKey, registryAudience, bearer, now)
  const actor =
    traded === undefined
      ? await identify(app, bearer, now)
      : await findHolder(app, traded['sub'], now)
  if (actor === undefined) {
    return isBarred(limiter, address)
      ? { kind: 'too_many_requests', retryAfterSeconds: 60 }
      : { kind: 'unauthorized' }
  }
  if (access.repository === null) return { kind: 'allowed', actor }
  // A traded token has at most what was asked for when it was traded, and never more than its holder has now.
  const isAsked =
    traded === undefined || isWithin(traded['access'], access.repository, access.action)
  if (!isAsked) return { kind: 'unauthorized' }
  return (await mayUse(app, actor, access.repository, access.action))
    ? { kind: 'allowed', actor }
    : { kind: 'denied' }
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
function isBarred(limiter: AttemptLimiter, address: string): boolean {
  try {
    limiter.countWrong(address)
    return false
  } catch (error) {
    if (error instanceof HttpError) return true
    throw error
  }
}

function isWithin(granted: unknown, repository: string, action: RegistryAction): boolean {
  return (
    Array.isArray(granted) &&
    granted.some(
      (entry: { repository?: unknown; actions?: unknown }) =>
        entry.repository === repository &&
        Array.isArray(entry.actions) &&
        entry.actions.includes(action),
    )
  )
}

/** The holder of a traded token, if the credential it was traded for still stands. */
async function findHolder(app: App, id: unknown, now: Date): Promise<Actor | undefined> {
  if (typeof id !== 'string') return undefined
  if (id.startsWith('device_')) {
    return app.removedDevices.has(id) ? undefined : { kind: 'device', id }
  }
  const token = await getToken(app.db.reader, id)
  const isEnded =
    token === undefined || token.revokedAt !== null || token.expiresAt.getTime() <= now.getTime()
  return isEnded ? undefined : { kind: 'token', id, token }
}

/** Roles push and pull within their scope; a device pulls what its own fleet's product is made of (V4). */
async function mayUse(
  app: App,
  actor: Actor,
  repository: string,
  action: RegistryAction,
): Promise<boolean> {
  switch (actor.kind) {
    case 'token':
      return (
        permissionsOf(actor.token.role).includes(`registry:${action}`) &&
        reachesProduct(actor.token, repository)
      )
    case 'device': {
      if (action !== 'pull') return false
      const device = await getDevice(app.db.reader, actor.id)
      const fleet = device && (await getFleet(app.db.reader, device.fleet))
      return fleet?.product === repository
    }
    case 'provisioning-key':
    case 'anonymous':
      return false
  }
}

async function issueToken(app: App, limiter: AttemptLimiter, request: TokenRequest) {
  const { secret } = request
  if (secret === undefined) return undefined
  const now = app.clock.now()
  const address = request.request.socket.remoteAddress ?? ''
  const actor = await identify(app, secret, now)
  if (actor === undefined) {
    isBarred(limiter, address)
    return undefined
  }
  const access = []
  for (const { repository, actions } of request.scopes) {
    const allowed = []
    for (const action of actions) {
      if (await mayUse(app, actor, repository, action)) allowed.push(action)
    }
    access.push({ repository, actions: allowed })
  }
  const exp = Math.floor((now.getTime() + tokenLifetimeMs) / 1000)
  const token = signToken(app.secrets.registryTokenKey, registryAudience, {
    sub: actor.id,
    access,
    exp,
  })
  return { token, expiresInSeconds: tokenLifetimeMs / 1000, issuedAt: now }
}

async function record(app: App, event: RegistryEvent<Actor>): Promise<void> {
  const { kind, actor, repository, ...rest } = event
  const names = {
    manifest_put: 'registry.push',
    manifest_deleted: 'registry.delete-manifest',
    tag_deleted: 'registry.delete-tag',
    blob_deleted: 'registry.delete-blob',
  } as const
  const subject = 'digest' in event ? `${repository}@${event.digest}` : `${repository}:${event.tag}`
  await app.db.write((tx) =>
    appendAudit(tx, {
      at: app.clock.now(),
      actor: actor.id,
      action: names[kind],
      subject,
      outcome: 'done',
      detail: { repository, ...rest },
    }),
  )
}
