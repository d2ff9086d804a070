/**
 * Everything that answers over HTTPS: the routes of `api`, the registry, the TUF repository, the
 * log. This layer decides who may ask; the work itself is done in `app`.
 */
import type { RequestListener } from 'node:http'
import { checkIn } from '@seaworthy/api/device-self'
import { invariant } from '@seaworthy/std/refusal'
import type { App } from '../app/app.ts'
import { createAdvisorySiteHandlers } from './advisory-site.ts'
import { createAttemptLimiter } from './authenticate.ts'
import { dropUnwantedBodies } from './bodies.ts'
import { createFastPath } from './fast-path/index.ts'
import type { FastPath } from './fast-path/index.ts'
import { createDdiHandler } from './ddi/index.ts'
import { watchOwnOrigin } from './device-self.ts'
import { createDispatcher } from './dispatch.ts'
import type { RawHandler } from './endpoint.ts'
import { listEndpoints } from './endpoints.ts'
import { createEventsHandler } from './events.ts'
import { createFleetLockHandler } from './fleetlock.ts'
import { createLogHandler } from './audit-log.ts'
import { createMetricsHandler, createRequestMeter, measureRequests } from './metrics.ts'
import { createODataHandlers } from './odata/index.ts'
import { createOmahaHandler } from './omaha/index.ts'
import { createRegistryPorts } from './registry-ports.ts'
import { createRegistryHandler } from './registry/index.ts'
import { createReportHandlers } from './reports.ts'
import { createServerFiles } from './server-files.ts'
import { traceRequests } from './traces.ts'
import { createTufHandler } from './tuf.ts'
import type { WebFiles } from './web.ts'
import { createWebHandlers } from './web.ts'

/**
 * The two ways to the same work: one for every request, and a fast path for idle check-ins (RFD 7).
 */
export interface Handlers {
  readonly requests: RequestListener
  /** `undefined` with `--no-fast-path`. */
  readonly fastPath: FastPath | undefined
}

export interface HandlerOptions {
  readonly hasFastPath: boolean
  /** Whether anybody may report a flaw by the form at `/report`. */
  readonly hasReportForm: boolean
  /** `undefined` when no pages are served. */
  readonly web: WebFiles | undefined
}

export function createHandlers(app: App, options: HandlerOptions): Handlers {
  const { hasFastPath, hasReportForm, web } = options
  const limiter = createAttemptLimiter(app)
  const registry = createRegistryHandler(createRegistryPorts(app, limiter))
  const answerRegistry: RawHandler = {
    prefix: '/v2/',
    methods: null,
    answer: (req, res) => registry(req, res),
  }
  const endpoints = listEndpoints(watchOwnOrigin(app.certificate), hasFastPath)
  const listener = createDispatcher(app, endpoints, limiter, [
    answerRegistry,
    { ...answerRegistry, prefix: '/v2' },
    createTufHandler(app),
    createLogHandler(app, limiter),
    createEventsHandler(app, limiter),
    createFleetLockHandler(app, limiter),
    createOmahaHandler(app, limiter),
    ...createODataHandlers(app, limiter, endpoints),
    createMetricsHandler(app, limiter),
    ...createServerFiles(app, endpoints),
    ...createReportHandlers(app, hasReportForm),
    ...createAdvisorySiteHandlers(app, hasReportForm),
    ...(web === undefined ? [] : createWebHandlers(web)),
    createDdiHandler(app, limiter),
  ])
  const meter = createRequestMeter(app)
  const ownCheckIn = endpoints.find(({ route }) => route.name === checkIn.name)
  invariant(ownCheckIn !== undefined, 'every route is mounted')
  return {
    requests: measureRequests(meter, traceRequests(app, dropUnwantedBodies(listener, app.sleep))),
    fastPath: hasFastPath ? createFastPath(app, ownCheckIn, meter) : undefined,
  }
}
