/**
 * Everything that answers over HTTPS: the routes of `api`, the registry, the TUF repository, the
 * log. This layer decides who may ask; the work itself is done in `app`.
 */
import type { RequestListener } from 'node:http'
import { checkIn } from '@seaworthy/api/device-self'
import { routes } from '@seaworthy/api/routes'
import { invariant } from '@seaworthy/std/refusal'
import type { App } from '../app/app.ts'
import { accessReviewEndpoints } from './access-reviews.ts'
import { approvalEndpoints } from './approvals.ts'
import { createAttemptLimiter } from './authenticate.ts'
import { dropUnwantedBodies } from './bodies.ts'
import { createFastPath } from './fast-path/index.ts'
import type { FastPath } from './fast-path/index.ts'
import { createOwnEndpoints } from './device-self.ts'
import { certificateEndpoints } from './certificates.ts'
import { createDdiHandler } from './ddi/index.ts'
import { deviceEndpoints } from './devices.ts'
import { createDispatcher } from './dispatch.ts'
import type { Endpoint, RawHandler } from './endpoint.ts'
import { createFleetLockHandler } from './fleetlock.ts'
import { fleetEndpoints } from './fleets.ts'
import { provisioningKeyEndpoints } from './provisioning-keys.ts'
import { foreignDeviceEndpoints } from './foreign-devices.ts'
import { identityProviderEndpoints } from './identity-providers.ts'
import { grantEndpoints } from './grants.ts'
import { invitationEndpoints } from './invitations.ts'
import { createLogHandler } from './log.ts'
import { createMetricsHandler, createRequestMeter, measureRequests } from './metrics.ts'
import { passwordEndpoints } from './passwords.ts'
import { pairingEndpoints } from './pairings.ts'
import { passkeyEndpoints } from './passkeys.ts'
import { personEndpoints } from './people.ts'
import { productEndpoints } from './products.ts'
import { proposalEndpoints } from './proposals.ts'
import { omahaAppEndpoints } from './omaha-apps.ts'
import { createODataHandlers } from './odata/index.ts'
import { createOmahaHandler } from './omaha/index.ts'
import { rebootLockEndpoints } from './reboot-locks.ts'
import { createRegistryPorts } from './registry-ports.ts'
import { createRegistryHandler } from './registry/index.ts'
import { releaseEndpoints } from './releases.ts'
import { roleEndpoints } from './roles.ts'
import { rolloutEndpoints } from './rollouts.ts'
import { createServerFiles } from './server-files.ts'
import { secretEndpoints } from './secrets.ts'
import { serverEndpoints } from './server.ts'
import { sessionEndpoints } from './sessions.ts'
import { signInPolicyEndpoints } from './sign-in-policy.ts'
import { tokenEndpoints } from './tokens.ts'
import { traceRequests } from './traces.ts'
import { trustEndpoints } from './trust.ts'
import { createTufHandler } from './tuf.ts'
import { updateEndpoints } from './updates.ts'
import { variableEndpoints } from './variables.ts'
import type { WebFiles } from './web.ts'
import { createWebHandlers } from './web.ts'

/**
 * One endpoint for each route of `api`; a route without one is a bug that is found at the start.
 */
function listEndpoints(app: App, hasFastPath: boolean): readonly Endpoint[] {
  const endpoints = [
    ...serverEndpoints,
    ...certificateEndpoints,
    ...tokenEndpoints,
    ...sessionEndpoints,
    ...personEndpoints,
    ...roleEndpoints,
    ...invitationEndpoints,
    ...passkeyEndpoints,
    ...pairingEndpoints,
    ...passwordEndpoints,
    ...signInPolicyEndpoints,
    ...identityProviderEndpoints,
    ...approvalEndpoints,
    ...grantEndpoints,
    ...accessReviewEndpoints,
    ...trustEndpoints,
    ...proposalEndpoints,
    ...productEndpoints,
    ...releaseEndpoints,
    ...fleetEndpoints,
    ...provisioningKeyEndpoints,
    ...rebootLockEndpoints,
    ...omahaAppEndpoints,
    ...deviceEndpoints,
    ...variableEndpoints,
    ...secretEndpoints,
    ...rolloutEndpoints,
    ...updateEndpoints,
    ...foreignDeviceEndpoints,
    ...createOwnEndpoints(app.certificate, hasFastPath),
  ]
  const mounted = new Set(endpoints.map(({ route }) => route.name))
  for (const { name } of routes) invariant(mounted.has(name), `the route ${name} is mounted`)
  invariant(endpoints.length === routes.length, 'every route is mounted once')
  return endpoints
}

/** Two ways to the same work: one for every request, and a fast path for idle check-ins (RFD 7). */
export interface Handlers {
  readonly requests: RequestListener
  /** `undefined` with `--no-fast-path`. */
  readonly fastPath: FastPath | undefined
}

export interface HandlerOptions {
  readonly hasFastPath: boolean
  /** `undefined` when no pages are served. */
  readonly web: WebFiles | undefined
}

export function createHandlers(app: App, { hasFastPath, web }: HandlerOptions): Handlers {
  const limiter = createAttemptLimiter(app)
  const registry = createRegistryHandler(createRegistryPorts(app, limiter))
  const answerRegistry: RawHandler = {
    prefix: '/v2/',
    methods: null,
    answer: (req, res) => registry(req, res),
  }
  const endpoints = listEndpoints(app, hasFastPath)
  const listener = createDispatcher(app, endpoints, limiter, [
    answerRegistry,
    { ...answerRegistry, prefix: '/v2' },
    createTufHandler(app),
    createLogHandler(app, limiter),
    createFleetLockHandler(app, limiter),
    createOmahaHandler(app, limiter),
    ...createODataHandlers(app, limiter),
    createMetricsHandler(app, limiter),
    ...createServerFiles(app),
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
