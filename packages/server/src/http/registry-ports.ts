/** Answers the registry's questions from `app`, for the actor of each request. */
import type { IncomingMessage } from 'node:http'
import type { Spending } from '@seaworthy/std/allowance'
import type { Actor } from '../app/access/index.ts'
import { Refusal } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { anyone } from '../app/worker/index.ts'
import {
  decideRegistryAccess,
  recordRegistryChange,
  spenderOf,
  spendRegistryChange,
  tradeCredential,
} from '../app/access/index.ts'
import * as content from '../app/content/index.ts'
import { listNeededDigests, listReleaseTags } from '../app/trust/index.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { bearerOf, callerOf } from './authenticate.ts'
import { bodyLimits } from './limits.ts'
import { HttpError } from './problems.ts'
import type {
  AuthorizeResult,
  IssueResult,
  OpenUpload,
  RegistryAccess,
  RegistryPorts,
  RegistrySpace,
  TokenRequest,
} from './registry/index.ts'

const service = 'seaworthy'

export function createRegistryPorts(app: App, limiter: AttemptLimiter): RegistryPorts<Actor> {
  return {
    store: app.store,
    service,
    uploadBytesMax: bodyLimits.upload.bytesMax,
    log: {
      debug: (event, fields) => app.log.debug(event, fields),
      error: (event, fields) => app.callerLog.error(anyone, event, fields),
    },
    clock: app.clock,
    sleep: app.sleep,
    authorize: (request, access) => authorize(app, limiter, request, access),
    issueToken: (request) => issueToken(app, limiter, request),
    spendChange: async (actor) => secondsOf(await spendRegistryChange(app, actor)),
    space: createSpace(app),
    onEvent: ({ kind, actor, repository, ...event }) => {
      const { isRepeated, ...facts } = { isRepeated: false, ...event }
      return recordRegistryChange(app, { kind, actor, repository, facts, isRepeated })
    },
    roots: () => listNeededDigests(app),
    releaseTags: (repository) => listReleaseTags(app, repository),
    tokenUrl: (request) => `https://${request.headers.host || 'localhost'}/v2/token`,
  }
}

function createSpace(app: App): RegistrySpace<Actor> {
  const rowOf = ({ id, repository, actor }: OpenUpload<Actor>) => ({
    ...{ id, product: repository },
    actor: spenderOf(actor),
  })
  return {
    begin: (upload) => content.beginUpload(app, rowOf(upload)),
    setAside: (upload, bytes) => content.setAside(app, rowOf(upload), bytes),
    giveBackRest: (upload, bytes) => content.giveBackRest(app, rowOf(upload), bytes),
    keep: (upload, blob) => content.keepUpload(app, rowOf(upload), blob),
    drop: (uploadId) => content.dropUpload(app, uploadId),
    add: (repository, added) => content.addContent(app, repository, added),
    remove: (repository, digest) => content.removeContent(app, repository, digest),
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
  const decision = await unlessElsewhere(() =>
    decideRegistryAccess(app, bearer, access, callerOf(request, now)),
  )
  switch (decision.kind) {
    case 'allowed': {
      const wait = secondsOf(await app.budgets.spend('registry', spenderOf(decision.actor)))
      if (wait !== undefined) return { kind: 'too_many_requests', retryAfterSeconds: wait }
      return decision
    }
    case 'denied':
      return decision
    case 'not_asked':
      return { kind: 'unauthorized' }
    case 'unknown':
      return refuseWrong(limiter, request, bearer)
  }
}

/** The registry protocol has one answer for every wrong credential. */
async function unlessElsewhere<T>(decide: () => Promise<T>): Promise<T | { kind: 'unknown' }> {
  try {
    return await decide()
  } catch (error) {
    if (error instanceof Refusal && error.code === 'network_not_allowed') return { kind: 'unknown' }
    throw error
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

/** How long to wait, where nothing is left to spend. */
const secondsOf = (spending: Spending) =>
  spending.isAllowed ? undefined : Math.ceil(spending.waitMs / secondMs)

/** Counts a wrong credential. */
async function refuseWrong(limiter: AttemptLimiter, request: IncomingMessage, credential: string) {
  try {
    await limiter.countWrong(request, credential)
    return { kind: 'unauthorized' } as const
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    const retryAfterSeconds = Number(error.headers['retry-after'])
    return { kind: 'too_many_requests', retryAfterSeconds } as const
  }
}

async function issueToken(
  app: App,
  limiter: AttemptLimiter,
  { secret, scopes, request }: TokenRequest,
): Promise<IssueResult> {
  if (secret === undefined) return { kind: 'unauthorized' }
  const traded = await unlessElsewhere(() =>
    tradeCredential(app, secret, scopes, callerOf(request, app.clock.now())),
  )
  return traded.kind === 'unknown' ? refuseWrong(limiter, request, secret) : traded
}
