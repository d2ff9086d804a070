/** Access tokens of devices and registry clients: compact JWTs, HS256 under keys that only the server has. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { base64UrlEncode, utf8Encode } from '@seaworthy/std/bytes'
import { hourMs } from '@seaworthy/std/time'

export const accessTokenLifetimeMs = hourMs
/** Of access tokens of devices, and of those that registry clients trade theirs for. */
export const deviceAudience = 'seaworthy-device'
export const registryAudience = 'seaworthy-registry'

const header = base64UrlEncode(utf8Encode('{"alg":"HS256","typ":"JWT"}'))
const tokenBytesMax = 4096

export type Claims = Readonly<Record<string, unknown>> & { readonly exp: number }

/** `audience` keeps tokens of one kind from being used as another, beyond their different keys. */
export function signToken(key: Uint8Array, audience: string, claims: Claims): string {
  const body = `${header}.${base64UrlEncode(utf8Encode(JSON.stringify({ ...claims, aud: audience })))}`
  return `${body}.${mac(key, body)}`
}

/** The claims of a token made by `signToken` that has not expired, otherwise `undefined`. Needs no query. */
export function openToken(
  key: Uint8Array,
  audience: string,
  token: string,
  now: Date,
): Claims | undefined {
  if (token.length > tokenBytesMax) return undefined
  const end = token.lastIndexOf('.')
  const body = token.slice(0, end)
  if (end < 0 || !body.startsWith(`${header}.`)) return undefined
  const given = Buffer.from(token.slice(end + 1))
  const expected = Buffer.from(mac(key, body))
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const claims = JSON.parse(
    Buffer.from(body.slice(header.length + 1), 'base64url').toString(),
  ) as Claims
  if (claims['aud'] !== audience || claims.exp * 1000 <= now.getTime()) return undefined
  return claims
}

/** As text: only the one form of it is compared, so that there is only one token for what it says. */
function mac(key: Uint8Array, body: string): string {
  return createHmac('sha256', key).update(body).digest('base64url')
}

/** Reads device tokens, with the same answers as `openToken`. */
export type TokenReader = (token: string, now: Date) => Claims | undefined

const rememberedMax = 10_000

/**
 * Remembers tokens that it has verified, so that their signature is computed once (4 µs a request); expiry is looked at each
 * time, and revocation is no matter of the token. At most 10,000 in memory, all forgotten when it is full.
 */
export function createTokenReader(key: Uint8Array, audience: string): TokenReader {
  const remembered = new Map<string, Claims>()
  return (token, now) => {
    const known = remembered.get(token)
    if (known !== undefined && known.exp * 1000 > now.getTime()) return known
    const claims = openToken(key, audience, token, now)
    if (claims === undefined) return undefined
    if (remembered.size >= rememberedMax) remembered.clear()
    remembered.set(token, claims)
    return claims
  }
}
