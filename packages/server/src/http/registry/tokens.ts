/**
 * `/v2/token`: the endpoint of the token flow that docker, podman and skopeo use (distribution,
 * "token authentication": GET with Basic, POST as OAuth 2).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { formatInstant } from '@seaworthy/std/time'
import { base64Decode, utf8Decode } from '@seaworthy/std/bytes'
import { isRepositoryName } from '@seaworthy/oci/names'
import { readBytes } from '../bodies.ts'
import { bodyLimits } from '../limits.ts'
import { RegistryError, sendJson, tooManyRequests } from './errors.ts'
import type { RegistryAction, RegistryPorts, TokenRequest, TokenScope } from './ports.ts'

const secretLengthMax = 8192
const scopesMax = 32

const actionNames: Readonly<Record<string, readonly RegistryAction[]>> = {
  pull: ['pull'],
  push: ['push'],
  delete: ['delete'],
  '*': ['pull', 'push', 'delete'],
}

/**
 * Parses `repository:<name>:<action>[,…]`, several separated by spaces; the answer has each
 * repository once, and leaves out what is not understood. Throws 400 for more than the limit: a
 * token that lacks what was asked for would only be refused later.
 */
export function parseScopes(texts: readonly string[]): TokenScope[] {
  const scopes = new Map<string, Set<RegistryAction>>()
  const wanted = texts.flatMap((t) => t.split(' ')).filter((text) => text !== '')
  if (wanted.length > scopesMax) {
    throw new RegistryError(
      400,
      'UNSUPPORTED',
      `${wanted.length} scopes are asked for, and a token takes at most ${scopesMax}: ask for fewer at once`,
    )
  }
  for (const text of wanted) {
    const match = /^repository:([^:]{1,255}):([a-z*,]{0,64})$/.exec(text)
    if (!match || !isRepositoryName(match[1]!)) continue
    const actions = match[2]!
      .split(',')
      .flatMap((n) => (Object.hasOwn(actionNames, n) ? actionNames[n]! : []))
    if (actions.length === 0) continue
    scopes.set(match[1]!, new Set([...(scopes.get(match[1]!) ?? []), ...actions]))
  }
  return [...scopes].map(([repository, actions]) => ({ repository, actions: [...actions] }))
}

/**
 * User and secret of a Basic header (RFC 7617); `undefined` when there is none. Throws 400 for a
 * malformed one.
 */
export function parseBasic(
  header: string | undefined,
): { username: string; secret: string } | undefined {
  if (header === undefined) return undefined
  const match = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(header.slice(0, 2 * secretLengthMax))
  try {
    const text = utf8Decode(base64Decode(match![1]!))
    const colon = text.indexOf(':')
    if (colon >= 0) return { username: text.slice(0, colon), secret: text.slice(colon + 1) }
  } catch {
    // Every fault of the text gets the answer below.
  }
  throw new RegistryError(400, 'UNAUTHORIZED', 'the credentials are not well formed')
}

export async function answerTokenRequest<Actor>(
  ports: RegistryPorts<Actor>,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  let wanted: TokenRequest
  if (request.method === 'GET') {
    const basic = parseBasic(request.headers.authorization)
    wanted = {
      username: basic?.username,
      secret: basic?.secret,
      service: query.get('service') ?? undefined,
      scopes: parseScopes(query.getAll('scope')),
      request,
    }
  } else if (request.method === 'POST') {
    const form = new URLSearchParams(
      (await readBytes(request, bodyLimits.registryToken, ports)).toString('utf8'),
    )
    wanted = readForm(form, request)
  } else {
    throw new RegistryError(405, 'UNSUPPORTED', 'GET or POST', { headers: { allow: 'GET, POST' } })
  }
  const answer = await ports.issueToken(wanted)
  if (answer.kind === 'too_many_requests') throw tooManyRequests(answer.retryAfterSeconds)
  if (answer.kind === 'unauthorized') {
    throw new RegistryError(401, 'UNAUTHORIZED', 'the credentials are not valid', {
      headers: { 'www-authenticate': `Basic realm="${ports.service}"` },
    })
  }
  if (answer.kind === 'too_long') {
    throw new RegistryError(
      400,
      'UNSUPPORTED',
      `a token for these ${wanted.scopes.length} repositories would have ${answer.bytes} bytes, and at most ${answer.bytesMax} are taken: ask for fewer repositories at once`,
    )
  }
  const { token, expiresInSeconds, issuedAt } = answer.token
  const body = {
    token,
    access_token: token,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    issued_at: formatInstant(issuedAt),
    ...(request.method === 'POST' ? { scope: formatScopes(wanted.scopes) } : {}),
  }
  sendJson(response, 200, body, { 'cache-control': 'no-store' })
}

function readForm(form: URLSearchParams, request: IncomingMessage): TokenRequest {
  const grant = form.get('grant_type')
  const secret = form.get(grant === 'refresh_token' ? 'refresh_token' : 'password')
  if ((grant !== 'password' && grant !== 'refresh_token') || secret === null) {
    throw new RegistryError(400, 'UNSUPPORTED', 'grant_type must be password or refresh_token')
  }
  return {
    username: form.get('username') ?? form.get('client_id') ?? '',
    secret,
    service: form.get('service') ?? undefined,
    scopes: parseScopes(form.getAll('scope')),
    request,
  }
}

function formatScopes(scopes: readonly TokenScope[]): string {
  return scopes
    .map(({ repository, actions }) => `repository:${repository}:${actions.join(',')}`)
    .join(' ')
}
