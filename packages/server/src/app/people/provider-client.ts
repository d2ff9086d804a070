/**
 * Asks identity providers (OpenID Connect Core 1.0; RFC 6749, 7636, 8414, 9207), and judges what
 * they answer. The library handles the protocol; this file bounds what is read and names what goes
 * wrong. Whatever a provider says is hostile until it has been judged.
 */
import { cutText } from '@seaworthy/std/printable'
import type { Configuration, CustomFetch } from 'openid-client'
import { utf8Encode } from '@seaworthy/std/bytes'
import { BodyTooLongError, TransportError } from '@seaworthy/std/http'
import { Refusal } from '@seaworthy/std/refusal'
import type { Clock, Sleep } from '@seaworthy/std/time'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { IdentityProviderRow } from '../../db/identity-providers.ts'
import type { IdentityProviders, ProviderAnswer, ProviderClaims } from '../app.ts'
import { derive } from './ceremonies.ts'
import { createGitHubClient } from './github-client.ts'
import { exchange } from './provider-http.ts'
import {
  answerSeconds,
  answerWrong,
  refusedBy,
  tooSlow,
  unreachable,
  unusable,
} from './provider-refusals.ts'

/** How far the clock of a provider may be off. */
const clockToleranceSeconds = 60
/** How long what a provider publishes about itself is kept. */
const keptMs = 10 * minuteMs
const groupsMax = 1000
const textMax = 200

interface Known {
  readonly changedAt: number
  readonly untilMs: number
  readonly found: Promise<Configuration>
}

/** Each worker keeps for itself what providers publish. */
export function createIdentityProviders({
  clock,
  sleep,
}: {
  readonly clock: Clock
  readonly sleep: Sleep
}): IdentityProviders {
  const oidc = createOidcClient(clock)
  const gitHub = createGitHubClient(sleep)
  const clientOf = ({ kind }: IdentityProviderRow) => (kind === 'github' ? gitHub : oidc)
  return {
    check: async (provider, clientSecret) => clientOf(provider).check(provider, clientSecret),
    addressFor: async (provider, clientSecret, question) =>
      clientOf(provider).addressFor(provider, clientSecret, question),
    redeem: async (provider, clientSecret, answer) =>
      clientOf(provider).redeem(provider, clientSecret, answer),
  }
}

function createOidcClient(clock: Clock): IdentityProviders {
  const known = new Map<string, Known>()
  const find = (provider: IdentityProviderRow, clientSecret: string | null) => {
    const nowMs = clock.monotonicMs()
    const changedAt = provider.changedAt.getTime()
    const kept = known.get(provider.name)
    if (kept !== undefined && kept.changedAt === changedAt && kept.untilMs > nowMs) {
      return kept.found
    }
    const found = discover(provider, clientSecret)
    const entry = { changedAt, untilMs: nowMs + keptMs, found }
    known.set(provider.name, entry)
    // A failure is not kept: the next caller tries again.
    found.catch(() => known.get(provider.name) === entry && known.delete(provider.name))
    return found
  }
  return {
    check: async (provider, clientSecret) => {
      requireCodeFlow(provider, await discover(provider, clientSecret))
    },
    async addressFor(provider, clientSecret, { challenge, state, redirectUri, isFresh }) {
      const client = await load()
      const configuration = await find(provider, clientSecret)
      const verifier = derive(challenge, 'verifier')
      const url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: scopeOf(provider, configuration),
        state,
        nonce: derive(challenge, 'nonce'),
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(isFresh ? { max_age: '0' } : {}),
      })
      return url.href
    },
    async redeem(provider, clientSecret, answer) {
      const configuration = await find(provider, clientSecret)
      return redeem(provider, configuration, answer)
    },
  }
}

/** The library is loaded when somebody signs in by a provider for the first time. */
const load = () => import('openid-client')

async function discover(
  provider: IdentityProviderRow,
  clientSecret: string | null,
): Promise<Configuration> {
  const client = await load()
  const authentication =
    clientSecret === null ? client.None() : client.ClientSecretBasic(clientSecret)
  try {
    return await client.discovery(
      new URL(provider.issuer),
      provider.clientId,
      { [client.clockTolerance]: clockToleranceSeconds },
      authentication,
      {
        [client.customFetch]: fetchBy(provider.caPem),
        timeout: answerSeconds,
        // Signatures are verified too, although the connection vouches for the answer.
        execute: [client.enableNonRepudiationChecks],
      },
    )
  } catch (error) {
    throw explain(provider, error)
  }
}

/** Throws `provider_unusable`. */
function requireCodeFlow(provider: IdentityProviderRow, configuration: Configuration): void {
  const { authorization_endpoint, token_endpoint, jwks_uri } = configuration.serverMetadata()
  const missing = Object.entries({ authorization_endpoint, token_endpoint, jwks_uri }).flatMap(
    ([name, value]) => (value === undefined ? [name] : []),
  )
  if (missing.length > 0) {
    throw unusable(provider, `it publishes no ${missing.join(', no ')}`)
  }
  for (const value of [authorization_endpoint, token_endpoint, jwks_uri]) {
    if (value === undefined || URL.parse(value)?.protocol !== 'https:') {
      throw unusable(provider, 'it publishes an address that is not https')
    }
  }
}

/** Asks for no more than what is used: the account, its name, and groups where they count. */
function scopeOf(provider: IdentityProviderRow, configuration: Configuration): string {
  const offered = configuration.serverMetadata().scopes_supported ?? []
  const wanted = provider.groupsClaim === null ? [] : [provider.groupsClaim, 'groups']
  const extra = ['profile', 'email', ...wanted].filter((scope) => offered.includes(scope))
  return ['openid', ...new Set(extra)].join(' ')
}

async function redeem(
  provider: IdentityProviderRow,
  configuration: Configuration,
  { challenge, code, state, iss, redirectUri }: ProviderAnswer,
): Promise<ProviderClaims> {
  const client = await load()
  const address = new URL(redirectUri)
  address.search = String(
    new URLSearchParams({ code, state, ...(iss === undefined ? {} : { iss }) }),
  )
  try {
    const tokens = await client.authorizationCodeGrant(configuration, address, {
      expectedState: state,
      expectedNonce: derive(challenge, 'nonce'),
      pkceCodeVerifier: derive(challenge, 'verifier'),
      idTokenExpected: true,
    })
    const claims = tokens.claims()!
    const { groupsClaim } = provider
    const needsMore = groupsClaim !== null && claims[groupsClaim] === undefined
    const more =
      needsMore && configuration.serverMetadata().userinfo_endpoint !== undefined
        ? await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
        : {}
    const all: Readonly<Record<string, unknown>> = { ...more, ...claims }
    return {
      subject: claims.sub,
      account: nameOf(all) ?? cutText(claims.sub, textMax),
      groups: groupsClaim === null ? [] : groupsOf(provider, all[groupsClaim]),
      authenticatedAt:
        claims.auth_time === undefined ? undefined : new Date(claims.auth_time * secondMs),
    }
  } catch (error) {
    throw explain(provider, error)
  }
}

/** How people know the account. */
function nameOf(claims: Readonly<Record<string, unknown>>): string | undefined {
  for (const name of ['preferred_username', 'email', 'name']) {
    const value = claims[name]
    if (typeof value === 'string' && /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u.test(value)) return value
  }
  return undefined
}

function groupsOf(provider: IdentityProviderRow, value: unknown): string[] {
  if (value === undefined) return []
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > groupsMax || !list.every((group) => typeof group === 'string')) {
    throw answerWrong(provider, `the claim ${provider.groupsClaim} is no list of groups`)
  }
  return list
}

/**
 * The library's access to the network: one bounded answer of a peer whose certificate was verified.
 */
function fetchBy(caPem: string | null): CustomFetch {
  return async (url, { method, headers, body, signal }) => {
    const { status, bytes, ...answer } = await exchange(caPem, {
      ...{ url, method, headers },
      ...(signal === undefined ? {} : { signal }),
      ...(body instanceof URLSearchParams ? { body: utf8Encode(body.toString()) } : {}),
    })
    const isEmpty = status === 204 || status === 205 || status === 304
    return new Response(isEmpty ? null : bytes, { status, headers: answer.headers })
  }
}

/** The refusal for what the library has found. */
function explain(provider: IdentityProviderRow, error: unknown): unknown {
  if (error instanceof Refusal) return error
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TransportError) return unreachable(provider, cause.message, error)
    if (cause.name === 'TimeoutError' || cause instanceof BodyTooLongError) {
      return tooSlow(provider, error)
    }
  }
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'OAUTH_RESPONSE_BODY_ERROR' || code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') {
    return refusedBy(provider, error)
  }
  if (!code.startsWith('OAUTH_') && code !== 'ERR_INVALID_ARG_VALUE') return error
  return answerWrong(provider, fault(code, messagesOf(error)), error)
}

/** The library says what is wrong in the cause of its error. Nothing of the answer is shown. */
function messagesOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message
}

/** What is wrong with an answer, in words. */
function fault(code: string, message: string): string {
  if (code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' && message.includes('issuer')) {
    return 'it publishes another issuer than the one that was set'
  }
  const claim = /"(iss|aud|nonce|exp|iat|nbf|azp|sub|alg|state|issuer)"/.exec(message)?.[1]
  const names: Readonly<Record<string, string>> = {
    iss: 'it is of another issuer',
    issuer: 'it publishes another issuer than the one that was set',
    aud: 'it is for another audience',
    azp: 'it is for another audience',
    nonce: 'it is to another question (nonce)',
    exp: 'it has expired',
    iat: 'its time is not ours: compare the clocks',
    nbf: 'its time is not ours: compare the clocks',
    sub: 'it speaks of two accounts',
    alg: 'it is signed with an algorithm that is not taken',
    state: 'it is to another question (state)',
  }
  if (claim !== undefined) return names[claim]!
  if (/alg|algorithm/i.test(message)) return names['alg']!
  if (/signature|key/i.test(message)) return 'its signature is not of the provider'
  return `it is not of the agreed form (${code})`
}
