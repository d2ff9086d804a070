/**
 * Turns the Authorization header, or the cookie of a session, into an actor. A wrong credential is
 * never treated like a missing one.
 */
import type { IncomingMessage } from 'node:http'
import type { RouteAuth } from '@seaworthy/api/route'
import { secondMs } from '@seaworthy/std/time'
import type { Actor, Caller } from '../app/access/index.ts'
import { anonymous, identify, identifySession, spenderOf } from '../app/access/index.ts'
import type { App } from '../app/app.ts'
import { cookieOf, requireNoForeignPage, requireOwnPage } from './browsers.ts'
import { poolOf } from './address-pools.ts'
import { HttpError } from './problems.ts'
import { requireBudget } from './request-budgets.ts'

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
 * The actor for a route of this kind, which spends one request of theirs. Throws `unauthenticated`
 * when the credential is missing, wrong or of another kind, `network_not_allowed`,
 * `too_many_requests`.
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
    await limiter.countWrong(req, bearer)
    throw refusal('the credential is not valid')
  }
  await spendRequest(app, actor)
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
  if (actor !== undefined) {
    await spendRequest(app, actor)
    return actor
  }
  await limiter.countWrong(req, cookie)
  throw refusal('the session has ended: sign in again')
}

/**
 * Devices spend requests of their own kinds, where it is known what they ask. Provisioning keys
 * have as many uses as their maker gave them.
 */
async function spendRequest(app: App, actor: Actor): Promise<void> {
  if (actor.kind === 'person' || actor.kind === 'token') {
    await requireBudget(app, 'api', spenderOf(actor))
  }
}

const readsOnly = ({ method }: IncomingMessage) => method === 'GET' || method === 'HEAD'

function refusal(publicMessage: string): HttpError {
  return new HttpError('unauthenticated', publicMessage, {
    headers: { 'www-authenticate': 'Bearer realm="seaworthy"' },
  })
}

/**
 * Limits wrong credentials, from one address and for one account, on every endpoint. Right ones
 * always pass: many devices may share an address with a stranger, and a stranger who knows the
 * public half of a credential locks nobody out.
 */
export interface AttemptLimiter {
  /**
   * Throws `too_many_requests` when the address has sent too many of late, or the account has been
   * tried with too many. The account is that of a credential, or the person who guesses.
   */
  countWrong(req: Pick<IncomingMessage, 'socket'>, credential?: string): Promise<void>
}

export function createAttemptLimiter({ budgets }: Pick<App, 'budgets'>): AttemptLimiter {
  return {
    async countWrong({ socket }, credential) {
      const account = /^(?:sw[a-z]?|person)_[0-9a-z]{26}/.exec(credential ?? '')?.[0]
      const network = poolOf(socket.remoteAddress ?? '')
      const spent = [
        {
          whose: 'from this address',
          spending: await budgets.spend('wrong-credentials-network', network),
        },
      ]
      if (account !== undefined) {
        const spending = await budgets.spend('wrong-credentials-account', account)
        spent.push({ whose: 'for this account', spending })
      }
      for (const { whose, spending } of spent) {
        if (spending.isAllowed) continue
        const seconds = Math.ceil(spending.waitMs / secondMs)
        throw new HttpError(
          'too_many_requests',
          `too many wrong credentials ${whose}: wait ${seconds} s, then send the right one`,
          { headers: { 'retry-after': String(seconds) } },
        )
      }
    },
  }
}
