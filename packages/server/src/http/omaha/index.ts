/**
 * Omaha v3 for update_engine and the clients of Nebraska: `POST /omaha/v1/update` (with or without
 * a `/` at its end) and the files of what is offered. What a device gets is decided as for our own
 * agents; the client checks the payload's signature. Beyond the protocol each device has a
 * credential, which it sends as the password of its server's address (Basic) or in the path,
 * `/omaha/v1/update/TOKEN/`: so nothing here logs an address. Statuses other than 200 are for
 * strangers, for what is not XML, and for a server that cannot answer: clients then back off.
 * Everything else, policy above all, is stated in the document. Never rejects.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '@seaworthy/std/refusal'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { App, ForeignIdentity } from '../../app/app.ts'
import { policyOf } from '../../app/fleets/index.ts'
import type { ForeignState } from '../../app/foreign/index.ts'
import { isAppOf, findOfferedFile, admitMachine, takeStatement } from '../../app/foreign/index.ts'
import { anyone, slowedPollSeconds } from '../../app/worker/index.ts'
import { recordRefusal } from '../../app/access/index.ts'
import type { AttemptLimiter } from '../authenticate.ts'
import { readBytes } from '../bodies.ts'
import { requireBudget } from '../request-budgets.ts'
import { bodyLimits } from '../limits.ts'
import { HttpError } from '../problems.ts'
import { problemOf } from '../problem-replies.ts'
import { sendReleaseFile } from '../release-files.ts'
import { originOf, sendBytes } from '../request.ts'
import type { AppReply, AppStatus, CheckReply } from './replies.ts'
import { formatReply } from './replies.ts'
import type { OmahaApp, OmahaRequest } from './requests.ts'
import { parseOmahaRequest } from './requests.ts'
import { XmlError } from './xml.ts'
import type { RawHandler } from '../endpoint.ts'

const updatePath = /^\/omaha\/v1\/update(?:\/(swd_[0-9a-z_]{1,120}))?\/?$/
const filePath = /^\/omaha\/v1\/files\/([A-Za-z0-9._-]{1,2000})\/([^/]{1,256})$/
const versionForm = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/
const machineIdForm = /^[\x21-\x2e\x30-\x7e]{1,64}$/

export function createOmahaHandler(app: App, attempts: AttemptLimiter): RawHandler {
  return {
    prefix: '/omaha/',
    methods: null,
    async answer(req, res, path) {
      try {
        await route(app, attempts, req, res, path)
      } catch (error) {
        answerFailure(app, res, error)
      }
    },
  }
}

async function route(
  app: App,
  attempts: AttemptLimiter,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): Promise<void> {
  const file = filePath.exec(path)
  if (file !== null) return sendFile(app, req, res, file[1]!, file[2]!)
  const update = updatePath.exec(path)
  if (update === null) throw new HttpError('route_not_found', 'there is nothing at this address')
  requireMethod(req, 'POST')
  const identity = await identify(app, req, update[1])
  if (identity === undefined) {
    await attempts.countWrong(req, credentialOf(req, update[1]))
    return sendUnauthorized(res)
  }
  await requireBudget(app, 'messages', identity.deviceId)
  const origin = originOf(req)
  const request = parseBody(app, identity, await readBytes(req, bodyLimits.omaha, app))
  const replies = await answerRequest({ app, identity, origin, now: app.clock.now() }, request)
  if (replies === 'revoked') return sendUnauthorized(res)
  sendXml(res, 200, formatReply(replies))
}

function requireMethod(req: IncomingMessage, ...methods: string[]): void {
  if (methods.includes(req.method ?? '')) return
  const headers = { allow: methods.join(', ') }
  throw new HttpError('method_not_allowed', 'the method is not allowed here', { headers })
}

/**
 * Accepts the token of a device that speaks Omaha; headers that a proxy could set vouch for nobody.
 */
async function identify(
  app: App,
  req: IncomingMessage,
  tokenOfPath: string | undefined,
): Promise<ForeignIdentity | undefined> {
  const identity = await app.foreignIdentities.identifyDevice(credentialOf(req, tokenOfPath))
  return identity?.protocol === 'omaha' ? identity : undefined
}

function credentialOf(req: IncomingMessage, tokenOfPath: string | undefined): string {
  const basic = /^Basic ([A-Za-z0-9+/=]{1,512})$/i.exec(req.headers.authorization ?? '')
  const pair = basic === null ? '' : Buffer.from(basic[1]!, 'base64').toString('utf8')
  return tokenOfPath ?? pair.slice(pair.indexOf(':') + 1)
}

function parseBody(app: App, { deviceId }: ForeignIdentity, bytes: Uint8Array): OmahaRequest {
  try {
    return parseOmahaRequest(decodeText(bytes))
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1')
    app.callerLog.warn(deviceId, 'omaha.malformed', { device: deviceId, error, head })
    throw new HttpError('invalid_request', `the body is not an Omaha request: ${error.message}`, {
      cause: error,
    })
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes)
  } catch (cause) {
    throw new XmlError('it is not UTF-8', { cause })
  }
}

interface Call {
  readonly app: App
  readonly identity: ForeignIdentity
  readonly origin: string
  readonly now: Date
}

/** Every app is answered. The device is the first app that is of its fleet's product. */
async function answerRequest(
  call: Call,
  { protocol, apps }: OmahaRequest,
): Promise<AppReply[] | 'revoked'> {
  const { app, identity, now } = call
  const replies: AppReply[] = []
  let machine: { readonly id: string; readonly state: ForeignState | 'other-machine' } | undefined
  let hasAnswered = false
  for (const asked of apps) {
    if (!protocol.startsWith('3.')) {
      replies.push(refuse(asked, 'ok', 'error-unsupportedProtocol'))
      continue
    }
    if (!machineIdForm.test(asked.machineId)) {
      replies.push(refuse(asked, 'error-internal'))
      continue
    }
    // Every app is of the machine that it names: one that sends several ids is asked about each.
    if (machine?.id !== asked.machineId) {
      const state = await admitMachine(app, identity, asked.machineId, now)
      if (state === 'revoked') return 'revoked'
      if (state === 'other-machine') await recordOtherMachine(call, asked)
      machine = { id: asked.machineId, state }
    }
    const { state } = machine
    if (state === 'other-machine') {
      replies.push(refuse(asked, 'restricted'))
      continue
    }
    const fleet = await policyOf(app, state.fleet)
    if (!isAppOf(app.omahaApps, fleet.product, asked.appId)) {
      replies.push(refuse(asked, 'error-unknownApplication'))
    } else if (!versionForm.test(asked.version)) {
      replies.push(refuse(asked, 'error-invalidVersion'))
    } else if (hasAnswered) {
      const pollSeconds = slowedPollSeconds(app, fleet.pollSeconds)
      replies.push(accept(asked, { status: 'noupdate', pollSeconds }))
    } else {
      hasAnswered = true
      replies.push(accept(asked, await answerApp(call, state, asked)))
    }
  }
  return replies
}

async function answerApp(call: Call, state: ForeignState, asked: OmahaApp): Promise<CheckReply> {
  const { app, identity, origin, now } = call
  const { fleet, offer } = await takeStatement(app, identity, state, asked, asked.isCheck, now)
  const pollSeconds = slowedPollSeconds(app, fleet.pollSeconds)
  if (offer === null) return { status: 'noupdate', pollSeconds }
  return { status: 'ok', pollSeconds, offer, codebase: `${origin}/omaha/v1/files/${offer.token}/` }
}

function accept({ appId, events, hasPing, isCheck }: OmahaApp, check: CheckReply): AppReply {
  const eventsCount = events.length
  return { appId, status: 'ok', eventsCount, hasPing, check: isCheck ? check : null }
}

function refuse(
  { appId, isCheck }: OmahaApp,
  status: AppStatus,
  checkStatus: 'error-internal' | 'error-unsupportedProtocol' = 'error-internal',
): AppReply {
  const check: CheckReply | null = isCheck ? { status: checkStatus, pollSeconds: null } : null
  return { appId, status, eventsCount: 0, hasPing: false, check }
}

/** This is never answered, only recorded: the protocol has no word for it. */
type OmahaRefusal = 'other_machine'

/**
 * The credential was copied, or the machine was set up anew: nothing it says is believed, and a
 * person should investigate.
 */
async function recordOtherMachine({ app, identity }: Call, asked: OmahaApp): Promise<void> {
  const { deviceId } = identity
  const refusal = new Refusal<OmahaRefusal>(
    'other_machine',
    'the token was first used by another machine',
  )
  await recordRefusal(app, refusal, {
    actor: { kind: 'device', id: deviceId },
    action: 'omaha.update',
    subject: `${deviceId}/${asked.machineId}`,
  })
}

/**
 * Sends the file whole or in ranges. update_engine sends no credential with this request; the
 * address is valid for hours. Writes nothing.
 */
async function sendFile(
  app: App,
  req: IncomingMessage,
  res: ServerResponse,
  token: string,
  encodedName: string,
): Promise<void> {
  requireMethod(req, 'GET', 'HEAD')
  const name = decodeName(encodedName)
  const file =
    name === undefined ? undefined : await findOfferedFile(app, token, name, app.clock.now())
  if (file === undefined) throw new HttpError('route_not_found', 'there is nothing at this address')
  await sendReleaseFile(app.store, req, res, file)
}

function decodeName(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

function sendUnauthorized(res: ServerResponse): void {
  const headers = {
    'content-length': '0',
    'www-authenticate': 'Basic realm="seaworthy"',
    ...(res.req.complete ? {} : { connection: 'close' }),
  }
  res.writeHead(401, headers).end()
}

function answerFailure(app: App, res: ServerResponse, error: unknown): void {
  const { problem, headers, isBug } = problemOf(error)
  // The address is not logged, because it may hold a credential.
  if (isBug) app.callerLog.error(anyone, 'omaha.failed', { error })
  if (res.headersSent) {
    res.destroy()
    return
  }
  sendXml(res, problem.status, formatReply([]), headers)
}

function sendXml(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const all = {
    'content-type': 'text/xml; charset=utf-8',
    'cache-control': 'no-store',
    ...(res.req.complete ? {} : { connection: 'close' }),
    ...headers,
  }
  sendBytes(res, status, all, utf8Encode(text))
}
