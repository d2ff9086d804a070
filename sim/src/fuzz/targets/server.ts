/**
 * What the server reads from strangers: every route's request, registry requests, assertions,
 * credentials; and what clients read from it.
 */
import { createClient, MalformedReplyError } from '@seaworthy/api/client'
import { ProblemError, problemMediaType } from '@seaworthy/api/problems'
import type { Route } from '@seaworthy/api/route'
import { resources, routes } from '@seaworthy/api/routes'
import {
  readAssertionIssuer,
  verifyAssertion,
  RegistryError,
  parseByteRange,
  parsePageSize,
  parseRegistryTarget,
  parseBasic,
  parseScopes,
  parseJson,
  readJsonText,
} from '@seaworthy/server/testing'
import { isRepositoryName } from '@seaworthy/oci/names'
import { base64UrlEncode, hexDecode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { systemClock } from '@seaworthy/std/time'
import { BodyTooLongError } from '@seaworthy/std/http'
import { generateSigner } from '@seaworthy/trust/keys'
import { parseIntent, parseProposal, parseSignatureFile } from '@seaworthy/trust/tuf'
import { Readable } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { exampleOf } from '@seaworthy/api/examples'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

/** `samples`: good bodies of routes that carry documents of a format of their own. */
export async function createServerTargets(
  samples: Readonly<Record<string, unknown>>,
): Promise<FuzzTarget[]> {
  return [
    ...routes.filter(hasBody).map((route) => bodyTarget(route, samples[route.name])),
    ...routes.map(replyTarget),
    addressTarget(),
    problemTarget(),
    ...registryTargets(),
    ...(await assertionTargets()),
  ]
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

/** An example of a part of a route, in the words of what the route is about. */
const exampleIn = (route: Route, part: 'body' | 'params' | 'query' | 'reply') =>
  exampleOf(route[part], { resource: resourceOf.get(route)! })
const resourceOf = new Map(
  Object.entries(resources).flatMap(([resource, own]) => own.map((route) => [route, resource])),
)
const hasBody = (route: Route) => !route.body.safeParse(undefined).success

/** The time never passes: no body takes that long here. */
const ports = { clock: systemClock, sleep: () => new Promise<void>(() => {}) }

/**
 * Reads a body as the server does: bounded, then the schema, then, for proposals, the format that
 * `trust` knows.
 */
function bodyTarget(route: Route, sample: unknown): FuzzTarget {
  return {
    name: `request/${route.name}`,
    form: 'json',
    seeds: [utf8Encode(JSON.stringify(sample ?? exampleIn(route, 'body')))],
    weight: 0.6,
    refusals: [z.ZodError],
    run: async (bytes) => {
      const request = Object.assign(Readable.from([Buffer.from(bytes)]), {
        headers: { 'content-type': 'application/json' },
      })
      const text = await readJsonText(
        request as unknown as IncomingMessage,
        { bytesMax: route.bodyBytesMax, pace: { graceMs: 20_000, bytesPerSecondMin: 1 } },
        ports,
      )
      const value = parseJson(text)
      const body = route.body.parse(value) as Record<string, unknown>
      const written = JSON.stringify(body)
      holds(
        !/\\u(?:0000|d[89a-f])/.test(written),
        'the database can hold it and a signature cover it',
      )
      for (const [member, parse] of [
        ['proposal', parseProposal],
        ['signatures', parseSignatureFile],
        ['intent', (text: Uint8Array) => parseIntent(JSON.parse(utf8Decode(text)))],
      ] as const) {
        if (Object.hasOwn(body, member)) await parse(utf8Encode(JSON.stringify(body[member])))
      }
    },
  }
}

/** A server that lies, or something else that answers in its place. */
function replyTarget(route: Route): FuzzTarget {
  const reply = exampleIn(route, 'reply')
  return {
    name: `reply/${route.name}`,
    form: 'json',
    seeds: [reply === undefined ? new Uint8Array() : utf8Encode(JSON.stringify(reply))],
    weight: 0.3,
    refusals: [MalformedReplyError, BodyTooLongError],
    run: (bytes) => callWith(route, route.status, 'application/json', bytes),
  }
}

function callWith(route: Route, status: number, type: string, bytes: Uint8Array): Promise<unknown> {
  const client = createClient({
    baseUrl: 'https://ship.example',
    transport: async () => ({
      status,
      headers: { 'content-type': type, 'retry-after': String(bytes.length) },
      body: (async function* () {
        yield bytes
      })(),
    }),
  })
  const input = { params: exampleIn(route, 'params'), query: exampleIn(route, 'query') }
  return client.call(route, input)
}

function problemTarget(): FuzzTarget {
  const problem = { type: 'about:blank', title: 'No', status: 403, code: 'denied', detail: 'no' }
  return {
    name: 'reply/problem',
    form: 'json',
    seeds: [utf8Encode(JSON.stringify({ ...problem, issues: [{ path: 'a', message: 'b' }] }))],
    weight: 2,
    refusals: [MalformedReplyError, ProblemError],
    isAlwaysRefused: true,
    run: (bytes) => callWith(routes[0]!, 403, problemMediaType, bytes),
  }
}

/** Path parameters and query of all routes. */
function addressTarget(): FuzzTarget {
  const example = (route: Route) => ({
    params: exampleIn(route, 'params'),
    query: exampleIn(route, 'query'),
  })
  return {
    name: 'request/address',
    form: 'json',
    seeds: routes.map((route) => utf8Encode(JSON.stringify(example(route)))),
    weight: 4,
    refusals: [SyntaxError, z.ZodError],
    run: (bytes) => {
      const value = JSON.parse(
        utf8Decode(new Uint8Array(bytes).map((b) => (b > 127 ? 63 : b))),
      ) as {
        params?: unknown
        query?: unknown
      } | null
      let refused: z.ZodError | undefined
      let takenCount = 0
      for (const route of routes) {
        const params = route.params.safeParse(value?.params)
        const query = route.query.safeParse(value?.query)
        if (params.success && query.success) takenCount++
        refused ??= params.error ?? query.error
      }
      if (takenCount === 0 && refused) throw refused
    },
  }
}

function registryTargets(): FuzzTarget[] {
  const digest = `sha256:${'a'.repeat(64)}`
  const paths = [
    '/v2/',
    '/v2/token?service=s&scope=repository:acme:pull,push',
    `/v2/acme/blobs/uploads/?mount=${digest}&from=other/app`,
    '/v2/acme/app/blobs/uploads/abc-123',
    `/v2/acme/blobs/${digest}`,
    '/v2/acme/manifests/v1.0',
    `/v2/acme/referrers/${digest}?artifactType=a%2Fb`,
    '/v2/acme/tags/list?n=5&last=v1',
  ]
  return [
    {
      name: 'registry/target',
      form: 'bytes',
      seeds: paths.map(utf8Encode),
      weight: 5,
      refusals: [RegistryError],
      run: (bytes) => {
        const { resource, query } = parseRegistryTarget(latin1(bytes))
        parsePageSize(query.get('n'), 1000)
        parseScopes(query.getAll('scope'))
        if ('repository' in resource) holds(isRepositoryName(resource.repository), 'only names')
      },
    },
    {
      name: 'registry/range',
      form: 'bytes',
      seeds: ['bytes=0-499', 'bytes=-5', 'bytes=500-'].map(utf8Encode),
      weight: 2,
      refusals: [RegistryError],
      run: (bytes) => {
        const range = parseByteRange(latin1(bytes), 1000)
        if (range) holds(range.start >= 0 && range.start < range.end && range.end <= 1000, 'inside')
      },
    },
    {
      name: 'registry/basic',
      form: 'bytes',
      seeds: [utf8Encode(`Basic ${btoa('user:sw_token_secret')}`)],
      weight: 2,
      refusals: [RegistryError],
      run: (bytes) => parseBasic(latin1(bytes)),
    },
  ]
}

async function assertionTargets(): Promise<FuzzTarget[]> {
  const signer = await generateSigner('ed25519')
  const now = new Date('2026-03-01T12:00:00Z')
  const seconds = now.getTime() / 1000
  const deviceId = `device_${'0'.repeat(26)}`
  const encode = (value: unknown) => base64UrlEncode(utf8Encode(JSON.stringify(value)))
  const signInput = async (input: string) =>
    utf8Encode(`${input}.${base64UrlEncode(hexDecode(await signer.sign(utf8Encode(input))))}`)
  const claims = {
    iss: deviceId,
    sub: deviceId,
    aud: 'https://ship.example:8443',
    iat: seconds,
    exp: seconds + 300,
    jti: 'a'.repeat(22),
  }
  const header = encode({ alg: 'EdDSA', typ: 'JWT' })
  const whole = await signInput(`${header}.${encode(claims)}`)
  const check = async (text: string) => {
    holds(readAssertionIssuer(text).startsWith('device_'), 'names a device')
    const isOwnOrigin = (origin: string) => origin === claims.aud
    const rules = { isOwnOrigin, challengeKey: utf8Encode('k'.repeat(32)), now }
    const { expiresAt } = await verifyAssertion(text, signer.key, rules)
    holds(expiresAt.getTime() <= now.getTime() + 360_000, 'short-lived')
  }
  return [
    {
      name: 'request/assertion',
      form: 'bytes',
      seeds: [whole],
      weight: 2,
      run: (bytes) => check(latin1(bytes)),
    },
    {
      name: 'request/assertion-claims',
      form: 'json',
      // The device signs it: what it may claim is bounded all the same.
      seeds: [utf8Encode(JSON.stringify(claims))],
      weight: 2,
      wrap: (bytes) => signInput(`${header}.${base64UrlEncode(bytes)}`),
      run: (bytes) => check(latin1(bytes)),
    },
  ]
}
