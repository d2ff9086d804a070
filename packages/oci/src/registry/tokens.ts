/**
 * The token flow of registries: the challenge of a 401 answer, and tokens fetched for it and kept
 * per scope (distribution "token authentication").
 */
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpResponse, Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { Refusal } from '@seaworthy/std/refusal'
import type { Json } from '@seaworthy/std/json'
import { parseJson } from '@seaworthy/std/json'
import type { RegistryRefusal } from './answers.ts'

export type RegistryCredentials =
  /**
   * Credentials that are sent to the registry's own origin and to token services there, and nowhere
   * else.
   */
  | { kind: 'basic'; username: string; password: string }
  /** A token that the registry takes as it is; asked for before each request. */
  | { kind: 'bearer'; token: () => Promise<string> }

const answerBytesMax = 64 * 1024
const tokensMax = 256

interface Challenge {
  realm: string
  service?: string
  scope?: string
}

/** The Bearer challenge of a WWW-Authenticate header, or `undefined`. */
function parseChallenge(header: string | undefined): Challenge | undefined {
  const match = /(?:^|,\s*)Bearer\s+(.{1,4000})$/i.exec(header?.slice(0, 8000) ?? '')
  if (!match) return undefined
  const found = new Map<string, string>()
  for (const [, name, value] of match[1]!.matchAll(/([a-z]{1,32})="([^"\\]{0,2000})"/g)) {
    if (!found.has(name!)) found.set(name!, value!)
  }
  const realm = found.get('realm')
  if (realm === undefined) return undefined
  const service = found.get('service')
  const scope = found.get('scope')
  return {
    realm,
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
  }
}

export interface TokenKeeper {
  /** The header for a request in that scope, as far as it is known without asking. */
  authorize(scope: string): Promise<string | undefined>
  /** Answers a 401; `false` when nothing further can be tried. */
  answer(scope: string, response: HttpResponse): Promise<boolean>
}

export function createTokenKeeper(options: {
  transport: Transport
  origin: string
  credentials?: RegistryCredentials | undefined
}): TokenKeeper {
  const { transport, origin, credentials } = options
  const tokens = new Map<string, string>()
  const basic =
    credentials?.kind === 'basic'
      ? `Basic ${base64Encode(utf8Encode(`${credentials.username}:${credentials.password}`))}`
      : undefined
  let wantsBasic = false

  async function fetchToken(challenge: Challenge, scope: string): Promise<string> {
    let url: URL
    try {
      url = new URL(challenge.realm, origin)
    } catch (cause) {
      throw new Refusal<RegistryRefusal>('malformed_answer', 'the token service has no address', {
        cause,
      })
    }
    const isOwn = url.origin === origin
    if (!isOwn && url.protocol !== 'https:') {
      throw new Refusal<RegistryRefusal>('redirect_refused', 'the token service is not on https')
    }
    if (challenge.service !== undefined) url.searchParams.set('service', challenge.service)
    url.searchParams.set('scope', challenge.scope ?? scope)
    const response = await transport({
      method: 'GET',
      url: url.href,
      headers: basic !== undefined && isOwn ? { authorization: basic } : {},
    })
    const bytes = await readBody(response, answerBytesMax)
    if (response.status !== 200) {
      throw new Refusal<RegistryRefusal>('unauthorized', 'the registry gave no token')
    }
    return readToken(bytes)
  }

  return {
    async authorize(scope) {
      if (credentials?.kind === 'bearer') return `Bearer ${await credentials.token()}`
      const token = tokens.get(scope)
      if (token !== undefined) return `Bearer ${token}`
      return wantsBasic ? basic : undefined
    },
    async answer(scope, response) {
      if (credentials?.kind === 'bearer') return false
      const header = response.headers['www-authenticate']
      const challenge = parseChallenge(header)
      if (challenge) {
        if (tokens.size >= tokensMax) tokens.clear()
        tokens.set(scope, await fetchToken(challenge, scope))
        return true
      }
      if (basic === undefined || wantsBasic || !/(?:^|,\s*)Basic\b/i.test(header ?? ''))
        return false
      wantsBasic = true
      return true
    },
  }
}

function readToken(bytes: Uint8Array): string {
  let value: Json
  try {
    value = parseJson(bytes)
  } catch (cause) {
    throw new Refusal<RegistryRefusal>('malformed_answer', 'the token is not JSON', { cause })
  }
  const members = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  const token = members['token'] ?? members['access_token']
  // The token may hold only characters that a header may hold.
  if (typeof token !== 'string' || !/^[A-Za-z0-9._~+/=-]{1,16384}$/.test(token)) {
    throw new Refusal<RegistryRefusal>('malformed_answer', 'the answer holds no token')
  }
  return token
}
