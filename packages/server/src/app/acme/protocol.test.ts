/** An authority that lies, stalls or floods gets an error with a name, and nothing else. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest, HttpResponse } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import { parseAnyJson } from '@seaworthy/std/json'
import type { ChallengeKind } from '../../config/config.ts'
import { AcmeError } from './problems.ts'
import type { AcmeChallenge } from './protocol.ts'
import { asAcmeError, orderCertificate } from './protocol.ts'

const base = 'https://authority.example'
const { privateKey: accountKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly body?: AsyncIterable<Uint8Array>
}

/** What an authority says that does all as it should; a test changes some of it. */
const honest: Readonly<Record<string, Reply>> = {
  '/dir': {
    json: { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/orders` },
  },
  '/nonce': {},
  '/account': { status: 201, headers: { location: `${base}/account/1` }, json: {} },
  '/orders': {
    ...{ status: 201, headers: { location: `${base}/order` } },
    json: { status: 'pending', authorizations: [`${base}/authorization`] },
  },
  '/authorization': {
    json: {
      status: 'valid',
      identifier: { type: 'dns', value: 'ship.example' },
      challenges: [{ type: 'http-01', url: `${base}/challenge`, token: 'token' }],
    },
  },
  '/challenge': { json: {} },
  '/order': {
    json: { status: 'valid', finalize: `${base}/finalize`, certificate: `${base}/certificate` },
  },
  '/certificate': {
    headers: { 'content-type': 'application/pem-certificate-chain' },
    body: pieces(utf8Encode('the chain')),
  },
}

function pieces(...list: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      yield* list
    },
  }
}

function withJson(path: string, part: object): Record<string, Reply> {
  return { [path]: { ...honest[path], json: { ...(honest[path]!.json as object), ...part } } }
}

async function orderFrom(
  changed: Readonly<Record<string, Reply>>,
  { givesNonces = true, kind = 'http-01' }: { givesNonces?: boolean; kind?: ChallengeKind } = {},
) {
  const asked: HttpRequest[] = []
  const published: AcmeChallenge[] = []
  const transport = async (request: HttpRequest): Promise<HttpResponse> => {
    asked.push(request)
    const { origin, pathname } = new URL(request.url)
    assert.equal(origin, base, 'nobody else is asked')
    const { status = 200, headers = {}, json, body } = { ...honest, ...changed }[pathname]!
    return {
      status,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(givesNonces ? { 'replay-nonce': `nonce-${asked.length}` } : {}),
        ...headers,
      },
      body: body ?? pieces(utf8Encode(json === undefined ? '' : JSON.stringify(json))),
    }
  }
  const directory = `${base}/dir`
  const ended = orderCertificate(
    {
      ...{ directory, accountKey, email: null, binding: null, names: ['ship.example'], kind },
      request: new Uint8Array([1]),
      publish: async (challenge) => void published.push(challenge),
    },
    { transport, sleep: async () => undefined, signal: new AbortController().signal },
  )
  const result = await ended.catch((error: unknown) => asAcmeError(error, directory) ?? error)
  return { result, asked, published }
}

test('A6 an order ends with the chain; each request is signed for its address and a fresh nonce', async () => {
  const { result, asked } = await orderFrom({})
  assert.equal(result, 'the chain')
  const nonces = asked
    .filter(({ method }) => method === 'POST')
    .map(({ body, url }) => {
      const { protected: head } = parseAnyJson(body as Uint8Array) as { protected: string }
      const read = parseAnyJson(Buffer.from(head, 'base64url')) as Record<string, unknown>
      assert.equal(read['url'], url)
      assert.equal(read['alg'], 'ES256')
      assert.equal('jwk' in read, url.endsWith('/account'))
      return read['nonce']
    })
  assert.ok(nonces.length >= 5)
  assert.equal(new Set(nonces).size, nonces.length)
})

const flood = async function* () {
  for (;;) yield new Uint8Array(64 * 1024)
}
const problem = (type: string, detail = 'so it is') => ({
  type: `urn:ietf:params:acme:error:${type}`,
  detail,
})

/** What the authority does, and what is said of it. */
const faults: readonly (readonly [
  what: string,
  changed: Readonly<Record<string, Reply>>,
  said: RegExp,
])[] = [
  ['a directory without end', { '/dir': { body: flood() } }, /an answer is too long/],
  ['a certificate without end', { '/certificate': { body: flood() } }, /an answer is too long/],
  ['a refusal without end', { '/orders': { status: 400, body: flood() } }, /an answer is too long/],
  [
    'a certificate that is no text',
    { '/certificate': { body: pieces(new Uint8Array([0xff, 0xfe])) } },
    /the certificate is no text/,
  ],
  ['a directory that is none', { '/dir': { body: pieces(utf8Encode('<html>')) } }, /is no JSON/],
  ['a directory that is gone', { '/dir': { status: 404 } }, /status 404/],
  ['a redirect', { '/dir': { status: 302, headers: { location: 'https://x.example' } } }, /302/],
  [
    'an address of another host',
    withJson('/dir', { newOrder: 'https://internal.example/' }),
    /newOrder is not below https:\/\/authority\.example/,
  ],
  [
    'an address without TLS',
    withJson('/dir', { newNonce: 'http://authority.example/' }),
    /newNonce/,
  ],
  [
    'an order at another port',
    { '/orders': { ...honest['/orders'], headers: { location: `${base}:444/order` } } },
    /address of the order is not below/,
  ],
  [
    'an authorization of another host',
    withJson('/orders', { authorizations: ['https://127.0.0.1/'] }),
    /an authorization is not below/,
  ],
  [
    'a certificate of another host',
    withJson('/order', { certificate: 'https://x.example/' }),
    /certificate is not below/,
  ],
  [
    'authorizations without end',
    withJson('/orders', { authorizations: Array.from({ length: 201 }, () => `${base}/a`) }),
    /authorizations is no list/,
  ],
  [
    'a name that nobody ordered',
    withJson('/authorization', {
      status: 'pending',
      identifier: { type: 'dns', value: 'other.example' },
    }),
    /a name that was not ordered/,
  ],
  [
    'a token that is a path',
    withJson('/authorization', {
      status: 'pending',
      challenges: [{ type: 'http-01', url: `${base}/challenge`, token: '../../x' }],
    }),
    /a token is out of form/,
  ],
  [
    'no proof that this server can give',
    withJson('/authorization', { status: 'pending', challenges: [{ type: 'dns-01' }] }),
    /offers no http-01 for ship\.example/,
  ],
  ['endless processing', withJson('/order', { status: 'processing' }), /did not decide/],
  ['endless pending', withJson('/authorization', { status: 'pending' }), /did not decide/],
  [
    'nonces that are never good',
    { '/orders': { status: 400, json: problem('badNonce') } },
    /refused \(status 400\)/,
  ],
  [
    'a limit',
    {
      '/orders': { status: 429, headers: { 'retry-after': '7200' }, json: problem('rateLimited') },
    },
    /has a limit.*asked again when it allows/,
  ],
  [
    'changed terms',
    { '/account': { status: 403, json: problem('userActionRequired') } },
    /changed its terms/,
  ],
  [
    'an account that must be bound',
    { '/account': { status: 403, json: problem('externalAccountRequired') } },
    /--acme-binding-id/,
  ],
  [
    'a CAA record',
    withJson('/authorization', { status: 'invalid', challenges: [{ error: problem('caa') }] }),
    /CAA record forbids the authority to issue for ship\.example/,
  ],
  [
    'one of many names',
    {
      '/orders': {
        status: 403,
        json: {
          type: 'urn:ietf:params:acme:error:compound',
          subproblems: [
            {
              ...problem('rejectedIdentifier'),
              identifier: { type: 'dns', value: 'ship.example' },
            },
          ],
        },
      },
    },
    /makes no certificate for ship\.example/,
  ],
  [
    'a text that steers terminals',
    { '/orders': { status: 403, json: problem('malformed', '\u001b[2J\u202e') } },
    /It said: "\\u\{1b\}\[2J\\u\{202e\}"/,
  ],
  ['a problem that is none', { '/orders': { status: 500, json: [1] } }, /refused \(status 500\)/],
]

for (const [what, changed, said] of faults) {
  test(`A6 attack: an authority answers with ${what}, and is named with a cause`, async () => {
    const { result, asked } = await orderFrom(changed)
    assert.ok(result instanceof AcmeError, String(result))
    assert.match(result.message, said)
    assert.ok(asked.length < 100, 'it is not asked for ever')
  })
}

test('A6 attack: an authority that gives no nonce is not asked for ever', async () => {
  const { result, asked } = await orderFrom({}, { givesNonces: false })
  assert.ok(result instanceof AcmeError)
  assert.match(result.message, /gives no nonce/)
  assert.ok(asked.length < 5)
})

test('A6 an account that the authority does not want any more is replaced, and no other', async () => {
  const refused = { status: 401, json: problem('unauthorized') }
  for (const [path, isAccountRefused] of [
    ['/account', true],
    ['/orders', false],
  ] as const) {
    const { result } = await orderFrom({ [path]: refused })
    assert.ok(result instanceof AcmeError)
    assert.equal(result.isAccountRefused, isAccountRefused)
  }
})

test('A6 an authority says how long it wants to be left alone, at most a week', async () => {
  for (const [text, ms] of [
    ['7200', 7_200_000],
    ['9999999', 7 * 24 * 3_600_000],
    ['soon', undefined],
  ] as const) {
    const headers = { 'retry-after': text }
    const { result } = await orderFrom({
      '/orders': { status: 429, headers, json: problem('rateLimited') },
    })
    assert.ok(result instanceof AcmeError)
    assert.equal(result.retryAfterMs, ms)
  }
})

test('A6 a name is proved as the operator says, and in no other way', async () => {
  const both = [
    { type: 'http-01', url: `${base}/refused`, token: 'token' },
    { type: 'tls-alpn-01', url: `${base}/challenge`, token: 'another' },
  ]
  const authorization = withJson('/authorization', { status: 'pending', challenges: both })
  const { published } = await orderFrom(authorization, { kind: 'tls-alpn-01' })
  assert.deepEqual(
    published.map(({ token }) => token),
    ['another'],
  )
  const [http] = both
  const { result } = await orderFrom(
    withJson('/authorization', { status: 'pending', challenges: [http] }),
    { kind: 'tls-alpn-01' },
  )
  assert.match(String(result), /offers no tls-alpn-01 for ship\.example.*--acme-challenge/)
  const failed = withJson('/authorization', {
    ...{ status: 'invalid', challenges: [{ error: problem('connection') }] },
  })
  const refused = await orderFrom(failed, { kind: 'tls-alpn-01' })
  assert.match(String(refused.result), /ship\.example on port 443.*through to --listen/)
})

test('A6 a challenge is answered with the token and the thumbprint of the account', async () => {
  const { published } = await orderFrom(withJson('/authorization', { status: 'pending' }))
  const [challenge] = published
  assert.equal(challenge?.name, 'ship.example')
  assert.match(challenge?.answer ?? '', /^token\.[A-Za-z0-9_-]{43}$/)
})

test('A6 an authority that cannot be reached, or cannot prove who it is, is named with a way out', () => {
  const say = (error: unknown) => asAcmeError(error, `${base}/dir`)?.message
  assert.match(say(new TransportError('unreachable', 'refused'))!, /authority\.example.*reach it/)
  assert.match(say(new TransportError('tls', 'no proof'))!, /--acme-ca/)
  assert.equal(say(new TypeError('a bug')), undefined)
})
