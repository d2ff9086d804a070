/**
 * Turns the Authorization header, or the cookie of a session, into an actor. A wrong credential is
 * never treated like a missing one.
 */
import type { IncomingMessage } from 'node:http'
import type { RouteAuth } from '@seaworthy/api/route'
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'
import type { Actor, Caller } from '../app/access/index.ts'
import { anonymous, identify, identifySession } from '../app/access/index.ts'
import type { App } from '../app/app.ts'
import { cookieOf, requireNoForeignPage, requireOwnPage } from './browsers.ts'
import { tryLimits } from './limits.ts'
import { poolOf } from './address-pools.ts'
import { HttpError } from './problems.ts'

export function bearerOf(req: IncomingMessage): string | undefined {
  const header = req.headers.authorization
  if (header === undefined) return undefined
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(header)
  if (match === null) throw refusal('send one bearer token')
  return match[1]!
}

/** Who asks: the peer of the connection, since no proxy is believed. */
export function callerOf({ socket }: Pick<IncomingMessage, 'socket'>, now: Date): Caller {
  return { address: socket.remoteAddress ?? '', now }
}

/**
 * The actor for a route of this kind. Throws `unauthenticated` when the credential is missing,
 * wrong or of another kind, `network_not_allowed`.
 */
export async function authenticate(
  app: App,
  req: IncomingMessage,
  auth: RouteAuth,
  limiter: AttemptLimiter,
  now: Date,
): Promise<Actor> {
  if (auth === 'public') {
    if (!readsOnly(req)) requireOwnPage(req)
    return anonymous
  }
  if (auth === 'device-assertion') return anonymous
  if (auth === 'pairing') {
    // Command lines ask here, never pages: a foreign page could make the person's own browser ask.
    requireNoForeignPage(req)
    return anonymous
  }
  const bearer = bearerOf(req)
  const cookie = cookieOf(req, 'session')
  if (bearer === undefined && cookie !== undefined) {
    return authenticateBrowser(app, req, cookie, limiter, now)
  }
  if (bearer === undefined) throw refusal('this needs a credential')
  if (cookie !== undefined) {
    throw new HttpError('two_credentials', 'send a token or the cookie of a session, not both')
  }
  const actor = await identify(app, bearer, callerOf(req, now))
  if (actor === undefined) {
    limiter.countWrong(req, bearer)
    throw refusal('the credential is not valid')
  }
  return actor
}

async function authenticateBrowser(
  app: App,
  req: IncomingMessage,
  cookie: string,
  limiter: AttemptLimiter,
  now: Date,
): Promise<Actor> {
  if (readsOnly(req)) requireNoForeignPage(req)
  else requireOwnPage(req)
  const actor = await identifySession(app, cookie, now)
  if (actor !== undefined) return actor
  limiter.countWrong(req, cookie)
  throw refusal('the session has ended: sign in again')
}

const readsOnly = ({ method }: IncomingMessage) => method === 'GET' || method === 'HEAD'

function refusal(publicMessage: string): HttpError {
  return new HttpError('unauthenticated', publicMessage, {
    headers: { 'www-authenticate': 'Bearer realm="seaworthy"' },
  })
}

/**
 * Limits wrong credentials per minute, from one address and for one account, on every endpoint.
 * Right ones always pass: many devices may share an address with a stranger, and a stranger who
 * knows the public half of a credential locks nobody out.
 */
export interface AttemptLimiter {
  /**
   * Throws `too_many_requests` when the address has sent too many in this minute, or the account
   * has been tried with too many. The account is that of a credential, or the person who guesses.
   */
  countWrong(req: Pick<IncomingMessage, 'socket'>, credential?: string): void
}

/** How many addresses and accounts are counted separately; all others are counted as one. */
const countedMax = 20_000

export function createAttemptLimiter(clock: Clock): AttemptLimiter {
  let minute = 0
  let wrong = new Map<string, number>()
  const turn = () => {
    const now = Math.floor(clock.monotonicMs() / minuteMs)
    if (now === minute) return
    minute = now
    wrong = new Map()
  }
  const count = (name: string) => {
    const key = wrong.size < countedMax || wrong.has(name) ? name : 'others'
    const attempts = (wrong.get(key) ?? 0) + 1
    wrong.set(key, attempts)
    return attempts
  }
  return {
    countWrong({ socket }, credential) {
      turn()
      const account = /^(?:sw[a-z]?|person)_[0-9a-z]{26}/.exec(credential ?? '')?.[0]
      const ofAddress = count(poolOf(socket.remoteAddress ?? ''))
      const ofAccount = account === undefined ? 0 : count(account)
      if (Math.max(ofAddress, ofAccount) <= tryLimits.wrongPerMinute) return
      const whose = ofAddress > tryLimits.wrongPerMinute ? 'from this address' : 'for this account'
      throw new HttpError(
        'too_many_requests',
        `more than ${tryLimits.wrongPerMinute} wrong credentials ${whose} within a minute: wait a minute, then send the right one`,
        { headers: { 'retry-after': String(retryAfterSeconds) } },
      )
    },
  }
}

export const retryAfterSeconds = minuteMs / 1000
