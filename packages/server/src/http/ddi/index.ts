/**
 * hawkBit's Direct Device Integration API, version 1, for SWUpdate and RAUC's clients: their
 * requests and documents, our decisions. What a device may run is decided as for our own agents;
 * what it then installs it verifies by its own signatures, not by ours. Not here: the rules
 * (`app/foreign/ddi`), headers by which a proxy vouches for a device, confirmation by the device,
 * CBOR.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import {
  findMembership,
  isToCancel,
  answerPoll,
  findDeployment,
  mayInstall,
  takeAttributes,
  takeCancelFeedback,
  takeFeedback,
  takeInstalled,
} from '../../app/foreign/index.ts'
import type { App, ForeignIdentity } from '../../app/app.ts'
import type { ForeignState } from '../../app/foreign/index.ts'
import { slowedPollSeconds } from '../../app/worker/index.ts'
import type { ServerRefusal } from '../../app/refusals.ts'
import type { AttemptLimiter } from '../authenticate.ts'
import { HttpError } from '../problems.ts'
import { sendReleaseFile } from '../release-files.ts'
import { originOf, sendBytes } from '../request.ts'
import { requireBudget } from '../request-budgets.ts'
import type { Link } from './replies.ts'
import { viewBase, viewCancel, viewConfirmation, viewDeployment, viewFiles } from './replies.ts'
import {
  credentialOf,
  identifyController,
  parseActionId,
  parseAttributes,
  parseFeedback,
  parseInstalled,
  parseTarget,
  readObject,
} from './requests.ts'
import type { RawHandler } from '../endpoint.ts'

interface Call {
  readonly app: App
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly query: URLSearchParams
  readonly tenant: string
  readonly identity: ForeignIdentity
  readonly link: Link
  readonly now: Date
}

/** The tenant that every device may use besides the name of its fleet. */
const defaultTenant = 'DEFAULT'

export function createDdiHandler(app: App, attempts: AttemptLimiter): RawHandler {
  return {
    prefix: '/{tenant}/controller/v1/',
    matches: (path) => parseTarget(path) !== undefined,
    methods: ['GET', 'HEAD', 'POST', 'PUT'],
    async answer(req, res, path, query) {
      const { tenant, controllerId, rest } = parseTarget(path)!
      const now = app.clock.now()
      const identity = await identifyController(app, req, controllerId)
      if (identity === undefined) {
        app.metrics.refusals.add(1, 'unauthenticated')
        await attempts.countWrong(req, credentialOf(req))
        sendUnauthorized(res)
        return
      }
      const base = `${originOf(req)}/${encodeURIComponent(tenant)}/controller/v1/${encodeURIComponent(controllerId)}`
      const link: Link = (below) => ({ href: `${base}/${below}` })
      await route({ app, req, res, query, tenant, identity, link, now }, rest)
    },
  }
}

async function route(call: Call, rest: readonly string[]): Promise<void> {
  const [resource = '', id, action, ...deeper] = rest
  const method = call.req.method === 'HEAD' ? 'GET' : call.req.method
  if (deeper.length === 0) {
    switch (
      `${method} ${resource}${id === undefined ? '' : '/id'}${action === undefined ? '' : `/${action}`}`
    ) {
      case 'GET ':
        return sendBase(call)
      case 'PUT configData':
        return receiveAttributes(call)
      case 'GET deploymentBase/id':
      case 'GET installedBase/id':
        return sendDeployment(call, id!, resource)
      case 'POST deploymentBase/id/feedback':
        return receiveFeedback(call, id!, takeFeedback)
      case 'GET cancelAction/id':
        return sendCancel(call, id!)
      case 'POST cancelAction/id/feedback':
        return receiveFeedback(call, id!, takeCancelFeedback)
      case 'PUT installedBase':
        return receiveInstalled(call)
      case 'GET confirmationBase':
        await requireMembership(call)
        return send(call, viewConfirmation(call.link))
      case 'POST confirmationBase/id':
        throw new Refusal<ServerRefusal>(
          'confirmation_not_needed',
          'rollouts decide here: confirmation is automatic, and stays so',
        )
      case 'GET softwaremodules/id/artifacts':
        return sendFiles(call, id!)
    }
  }
  const isFile = resource === 'softwaremodules' && action === 'artifacts' && deeper.length === 1
  if (method === 'GET' && isFile) return sendFile(call, id!, deeper[0]!)
  throw notFound()
}

async function sendBase(call: Call): Promise<void> {
  const { app, now, link } = call
  const state = await poll(call)
  if (state === undefined) return sendUnauthorized(call.res)
  requireTenant(call.tenant, state.fleet)
  const agenda = await answerPoll(app, state, now)
  send(call, viewBase(agenda, slowedPollSeconds(app, agenda.fleet.pollSeconds), link))
}

/**
 * Records that the device was heard. Answers `undefined` when its row says that the credential is
 * no longer good.
 */
async function poll({ app, identity }: Call): Promise<ForeignState | undefined> {
  await requireBudget(app, 'check-ins', identity.deviceId)
  const state = await app.foreignCheckIns.poll(identity)
  if (state === undefined) app.foreignIdentities.forget(identity.deviceId)
  return state
}

async function sendDeployment(call: Call, idText: string, resource: string): Promise<void> {
  const { app, now, link, query } = call
  const state = await poll(call)
  if (state === undefined) return sendUnauthorized(call.res)
  requireTenant(call.tenant, state.fleet)
  const found = await findDeployment(app, state, requireActionId(idText))
  const isWanted = resource === 'installedBase' ? 'finished' : 'running'
  if (found?.action.state !== isWanted) throw notFound()
  const isOpen = found.action.closedAt === null
  const historyMax = Math.trunc(Number(query.get('actionHistory') ?? 0)) || 0
  const options = {
    mayInstall: !isOpen || (await mayInstall(app, state, found.action, now)),
    historyMax,
    link,
  }
  send(call, viewDeployment(found, options))
}

async function receiveFeedback(
  call: Call,
  idText: string,
  take: typeof takeFeedback,
): Promise<void> {
  const { app, req, res, identity, now } = call
  const id = requireActionId(idText)
  await requireBudget(app, 'messages', identity.deviceId)
  await requireMembership(call)
  await take(app, identity, id, parseFeedback(await readObject(req, app)), now)
  res.writeHead(200, { 'content-length': '0' }).end()
}

async function receiveAttributes(call: Call): Promise<void> {
  const { app, req, res, identity, now } = call
  await requireBudget(app, 'messages', identity.deviceId)
  await requireMembership(call)
  const attributes = parseAttributes(await readObject(req, app))
  await takeAttributes(app, identity, attributes, now)
  res.writeHead(200, { 'content-length': '0' }).end()
}

async function receiveInstalled(call: Call): Promise<void> {
  const { app, req, res, identity, now } = call
  await requireBudget(app, 'messages', identity.deviceId)
  await requireMembership(call)
  const named = parseInstalled(await readObject(req, app))
  if (!(await takeInstalled(app, identity, named, now))) throw notFound()
  res.writeHead(201, { 'content-length': '0' }).end()
}

async function sendCancel(call: Call, idText: string): Promise<void> {
  await requireMembership(call)
  const id = requireActionId(idText)
  if (!(await isToCancel(call.app, call.identity.deviceId, id))) throw notFound()
  send(call, viewCancel(id))
}

async function sendFiles(call: Call, idText: string): Promise<void> {
  const id = requireActionId(idText)
  const found = await findDeployment(call.app, await requireMembership(call), id)
  if (found === undefined) throw notFound()
  send(call, viewFiles(id, found.files, call.link))
}

const sumSuffix = '.MD5SUM'

/** Only reads, and writes nothing: clients ask for very many ranges. */
async function sendFile(call: Call, idText: string, name: string): Promise<void> {
  const { app, req, res } = call
  const found = await findDeployment(app, await requireMembership(call), requireActionId(idText))
  const named = (wanted: string) => found?.files.find((file) => file.name === wanted)
  const file = named(name)
  if (file !== undefined) return sendReleaseFile(app.store, req, res, file)
  const summed = name.endsWith(sumSuffix) ? named(name.slice(0, -sumSuffix.length)) : undefined
  if (summed === undefined) throw notFound()
  const text = utf8Encode(`${summed.md5}  ${summed.name}\n`)
  sendBytes(res, 200, { 'content-type': 'text/plain', 'cache-control': 'no-store' }, text)
}

/** Throws when the device was removed, or when the tenant is not its own. */
async function requireMembership({ app, identity, tenant }: Call) {
  const membership = await findMembership(app, identity.deviceId)
  if (membership === undefined) throw notFound()
  requireTenant(tenant, membership.fleet)
  return membership
}

function requireTenant(tenant: string, fleet: string): void {
  if (tenant !== defaultTenant && tenant !== fleet) throw notFound()
}

function requireActionId(text: string): number {
  const id = parseActionId(text)
  if (id === undefined) throw notFound()
  return id
}

function notFound(): HttpError {
  return new HttpError('route_not_found', 'there is nothing at this address')
}

/**
 * Sends the document under one of two types: clients ask for either, and parse the same document.
 */
function send({ req, res }: Call, value: object): void {
  const isPlain = /\bapplication\/json\b/.test(req.headers.accept ?? '')
  const headers = {
    'content-type': isPlain ? 'application/json;charset=UTF-8' : 'application/hal+json',
    'cache-control': 'no-store',
  }
  sendBytes(res, 200, headers, utf8Encode(JSON.stringify(value)))
}

/** The answer has no body, as in hawkBit; a body that was sent is not read. */
function sendUnauthorized(res: ServerResponse): void {
  const headers = {
    'content-length': '0',
    'www-authenticate': 'TargetToken, GatewayToken',
    ...(res.req.complete ? {} : { connection: 'close' }),
  }
  res.writeHead(401, headers).end()
}
