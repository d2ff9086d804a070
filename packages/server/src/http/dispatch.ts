/**
 * Every request is handled here, in this order: its route is found, and it is authenticated,
 * authorized, parsed, carried out and answered.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { checkIn } from '@seaworthy/api/device-self'
import { nothing } from '@seaworthy/api/route'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { nextPinHeader } from '@seaworthy/std/pins'
import { Refusal } from '@seaworthy/std/refusal'
import type { App } from '../app/app.ts'
import { anyone } from '../app/worker/index.ts'
import type { PersonRefusal } from '../app/refusals.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { authenticate } from './authenticate.ts'
import { refuseBody } from './bodies.ts'
import { browserOf, formatCookie, noBrowser } from './browsers.ts'
import type { Endpoint, RawHandler } from './endpoint.ts'
import { leavingOf } from './abandoned-calls.ts'
import { bodyLimits } from './limits.ts'
import { requireMayCall } from './may-call.ts'
import { nameRoute } from './metrics.ts'
import { parsePart, readQuery } from './parse-part.ts'
import { HttpError } from './problems.ts'
import { problemOf } from './problem-replies.ts'
import type { ProblemReply } from './problem-replies.ts'
import { requireBudget } from './request-budgets.ts'
import {
  parseJson,
  readJsonText,
  requireOneHost,
  sendProblem,
  sendReply,
  setSecurityHeaders,
} from './request.ts'

interface Found {
  readonly endpoint: Endpoint
  readonly params: Readonly<Record<string, string>>
}

export function createDispatcher(
  app: App,
  endpoints: readonly Endpoint[],
  limiter: AttemptLimiter,
  raw: readonly RawHandler[],
): RequestListener {
  const find = createMatcher(endpoints)

  const answerRoute = async (
    { endpoint, params }: Found,
    query: string,
    req: IncomingMessage,
    res: ServerResponse,
  ) => {
    const { route } = endpoint
    nameRoute(res, route.name)
    const now = app.clock.now()
    const identified = () => authenticate(app, req, route.auth, limiter, now)
    const actor = await (app.tracer?.span('authenticate', {}, identified) ?? identified())
    if (actor.kind === 'device' && route.name !== checkIn.name) {
      await requireBudget(app, 'device-requests', actor.id)
    }
    await requireMayCall(app, endpoint, actor, req.url!, now)
    const browser = route.auth.startsWith('device') ? noBrowser : browserOf(app, req)
    const call = {
      params: parsePart(route.params, params, 'path'),
      query: parsePart(route.query, readQuery(query), 'query'),
      body: await readBody(app, endpoint, req),
      actor,
      browser,
      now,
    }
    try {
      const reply = await endpoint.run(app, call, () => leavingOf(res))
      const cookies = browser.cookies().map(formatCookie)
      if (cookies.length > 0) res.setHeader('set-cookie', cookies)
      sendReply(res, route.status, reply)
    } catch (error) {
      if (isGuess(error))
        await limiter.countWrong(req, actor.kind === 'person' ? actor.id : undefined)
      throw error
    }
  }

  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    requireOneHost(req)
    const url = req.url ?? '/'
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const query = mark < 0 ? '' : url.slice(mark + 1)
    const exact = find.exact(path)?.find(({ endpoint }) => endpoint.route.method === req.method)
    if (exact !== undefined) return answerRoute(exact, query, req, res)
    for (const handler of raw) {
      const { prefix } = handler
      const isBelow = path === prefix || (prefix.endsWith('/') && path.startsWith(prefix))
      if (!(handler.matches?.(path) ?? isBelow)) continue
      if (handler.methods !== null && !handler.methods.includes(req.method ?? '')) {
        throw methodRefusal(handler.methods)
      }
      nameRoute(res, prefix)
      setSecurityHeaders(res)
      return handler.answer(req, res, path, new URLSearchParams(query))
    }
    const candidates = find.any(path)
    const found = candidates.find(({ endpoint }) => endpoint.route.method === req.method)
    if (found !== undefined) return answerRoute(found, query, req, res)
    if (candidates.length > 0) {
      throw methodRefusal(candidates.map(({ endpoint }) => endpoint.route.method))
    }
    throw new HttpError('route_not_found', 'there is nothing at this address')
  }

  return (req, res) => {
    const { nextPin } = app.certificate
    if (nextPin !== null) res.setHeader(nextPinHeader, nextPin)
    answer(req, res).catch((error: unknown) => {
      const reply = explainFailure(app, error, req)
      if (res.headersSent) {
        res.destroy()
        return
      }
      setSecurityHeaders(res)
      sendProblem(res, reply)
    })
  }
}

/** The answer to an error, which is counted, and logged where the server is at fault. */
export function explainFailure(
  app: Pick<App, 'callerLog' | 'metrics'>,
  error: unknown,
  { method, url }: Pick<IncomingMessage, 'method' | 'url'>,
): ProblemReply {
  const reply = problemOf(error)
  app.metrics.refusals.add(1, reply.problem.code)
  if (reply.isBug) app.callerLog.error(anyone, 'request.failed', { method, url, error })
  else if (reply.problem.status >= 500 && reply.problem.code !== 'overloaded') {
    app.callerLog.warn(anyone, 'request.unavailable', { url, error })
  }
  return reply
}

function methodRefusal(methods: readonly string[]): HttpError {
  return new HttpError('method_not_allowed', 'the method is not allowed here', {
    headers: { allow: methods.join(', ') },
  })
}

/** Answers to a wrong secret, key or proof of somebody who is not signed in yet. */
const guesses: ReadonlySet<string> = new Set<DeviceRefusal | PersonRefusal>([
  'assertion_invalid',
  'assertion_device_unknown',
  'assertion_signature_invalid',
  'passkey_refused',
  'passkey_copied',
  'first_owner_code_wrong',
  'invitation_not_found',
  'recovery_code_wrong',
  'pairing_not_found',
  'password_wrong',
])

/**
 * Whether the request counts as a guess, like a wrong token. A device's signed assertion never
 * counts merely because its clock is wrong.
 */
function isGuess(error: unknown): boolean {
  return error instanceof Refusal && guesses.has(String(error.code))
}

async function readBody(app: App, endpoint: Endpoint, req: IncomingMessage): Promise<unknown> {
  const { route, fastBody } = endpoint
  if (route.body === nothing) refuseBody(req)
  const text =
    route.body === nothing
      ? undefined
      : await readJsonText(req, { ...bodyLimits.route, bytesMax: route.bodyBytesMax }, app)
  const quick = text === undefined ? undefined : fastBody?.(text)
  if (quick !== undefined) return quick
  return parsePart(route.body, text === undefined ? undefined : parseJson(text), 'body')
}

interface Matcher {
  /** Finds routes without parameters in their path, by one look-up. */
  exact(path: string): readonly Found[] | undefined
  /** Finds the other routes too, segment by segment. */
  any(path: string): readonly Found[]
}

function createMatcher(endpoints: readonly Endpoint[]): Matcher {
  const fixed = new Map<string, Found[]>()
  const open: { segments: string[]; endpoint: Endpoint }[] = []
  for (const endpoint of endpoints) {
    const { path } = endpoint.route
    if (path.includes(':')) open.push({ segments: path.split('/'), endpoint })
    else fixed.set(path, [...(fixed.get(path) ?? []), { endpoint, params: {} }])
  }
  return {
    exact: (path) => fixed.get(path),
    any(path) {
      const exact = fixed.get(path)
      if (exact !== undefined) return exact
      const given = path.split('/')
      return open.flatMap(({ segments, endpoint }) => {
        const params = matchSegments(segments, given)
        return params === undefined ? [] : [{ endpoint, params }]
      })
    },
  }
}

function matchSegments(
  segments: readonly string[],
  given: readonly string[],
): Record<string, string> | undefined {
  if (segments.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, segment] of segments.entries()) {
    if (!segment.startsWith(':')) {
      if (segment !== given[i]) return undefined
      continue
    }
    try {
      params[segment.slice(1)] = decodeURIComponent(given[i]!)
    } catch (error) {
      if (error instanceof URIError) return undefined
      throw error
    }
  }
  return params
}
