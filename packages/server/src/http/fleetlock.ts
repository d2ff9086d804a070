/**
 * FleetLock v1 (coreos/zincati, docs/development/fleetlock/protocol.md): `POST
 * /fleetlock/v1/pre-reboot` and `/fleetlock/v1/steady-state`. The group is the fleet. Beyond the
 * protocol a credential is needed (Bearer, or Basic as in
 * `https://any:CREDENTIAL@host/fleetlock/`), and a full group is 423, not a server error. Never
 * rejects.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import { unreachable } from '@seaworthy/std/refusal'
import type { App } from '../app/app.ts'
import { anyone } from '../app/worker/index.ts'
import type { LockClient, SlotRefusal } from '../app/restarts/index.ts'
import { identifyLockClient, lockBeforeReboot, unlockWhenSteady } from '../app/restarts/index.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { readBytes } from './bodies.ts'
import { bodyLimits } from './limits.ts'
import { requireBudget } from './request-budgets.ts'
import { problemOf } from './problem-replies.ts'
import { sendBytes } from './request.ts'
import type { RawHandler } from './endpoint.ts'

const groupForm = /^[a-zA-Z0-9.-]{1,63}$/
/** A client's id is case-sensitive, and consists of any printable characters. */
const idForm = /^[\x21-\x7e]{1,128}$/

/**
 * An answer other than 200. `kind` is a bounded identifier of the protocol, `value` is for people.
 */
class FleetLockError extends Error {
  override readonly name = 'FleetLockError'
  readonly status: number
  readonly kind: string
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    kind: string,
    publicMessage: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(publicMessage)
    this.status = status
    this.kind = kind
    this.headers = headers
  }
}

export function createFleetLockHandler(app: App, attempts: AttemptLimiter): RawHandler {
  return {
    prefix: '/fleetlock/',
    methods: null,
    async answer(req, res, path) {
      try {
        await answerRequest(app, attempts, req, path)
        sendJson(res, 200, {}, {})
      } catch (error) {
        answerFailure(app, res, error)
      }
    },
  }
}

async function answerRequest(
  app: App,
  attempts: AttemptLimiter,
  req: IncomingMessage,
  path: string,
): Promise<void> {
  const isLock = path === '/fleetlock/v1/pre-reboot'
  if (!isLock && path !== '/fleetlock/v1/steady-state') {
    throw new FleetLockError(404, 'not_found', 'there is nothing at this address')
  }
  if (req.method !== 'POST') {
    throw new FleetLockError(405, 'method_not_allowed', 'send POST', { allow: 'POST' })
  }
  if (req.headers['fleet-lock-protocol'] !== 'true') {
    throw new FleetLockError(400, 'missing_header', 'send the header fleet-lock-protocol: true')
  }
  await admitSender(app, await authenticate(app, attempts, req))
  const { id, group } = parseBody(await readBytes(req, bodyLimits.fleetlock, app))
  // The key may have ended while the body was on its way.
  const client = await authenticate(app, attempts, req)
  if (group !== client.fleet) {
    throw new FleetLockError(
      403,
      'group_not_allowed',
      `the credential is not for the group ${group}: the group is the name of the credential’s fleet`,
    )
  }
  if (client.kind === 'client') await requireBudget(app, 'messages', `${client.key}/${id}`)
  if (isLock) {
    const answer = await lockBeforeReboot(app, client, id, app.clock.now())
    if (answer.kind === 'refused') throw refusalOf(answer.reason)
  } else if ((await unlockWhenSteady(app, client, id)) === 'not-healthy') {
    const message =
      'not yet: an update of this device has not ended; ask again once it is healthy or has failed'
    throw new FleetLockError(409, 'update_not_healthy', message)
  }
}

/**
 * Clients that share a key are counted together first, so that made-up ids cannot escape the count.
 */
async function admitSender(app: App, client: LockClient): Promise<void> {
  if (client.kind === 'device') await requireBudget(app, 'messages', client.device)
  else await requireBudget(app, 'messages-of-key', client.key)
}

async function authenticate(
  app: App,
  limiter: AttemptLimiter,
  req: IncomingMessage,
): Promise<LockClient> {
  const refusal = (message: string) =>
    new FleetLockError(401, 'unauthorized', message, {
      'www-authenticate': 'Basic realm="seaworthy"',
    })
  const credential = credentialOf(req.headers.authorization ?? '')
  if (credential === undefined) throw refusal('send a credential of the fleet or of the device')
  const client = await identifyLockClient(app, credential)
  if (client !== undefined) return client
  await limiter.countWrong(req, credential)
  throw refusal(
    'the credential is not valid here: send a key of the fleet, or the token of a device of another system; agents ask in their check-ins',
  )
}

function credentialOf(header: string): string | undefined {
  const match = /^(Bearer|Basic) ([A-Za-z0-9._~+/=-]{1,8192})$/i.exec(header)
  if (match === null) return undefined
  if (match[1]!.toLowerCase() === 'bearer') return match[2]
  const pair = Buffer.from(match[2]!, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.slice(colon + 1)
}

function parseBody(bytes: Uint8Array): { id: string; group: string } {
  const malformed = (what: string) => new FleetLockError(400, 'decode_error', what)
  let value: unknown
  try {
    value = parseAnyJson(bytes)
  } catch {
    throw malformed('the body is not JSON')
  }
  const parameters = (value as { client_params?: unknown } | null)?.client_params
  const { id, group } = (parameters ?? {}) as { id?: unknown; group?: unknown }
  if (typeof id !== 'string' || !idForm.test(id)) {
    throw malformed('client_params.id must be 1 to 128 printable characters')
  }
  if (typeof group !== 'string' || !groupForm.test(group)) {
    throw malformed('client_params.group must be the name of a fleet')
  }
  return { id, group }
}

function refusalOf(reason: SlotRefusal): FleetLockError {
  switch (reason) {
    case 'slots_taken':
      return new FleetLockError(423, 'slots_taken', 'all slots of the group are taken')
    case 'window_closed':
      return new FleetLockError(423, 'window_closed', 'restarts are not allowed at this time')
    case 'off':
      return new FleetLockError(423, 'restarts_off', 'restarts of this group are switched off')
    case 'device_left':
      return new FleetLockError(403, 'device_left', 'the device is no longer in the group')
    default:
      return unreachable(reason)
  }
}

function answerFailure(app: App, res: ServerResponse, error: unknown): void {
  if (error instanceof FleetLockError) {
    return sendJson(res, error.status, { kind: error.kind, value: error.message }, error.headers)
  }
  const { problem, headers, isBug } = problemOf(error)
  if (isBug) app.callerLog.error(anyone, 'fleetlock.failed', { error })
  sendJson(res, problem.status, { kind: problem.code, value: problem.detail }, headers)
}

function sendJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>>,
): void {
  const isUnread = !res.req.complete
  const all = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(isUnread ? { connection: 'close' } : {}),
    ...headers,
  }
  sendBytes(res, status, all, utf8Encode(JSON.stringify(value)))
}
