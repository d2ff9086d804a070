/**
 * Asks GitHub, which speaks OAuth 2.0 (RFC 6749, 7636) and not OpenID Connect: its API says who
 * somebody is, and no signed token does. Accounts, organisations and teams are known by the numbers
 * that GitHub gave them: their names can be given up there, and taken by somebody else.
 */
import { createHash } from 'node:crypto'
import { base64Encode, base64UrlEncode, utf8Encode } from '@seaworthy/std/bytes'
import { BodyTooLongError, TransportError } from '@seaworthy/std/http'
import { parseAnyJson } from '@seaworthy/std/json'
import type { Sleep } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import type { IdentityProviderRow } from '../../db/identity-providers.ts'
import type { IdentityProviders, ProviderAnswer } from '../app.ts'
import { derive } from './ceremonies.ts'
import { exchange } from './provider-http.ts'
import type { ProviderResponse } from './provider-http.ts'
import {
  answerSeconds,
  answerWrong,
  refusedBy,
  tooSlow,
  unreachable,
  unusable,
} from './provider-refusals.ts'

const pageSize = 100
const pagesMax = 10
/** `org:ID` or `team:ID`. */
const groupForm = /^(org|team):([1-9][0-9]{0,14})$/
/** Each of these scopes lets an app read somebody's organisations and teams. */
const readingScopes = ['read:org', 'write:org', 'admin:org']
/** Tokens of GitHub Apps, whose permissions an owner of the organisation has agreed to. */
const appTokenStart = 'ghu_'

interface Endpoints {
  readonly authorize: string
  readonly token: string
  readonly api: string
}

/** Where GitHub, GitHub Enterprise Cloud and GitHub Enterprise Server listen. */
function endpointsOf({ issuer }: IdentityProviderRow): Endpoints {
  const { origin, host } = new URL(issuer)
  const isCloud = host === 'github.com' || host.endsWith('.ghe.com')
  return {
    authorize: `${origin}/login/oauth/authorize`,
    token: `${origin}/login/oauth/access_token`,
    api: isCloud ? `https://api.${host}` : `${origin}/api/v3`,
  }
}

type Kind = 'org' | 'team'

/** The kinds of groups that give something. */
function wantedKinds({ grants }: IdentityProviderRow): Kind[] {
  return (['org', 'team'] as const).filter((kind) =>
    grants.some(({ group }) => group.startsWith(`${kind}:`)),
  )
}

export function createGitHubClient(sleep: Sleep): IdentityProviders {
  /** One exchange, whole within its time. */
  const ask: Ask = async (provider, { method, url, headers, body }) => {
    const [late, done] = [new AbortController(), new AbortController()]
    void sleep(answerSeconds * secondMs, done.signal).then(
      () => late.abort(),
      () => undefined,
    )
    try {
      return await exchange(provider.caPem, {
        ...{ method, url, signal: late.signal },
        headers: { accept: 'application/json', 'user-agent': 'seaworthy', ...headers },
        ...(body === undefined ? {} : { body: utf8Encode(body) }),
      })
    } catch (error) {
      if (late.signal.aborted || error instanceof BodyTooLongError) throw tooSlow(provider, error)
      if (error instanceof TransportError) throw unreachable(provider, error.message, error)
      throw error
    } finally {
      done.abort()
    }
  }
  return {
    async check(provider, clientSecret) {
      requireForm(provider, clientSecret)
      // GitHub answers “not found” for an unknown token if the credentials are right.
      const { status } = await ask(provider, {
        method: 'POST',
        url: `${endpointsOf(provider).api}/applications/${encodeURIComponent(provider.clientId)}/token`,
        headers: {
          authorization: `Basic ${base64Encode(utf8Encode(`${provider.clientId}:${clientSecret}`))}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ access_token: 'a-token-that-nobody-has' }),
      })
      if (status === 404 || status === 422) return
      throw unusable(
        provider,
        status === 401
          ? 'it does not know this client ID and secret'
          : `it answers ${status} where GitHub's API would say whether it knows the client`,
      )
    },
    async addressFor(provider, _clientSecret, { challenge, state, redirectUri }) {
      const verifier = derive(challenge, 'verifier')
      const kinds = wantedKinds(provider)
      const url = new URL(endpointsOf(provider).authorize)
      url.search = String(
        new URLSearchParams({
          ...{ response_type: 'code', client_id: provider.clientId, redirect_uri: redirectUri },
          ...{ scope: kinds.length === 0 ? '' : 'read:org', state, allow_signup: 'false' },
          code_challenge: base64UrlEncode(createHash('sha256').update(verifier).digest()),
          code_challenge_method: 'S256',
        }),
      )
      return url.href
    },
    async redeem(provider, clientSecret, answer) {
      if (answer.iss !== undefined && answer.iss !== provider.issuer) {
        throw answerWrong(provider, 'it is of another issuer')
      }
      const token = await fetchToken(ask, provider, clientSecret, answer)
      const { subject, account } = await readUser(ask, provider, token)
      const groups: string[] = []
      for (const kind of wantedKinds(provider)) {
        for (const group of await listGroups(ask, provider, token, kind)) groups.push(group)
      }
      return { subject, account, groups, authenticatedAt: undefined }
    },
  }
}

interface Question {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
type Ask = (provider: IdentityProviderRow, question: Question) => Promise<ProviderResponse>

/** Throws `provider_unusable`. */
function requireForm(provider: IdentityProviderRow, clientSecret: string | null): void {
  if (new URL(provider.issuer).pathname !== '/') {
    throw unusable(provider, 'name GitHub by its host alone, such as https://github.com')
  }
  if (clientSecret === null) throw unusable(provider, 'GitHub wants a client secret')
  if (provider.groupsClaim !== null) {
    throw unusable(provider, 'GitHub has no claims: leave the claim with the groups empty')
  }
  const odd = provider.grants.find(({ group }) => !groupForm.test(group))
  if (odd === undefined) return
  throw unusable(
    provider,
    `${JSON.stringify(odd.group)} is no group there: write org:ID or team:ID with the number that GitHub gave it, because names can pass to others (\`gh api orgs/NAME --jq .id\`, \`gh api orgs/NAME/teams/TEAM --jq .id\`)`,
  )
}

/** The token is used for the questions of this sign-in, and forgotten. */
async function fetchToken(
  ask: Ask,
  provider: IdentityProviderRow,
  clientSecret: string | null,
  { challenge, code, redirectUri }: ProviderAnswer,
): Promise<string> {
  const response = await ask(provider, {
    method: 'POST',
    url: endpointsOf(provider).token,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: String(
      new URLSearchParams({
        ...{ grant_type: 'authorization_code', code, redirect_uri: redirectUri },
        ...{ client_id: provider.clientId, client_secret: clientSecret ?? '' },
        code_verifier: derive(challenge, 'verifier'),
      }),
    ),
  })
  const answer = readMembers(provider, response)
  // GitHub says what it refuses with status 200.
  const error = answer['error']
  if (error !== undefined) {
    const word = typeof error === 'string' && /^[a-z_]{1,60}$/.test(error) ? error : 'unnamed'
    throw refusedBy(provider, new Error(`the token endpoint says ${word}`))
  }
  const { access_token: token, token_type: type, scope = '' } = answer
  if (
    response.status !== 200 ||
    typeof token !== 'string' ||
    !/^[\x21-\x7e]{1,1000}$/.test(token) ||
    typeof type !== 'string' ||
    type.toLowerCase() !== 'bearer' ||
    typeof scope !== 'string'
  ) {
    throw answerWrong(provider, 'it has no token of the agreed form')
  }
  // Whoever signs in may agree to less, which would hide the groups that deny them something.
  const isEnough =
    wantedKinds(provider).length === 0 ||
    token.startsWith(appTokenStart) ||
    scope.split(/[, ]+/).some((one) => readingScopes.includes(one))
  if (!isEnough) {
    throw answerWrong(provider, 'it does not let us read organisations and teams')
  }
  return token
}

async function readUser(
  ask: Ask,
  provider: IdentityProviderRow,
  token: string,
): Promise<{ subject: string; account: string }> {
  const { api } = endpointsOf(provider)
  const response = await ask(provider, questionOf(`${api}/user`, token))
  const { id, login, type = 'User' } = readMembers(provider, requireFound(provider, response))
  if (!isId(id)) throw answerWrong(provider, 'it does not say the number of the account')
  if (type !== 'User') throw answerWrong(provider, 'it is of an account of no person')
  const isName = typeof login === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(login)
  return { subject: String(id), account: isName ? login : String(id) }
}

/** Pages are counted here: no address in an answer is ever asked. */
async function listGroups(
  ask: Ask,
  provider: IdentityProviderRow,
  token: string,
  kind: Kind,
): Promise<string[]> {
  const { api } = endpointsOf(provider)
  const groups: string[] = []
  for (let page = 1; page <= pagesMax; page++) {
    const url = `${api}/user/${kind}s?per_page=${pageSize}&page=${page}`
    const response = requireFound(provider, await ask(provider, questionOf(url, token)))
    const list = readJson(provider, response)
    if (!Array.isArray(list) || list.length > pageSize) {
      throw answerWrong(provider, `it has no list of ${kind}s`)
    }
    for (const one of list as unknown[]) {
      const { id } = membersOf(provider, one)
      if (!isId(id)) throw answerWrong(provider, `it names ${kind}s without their numbers`)
      groups.push(`${kind}:${id}`)
    }
    if (list.length < pageSize) return groups
  }
  throw answerWrong(provider, `it names more than ${pageSize * pagesMax} ${kind}s`)
}

const questionOf = (url: string, token: string): Question => ({
  method: 'GET',
  url,
  headers: {
    accept: 'application/vnd.github+json',
    authorization: `Bearer ${token}`,
    'x-github-api-version': '2022-11-28',
  },
})

function requireFound(provider: IdentityProviderRow, response: ProviderResponse): ProviderResponse {
  if (response.status === 200) return response
  throw answerWrong(provider, `it answers ${response.status} where it should say who signed in`)
}

const isId = (id: unknown): id is number => Number.isSafeInteger(id) && (id as number) > 0

function readJson(provider: IdentityProviderRow, { bytes }: ProviderResponse): unknown {
  try {
    return parseAnyJson(bytes)
  } catch (cause) {
    throw answerWrong(provider, 'it is no JSON', cause)
  }
}

const readMembers = (provider: IdentityProviderRow, response: ProviderResponse) =>
  membersOf(provider, readJson(provider, response))

function membersOf(
  provider: IdentityProviderRow,
  value: unknown,
): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { ...value }
  }
  throw answerWrong(provider, 'it is not of the agreed form')
}
