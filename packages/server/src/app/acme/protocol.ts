/**
 * The client's side of ACME (RFC 8555): signed requests to one authority, and the way from an order
 * to its certificate. What the authority answers is bounded and parsed once; the certificate that
 * it makes is judged elsewhere.
 */
import type { KeyObject } from 'node:crypto'
import { createHash, createHmac, createPublicKey, sign } from 'node:crypto'
import { base64UrlEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpResponse, Transport } from '@seaworthy/std/http'
import { BodyTooLongError, readBody, TransportError } from '@seaworthy/std/http'
import { parseAnyJson } from '@seaworthy/std/json'
import type { Sleep } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import type { ChallengeKind } from '../../config/config.ts'
import { AcmeError, explainProblem } from './problems.ts'

export interface AcmePorts {
  readonly transport: Transport
  readonly sleep: Sleep
  readonly signal: AbortSignal
}

export interface AcmeOrder {
  readonly directory: string
  /** The key of the account, ECDSA P-256. */
  readonly accountKey: KeyObject
  readonly email: string | null
  readonly binding: AccountBinding | null
  readonly names: readonly string[]
  /** The request (PKCS #10) in DER form. */
  readonly request: Uint8Array
  /** How the authority is shown that a name is ours. */
  readonly kind: ChallengeKind
  /** Makes the answer to a challenge readable for the authority before it resolves. */
  publish(challenge: AcmeChallenge): Promise<void>
}

/** What binds an account to one that was made with the authority before (RFC 8555, 7.3.4). */
export interface AccountBinding {
  readonly keyId: string
  readonly key: Uint8Array
}

/** What the authority wants to read. */
export interface AcmeChallenge {
  readonly name: string
  readonly token: string
  readonly answer: string
}

const answerBytesMax = 256 * 1024
/** Authorities throw a nonce away whenever they like; a new one comes with that refusal. */
const noncesMax = 8
const pollsMax = 60
const pollMs = { least: 1 * secondMs, most: 30 * secondMs }
const tokenForm = /^[A-Za-z0-9_-]{1,128}$/

type Members = Readonly<Record<string, unknown>>

/** The chain of the new certificate in PEM, not judged yet. Throws `AcmeError`. */
export async function orderCertificate(order: AcmeOrder, ports: AcmePorts): Promise<string> {
  const session = await openSession(order, ports)
  const { location, body } = await session.post(session.directory.newOrder, {
    identifiers: order.names.map((value) => ({ type: 'dns', value })),
  })
  const { readUrl } = session
  const orderUrl = readUrl(location, 'the address of the order')
  for (const url of listOf(body, 'authorizations')) {
    await prove(order, session, readUrl(url, 'the address of an authorization'))
  }
  const ready = await waitFor(ports, session, orderUrl, ['ready', 'valid'])
  if (ready['status'] === 'ready') {
    const csr = base64UrlEncode(order.request)
    await session.post(readUrl(ready['finalize'], 'the address to finalize'), { csr })
  }
  const done = await waitFor(ports, session, orderUrl, ['valid'])
  const { bytes } = await session.post(readUrl(done['certificate'], 'the certificate'))
  try {
    return utf8Decode(bytes)
  } catch (cause) {
    throw malformed('the certificate is no text', cause)
  }
}

/** Shows the authority that one of the names is ours. */
async function prove(order: AcmeOrder, session: Session, url: string): Promise<void> {
  const { readUrl } = session
  const { kind } = order
  const { body } = await session.post(url)
  if (body['status'] === 'valid') return
  const { value } = membersOf(body['identifier'])
  const name = typeof value === 'string' ? value.toLowerCase() : ''
  if (!order.names.includes(name)) throw malformed('it asks about a name that was not ordered')
  if (body['status'] !== 'pending') throw explainProblem(problemIn(body), { name, kind })
  const challenge = listOf(body, 'challenges')
    .map(membersOf)
    .find(({ type }) => type === kind)
  if (challenge === undefined) {
    throw new AcmeError(
      `the authority offers no ${kind} for ${name}: choose another proof with --acme-challenge, or another authority`,
    )
  }
  const { token } = challenge
  if (typeof token !== 'string' || !tokenForm.test(token)) throw malformed('a token is out of form')
  await order.publish({ name, token, answer: `${token}.${session.thumbprint}` })
  await session.post(readUrl(challenge['url'], 'the address of a challenge'), {})
  await waitFor(session.ports, session, url, ['valid'], { name, kind })
}

/** Asks until the state is one of those. */
async function waitFor(
  { sleep, signal }: AcmePorts,
  session: Session,
  url: string,
  wanted: readonly string[],
  about: { readonly name?: string; readonly kind?: ChallengeKind } = {},
): Promise<Members> {
  for (let polls = 0; polls < pollsMax; polls++) {
    const { body, retryAfterMs } = await session.post(url)
    const status = body['status']
    if (typeof status === 'string' && wanted.includes(status)) return body
    if (status !== 'pending' && status !== 'processing' && status !== 'ready') {
      throw explainProblem(problemIn(body), about)
    }
    const waitMs = Math.max(pollMs.least, Math.min(retryAfterMs ?? 0, pollMs.most))
    await sleep(waitMs, signal)
  }
  throw new AcmeError(
    `the authority did not decide within ${pollsMax} questions: see what it says about its state`,
  )
}

/** The problem of a failed order or authorization; of an authorization it stands in a challenge. */
function problemIn(body: Members): Members {
  const challenges = Array.isArray(body['challenges']) ? body['challenges'].map(membersOf) : []
  const found = [body, ...challenges].find(({ error }) => error !== undefined)
  return found === undefined ? {} : membersOf(found['error'])
}

interface Reply {
  readonly body: Members
  readonly bytes: Uint8Array
  readonly location: string | undefined
  readonly retryAfterMs: number | undefined
}

interface Session {
  readonly ports: AcmePorts
  readonly directory: { readonly newNonce: string; readonly newOrder: string }
  readonly thumbprint: string
  /** A signed request; without a payload it only reads. */
  post(url: string, payload?: object): Promise<Reply>
  /** An address that the authority gives, which must be one of its own. */
  readonly readUrl: (value: unknown, what: string) => string
}

async function openSession(order: AcmeOrder, ports: AcmePorts): Promise<Session> {
  const { accountKey: key, email, binding } = order
  const jwk = jwkOf(key)
  const { origin } = new URL(order.directory)
  const readUrl = (value: unknown, what: string) => readUrlOf(origin, value, what)
  let nonce: string | undefined

  const exchange = async (method: string, url: string, body?: Uint8Array) => {
    const headers = {
      // Authorities refuse clients that do not say what they are.
      'user-agent': 'seaworthy',
      ...(body === undefined ? {} : { 'content-type': 'application/jose+json' }),
    }
    const { signal } = ports
    const response = await ports.transport({
      ...{ method, url, headers, signal },
      ...(body === undefined ? {} : { body }),
    })
    nonce = response.headers['replay-nonce']
    return { response, bytes: await readBody(response, answerBytesMax) }
  }
  const answered = await exchange('GET', order.directory)
  if (answered.response.status !== 200) {
    throw malformed(`its directory is answered with status ${answered.response.status}`)
  }
  const found = parseMembers(answered.bytes)
  const directory = {
    newNonce: readUrl(found['newNonce'], 'newNonce'),
    newAccount: readUrl(found['newAccount'], 'newAccount'),
    newOrder: readUrl(found['newOrder'], 'newOrder'),
  }

  const postAs = async (
    signer: { jwk: Jwk } | { kid: string },
    url: string,
    payload: object | undefined,
  ): Promise<Reply> => {
    for (let tries = 1; ; tries++) {
      if (nonce === undefined) await exchange('HEAD', directory.newNonce)
      if (nonce === undefined) throw malformed('it gives no nonce')
      const body = signRequest(key, { alg: 'ES256', nonce, url, ...signer }, payload)
      nonce = undefined
      const { response, bytes } = await exchange('POST', url, body)
      if (response.status < 300) return readReply(response, bytes)
      const problem = parseProblem(bytes)
      if (problem['type'] === 'urn:ietf:params:acme:error:badNonce' && tries < noncesMax) continue
      throw explainProblem(problem, {
        retryAfterMs: retryAfterOf(response),
        status: response.status,
        isAccount: 'jwk' in signer,
      })
    }
  }
  const account = await postAs({ jwk }, directory.newAccount, {
    termsOfServiceAgreed: true,
    ...(email === null ? {} : { contact: [`mailto:${email}`] }),
    ...(binding === null
      ? {}
      : { externalAccountBinding: bind(binding, directory.newAccount, jwk) }),
  })
  const kid = readUrl(account.location, 'the address of the account')
  const post = (url: string, payload?: object) => postAs({ kid }, url, payload)
  return { ports, directory, thumbprint: thumbprintOf(jwk), post, readUrl }
}

interface Jwk {
  readonly crv: string
  readonly kty: string
  readonly x: string
  readonly y: string
}

function jwkOf(key: KeyObject): Jwk {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' })
  return { crv: crv!, kty: kty!, x: x!, y: y! }
}

/** RFC 7638: the members in the order of their names, without blanks. */
function thumbprintOf({ crv, kty, x, y }: Jwk): string {
  const text = JSON.stringify({ crv, kty, x, y })
  return base64UrlEncode(createHash('sha256').update(text).digest())
}

const part = (value: object) => base64UrlEncode(utf8Encode(JSON.stringify(value)))

/** The key of our account, signed with the key that the operator got for the other account. */
function bind({ keyId, key }: AccountBinding, url: string, jwk: Jwk): object {
  const head = part({ alg: 'HS256', kid: keyId, url })
  const content = part(jwk)
  const signature = createHmac('sha256', key).update(`${head}.${content}`).digest()
  return { protected: head, payload: content, signature: base64UrlEncode(signature) }
}

function signRequest(key: KeyObject, header: object, payload: object | undefined): Uint8Array {
  const head = part(header)
  const content = payload === undefined ? '' : part(payload)
  const signature = sign('sha256', utf8Encode(`${head}.${content}`), {
    ...{ key, dsaEncoding: 'ieee-p1363' },
  })
  return utf8Encode(
    JSON.stringify({ protected: head, payload: content, signature: base64UrlEncode(signature) }),
  )
}

function readReply(response: HttpResponse, bytes: Uint8Array): Reply {
  const isJson = response.headers['content-type']?.startsWith('application/json') === true
  return {
    bytes,
    body: isJson ? parseMembers(bytes) : {},
    location: response.headers['location'],
    retryAfterMs: retryAfterOf(response),
  }
}

function retryAfterOf({ headers }: HttpResponse): number | undefined {
  const text = headers['retry-after'] ?? ''
  return /^\d{1,7}$/.test(text) ? Number(text) * secondMs : undefined
}

function parseProblem(bytes: Uint8Array): Members {
  try {
    return parseMembers(bytes)
  } catch {
    // The status says enough.
    return {}
  }
}

function parseMembers(bytes: Uint8Array): Members {
  try {
    return membersOf(parseAnyJson(bytes))
  } catch (cause) {
    if (cause instanceof AcmeError) throw cause
    throw malformed('an answer is no JSON', cause)
  }
}

function membersOf(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('an answer is no object')
  }
  return value as Members
}

function listOf(members: Members, name: string): readonly unknown[] {
  const list = members[name]
  if (!Array.isArray(list) || list.length > 200) throw malformed(`${name} is no list`)
  return list
}

/** An authority cannot make this server ask others: all its addresses have one origin. */
function readUrlOf(origin: string, value: unknown, what: string): string {
  const url = typeof value === 'string' && value.length <= 2000 ? URL.parse(value) : null
  if (url === null || url.origin !== origin || url.username !== '' || url.password !== '') {
    throw malformed(`${what} is not below ${origin}`)
  }
  return url.href
}

function malformed(what: string, cause?: unknown): AcmeError {
  return new AcmeError(
    `the authority does not speak ACME as it should: ${what}; see whether --acme-directory is the address of a directory`,
    { cause },
  )
}

/** The sentence for what went wrong on the way to the authority; other errors are bugs. */
export function asAcmeError(error: unknown, directory: string): AcmeError | undefined {
  if (error instanceof AcmeError) return error
  if (error instanceof TransportError) {
    const { host } = new URL(directory)
    const wayOut =
      error.code === 'tls'
        ? 'where it is not a public one, give its root with --acme-ca'
        : 'let this server reach it'
    return new AcmeError(
      `the authority at ${host} could not be asked: ${error.message}; ${wayOut}`,
      { cause: error },
    )
  }
  if (error instanceof BodyTooLongError) return malformed('an answer is too long', error)
  return undefined
}
