/**
 * `/metrics` for a monitoring system, and the counting of requests. The numbers are about the whole
 * installation, so reading them takes a credential without a scope. While the database is away,
 * credentials that were right within the last hour are still accepted, because that is when people
 * need the numbers.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Refusal } from '@seaworthy/std/refusal'
import { utf8Encode } from '@seaworthy/std/bytes'
import { hourMs } from '@seaworthy/std/time'
import { requirePermission, requireUnscoped } from '../app/access/index.ts'
import type { App } from '../app/app.ts'
import {
  chooseFormat,
  contentTypes,
  formatSnapshot,
  mergeSnapshots,
  collectFacts,
} from '../app/metrics/index.ts'
import { refusalOf } from '../app/refusals.ts'
import { sha256Hex } from '../app/trust/index.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { authenticate, bearerOf } from './authenticate.ts'
import { sendBytes } from './request.ts'
import type { RawHandler } from './endpoint.ts'

const rememberedMs = hourMs
const rememberedMax = 100

export function createMetricsHandler(app: App, limiter: AttemptLimiter): RawHandler {
  const admit = createAdmission(app, limiter)
  return {
    prefix: '/metrics',
    methods: ['GET', 'HEAD'],
    async answer(req, res) {
      await admit(req)
      const format = chooseFormat(req.headers.accept)
      const [counted, facts] = await Promise.all([app.exchange.gather(), collectFacts(app)])
      const text = formatSnapshot(mergeSnapshots([counted, facts]), format)
      const headers = { 'content-type': contentTypes[format], 'cache-control': 'no-store' }
      sendBytes(res, 200, headers, utf8Encode(text))
    },
  }
}

function createAdmission(
  app: App,
  limiter: AttemptLimiter,
): (req: IncomingMessage) => Promise<void> {
  // No whole credential is kept in memory for longer than a request; only digests are.
  const admitted = new Map<string, number>()
  return async (req) => {
    const bearer = bearerOf(req)
    const digest = bearer === undefined ? '' : sha256Hex(utf8Encode(bearer))
    try {
      const actor = await authenticate(app, req, 'actor', limiter, app.clock.now())
      requirePermission(actor, 'metrics:read')
      requireUnscoped(actor, 'metrics are of')
    } catch (error) {
      const refusal = refusalOf(error)
      const isAway = refusal instanceof Refusal && refusal.code === 'unavailable'
      const untilMs = admitted.get(digest) ?? 0
      if (isAway && app.clock.monotonicMs() < untilMs) return
      if (!isAway) admitted.delete(digest)
      throw error
    }
    if (admitted.size >= rememberedMax) admitted.clear()
    admitted.set(digest, app.clock.monotonicMs() + rememberedMs)
  }
}

const routeName = Symbol('route name')

interface NamedResponse extends ServerResponse {
  [routeName]?: string
}

/** Names the route of the request; without it the request counts as `unknown`. */
export function nameRoute(res: NamedResponse, name: string): void {
  res[routeName] = name
}

export function routeOf(res: NamedResponse): string {
  return res[routeName] ?? 'unknown'
}

/** Counts and times requests, whichever way they come. */
export interface RequestMeter {
  /**
   * Begins a request. Call the result at the end, when the answer has been handed to the network or
   * was cut off.
   */
  begin(): (route: string, status: number | 'cut_off') => void
}

export function createRequestMeter({
  metrics,
  clock,
}: Pick<App, 'metrics' | 'clock'>): RequestMeter {
  const { requests, requestSeconds, meter } = metrics
  let inFlight = 0
  meter.gauge(
    {
      name: 'seaworthy_http_requests_in_flight',
      help: 'Requests that have begun and are not answered yet.',
      merge: 'sum',
    },
    () => [{ value: inFlight }],
  )
  return {
    begin() {
      const startedMs = clock.monotonicMs()
      inFlight++
      return (route, status) => {
        inFlight--
        requests.add(1, route, status === 'cut_off' ? status : `${Math.floor(status / 100)}xx`)
        requestSeconds.observe((clock.monotonicMs() - startedMs) / 1000, route)
      }
    },
  }
}

/** The same listener, with its requests counted and timed. */
export function measureRequests(meter: RequestMeter, listener: RequestListener): RequestListener {
  return (req, res: NamedResponse) => {
    const end = meter.begin()
    res.once('close', () => end(routeOf(res), res.writableFinished ? res.statusCode : 'cut_off'))
    listener(req, res)
  }
}
