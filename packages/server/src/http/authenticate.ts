/** From the Authorization header to an actor. A wrong credential is never the same as none. */
import type { IncomingMessage } from 'node:http'
import type { RouteAuth } from '@seaworthy/api/route'
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'
import type { Actor } from '../app/actors.ts'
import { anonymous } from '../app/actors.ts'
import type { App } from '../app/app.ts'
import { identify } from '../app/sign-in.ts'
import { HttpError } from './problems.ts'

export function bearerOf(req: IncomingMessage): string | undefined {
  const header = req.headers.authorization
  if (header === undefined) return undefined
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i.exec(header)
  if (match === null) throw refusal('send one bearer token')
  return match[1]!
}

/** The actor for a route of this kind; throws `unauthenticated` when the credential is missing, wrong or of another kind. */
export async function authenticate(
  app: App,
  req: IncomingMessage,
  auth: RouteAuth,
  limiter: AttemptLimiter,
  now: Date,
): Promise<Actor> {
  if (auth === 'public' || auth === 'device-assertion') return anonymous
  const bearer = bearerOf(req)
  if (bearer === undefined) throw refusal('this needs a credential')
  const address = req.socket.remoteAddress ?? ''
  const actor = await identify(app, bearer, now)
  if (actor === undefined) {
    limiter.countWrong(address)
    throw refusal('the credential is not valid')
  }
  return actor
}

function refusal(publicMessage: string): HttpError {
  return new HttpError('unauthenticated', publicMessage, {
    headers: { 'www-authenticate': 'Bearer realm="seaworthy"' },
  })
}

/** Wrong credentials per address and minute. Right ones always pass: many devices may share an address with a stranger. */
export interface AttemptLimiter {
  /** Throws `too_many_requests` when the address has sent too many in this minute. */
  countWrong(address: string): void
}

const wrongPerMinuteMax = 60
const addressesMax = 10_000

export function createAttemptLimiter(clock: Clock): AttemptLimiter {
  let minute = 0
  let wrong = new Map<string, number>()
  const turn = () => {
    const now = Math.floor(clock.monotonicMs() / minuteMs)
    if (now === minute) return
    minute = now
    wrong = new Map()
  }
  return {
    countWrong(address) {
      turn()
      const count = (wrong.get(address) ?? 0) + 1
      if (wrong.size < addressesMax || wrong.has(address)) wrong.set(address, count)
      if (count <= wrongPerMinuteMax) return
      throw new HttpError('too_many_requests', 'too many wrong credentials from this address', {
        headers: { 'retry-after': '60' },
      })
    },
  }
}
