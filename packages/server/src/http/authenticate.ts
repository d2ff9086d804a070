/** From the Authorization header to an actor. A wrong credential is never the same as none. */
import type { IncomingMessage } from 'node:http'
import type { RouteAuth } from '@seaworthy/api/route'
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'
import type { Actor } from '../app/actors.ts'
import { anonymous } from '../app/actors.ts'
import type { App } from '../app/app.ts'
import { isSameSecret, parseCredential } from '../app/credentials.ts'
import { deviceAudience, openToken } from '../app/device-tokens.ts'
import { appendAudit } from '../db/audit.ts'
import { getProvisioningKey } from '../db/provisioning-keys.ts'
import { getToken, touchToken } from '../db/tokens.ts'
import { HttpError } from './problems.ts'

/** How often `last used` is written, at most. */
const touchEveryMs = minuteMs

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

/** Whoever the credential belongs to, or `undefined`. */
export async function identify(app: App, bearer: string, now: Date): Promise<Actor | undefined> {
  if (bearer.startsWith('ey')) {
    const claims = openToken(app.secrets.deviceTokenKey, deviceAudience, bearer, now)
    const id = claims?.['sub']
    if (typeof id !== 'string' || app.removedDevices.has(id)) return undefined
    return { kind: 'device', id }
  }
  const credential = parseCredential(bearer)
  if (credential === undefined) return undefined
  if (credential.kind === 'provisioning') {
    const key = await getProvisioningKey(app.db.reader, credential.id)
    if (key === undefined || !isSameSecret(key.secretSha256, credential.secretSha256)) {
      return undefined
    }
    const isEnded = key.revokedAt !== null || key.expiresAt.getTime() <= now.getTime()
    if (isEnded) await recordEnded(app, key.id, now)
    return isEnded ? undefined : { kind: 'provisioning-key', id: key.id, key }
  }
  const token = await getToken(app.db.reader, credential.id)
  if (token === undefined || !isSameSecret(token.secretSha256, credential.secretSha256)) {
    return undefined
  }
  if (token.revokedAt !== null || token.expiresAt.getTime() <= now.getTime()) {
    await recordEnded(app, token.id, now)
    return undefined
  }
  const isTouchDue =
    token.lastUsedAt === null || now.getTime() - token.lastUsedAt.getTime() >= touchEveryMs
  if (isTouchDue) await app.db.write((tx) => touchToken(tx, token.id, now))
  return { kind: 'token', id: token.id, token }
}

/** Somebody uses a credential that was right once: worth a line in the audit log. */
async function recordEnded(app: App, id: string, now: Date): Promise<void> {
  app.log.warn('credential.ended', { id })
  if (!app.refusals.admits(id)) return
  await app.db.write((tx) =>
    appendAudit(tx, {
      at: now,
      actor: id,
      action: 'server.sign-in',
      subject: id,
      outcome: 'refused',
      detail: { code: 'credential_ended' },
    }),
  )
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
