/**
 * What a hostile or broken registry can do to our client: nothing but waste a bounded amount of
 * time.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest, HttpResponse } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { digestOf } from '../digests.ts'
import { encodeManifest, mediaTypes } from '../manifests.ts'
import type { RegistryClientOptions } from './client.ts'
import { createRegistryClient } from './client.ts'

const origin = 'https://registry.test'
const content = utf8Encode('0123456789')
const expected = { digest: digestOf(content), size: content.length }

type Answer = Partial<Omit<HttpResponse, 'body'>> & {
  body?: AsyncIterable<Uint8Array> | Uint8Array
}

async function* once(bytes: Uint8Array) {
  yield bytes
}

/** A registry that answers by a function and remembers what it was asked. */
function clientOf(
  answer: (request: HttpRequest) => Answer,
  options: Partial<RegistryClientOptions> = {},
) {
  const requests: HttpRequest[] = []
  const client = createRegistryClient({
    origin,
    ...options,
    transport: async (request) => {
      requests.push(request)
      const { body = new Uint8Array(), ...rest } = answer(request)
      return {
        status: 200,
        headers: {},
        ...rest,
        body: body instanceof Uint8Array ? once(body) : body,
      }
    },
  })
  return { client, requests }
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const piece of source) parts.push(piece)
  return Buffer.concat(parts).toString()
}

const hasCode =
  (code: string, kind: typeof Refusal | typeof TrustError = Refusal) =>
  (error: unknown) => {
    assert.ok(error instanceof kind, String(error))
    assert.equal(error.code, code)
    return true
  }

const breaking = (...parts: string[]) =>
  (async function* () {
    for (const part of parts) yield utf8Encode(part)
    throw new TransportError('unreachable', 'connection reset')
  })()

describe('registry client', () => {
  it('D10 takes a broken blob up again where it broke, whether or not the registry can', async () => {
    for (const isAble of [true, false]) {
      const { client, requests } = clientOf(({ headers }) => {
        const start = Number(/^bytes=(\d+)-$/.exec(headers?.['range'] ?? '')?.[1] ?? 0)
        if (start === 0) return { body: breaking('012', '34') }
        const rest = isAble ? content.subarray(start) : content
        const range = { 'content-range': `bytes ${start}-9/10` }
        const head = isAble ? { status: 206, headers: range } : {}
        return {
          ...head,
          body: start < 7 ? breaking(Buffer.from(rest).toString().slice(0, 7)) : rest,
        }
      })
      assert.equal(await readAll(client.getBlob('a', expected)), '0123456789')
      assert.equal(requests[1]!.headers!['range'], 'bytes=5-')
    }
  })

  it('gives up when several connections in a row bring nothing', async () => {
    const { client, requests } = clientOf(() => ({ body: breaking() }))
    await assert.rejects(readAll(client.getBlob('a', expected)), TransportError)
    assert.equal(requests.length, 3)
  })

  it('T7 arbitrary, short, endless and shifted content', async () => {
    const get = (answer: Answer) => readAll(clientOf(() => answer).client.getBlob('a', expected))
    await assert.rejects(get({ body: utf8Encode('012345678x') }), hasCode('wrong_hash', TrustError))
    await assert.rejects(get({ body: utf8Encode('0123') }), hasCode('wrong_length', TrustError))
    let count = 0
    const endless = async function* () {
      for (;;) {
        count++
        yield utf8Encode('0123456')
      }
    }
    await assert.rejects(get({ body: endless() }), hasCode('endless_data', TrustError))
    assert.ok(count < 4)
    const { client } = clientOf(() => ({
      status: 206,
      headers: { 'content-range': 'bytes 0-9/10' },
      body: content,
    }))
    await assert.rejects(client.getBlobFrom('a', expected, 5), hasCode('malformed_answer'))
  })

  it('T7 manifests: replaced, endless, of another digest', async () => {
    const manifest = encodeManifest({ kind: 'index', mediaType: mediaTypes.index, manifests: [] })
    const { digest } = manifest.descriptor
    const get = (answer: Answer, reference: string = digest) =>
      clientOf(() => answer).client.getManifest('a', reference)
    const good = { headers: { 'content-type': `${mediaTypes.index}; charset=utf-8` } }
    const got = await get({ ...good, body: manifest.bytes })
    assert.deepEqual([got.digest, got.mediaType], [digest, mediaTypes.index])
    await assert.rejects(get({ body: utf8Encode('{}') }), hasCode('wrong_hash', TrustError))
    const named = { headers: { 'docker-content-digest': digest } }
    await assert.rejects(
      get({ ...named, body: utf8Encode('{}') }, 'v1'),
      hasCode('wrong_hash', TrustError),
    )
    const large = (async function* () {
      for (;;) yield new Uint8Array(1024 * 1024)
    })()
    await assert.rejects(get({ body: large }), hasCode('answer_too_large'))
    await assert.rejects(get({ status: 404 }), hasCode('not_found'))
    await assert.rejects(get({ status: 403 }), hasCode('denied'))
    await assert.rejects(get({ status: 500 }), hasCode('unexpected_status'))
    await assert.rejects(get({}, '../x'), hasCode('not_found'))
  })

  it('redirects: followed without credentials, never to http, never for ever', async () => {
    const credentials = { kind: 'bearer' as const, token: async () => 'secret' }
    const to = (location: string) => ({ status: 307, headers: { location } })
    const { client, requests } = clientOf(
      ({ url }) => (url.startsWith(origin) ? to('https://storage.test/x') : { body: content }),
      { credentials },
    )
    assert.equal(await readAll(client.getBlob('a', expected)), '0123456789')
    assert.equal(requests[0]!.headers!['authorization'], 'Bearer secret')
    assert.equal(requests[1]!.headers!['authorization'], undefined)
    for (const location of [
      'http://storage.test/x',
      `${origin}/loop`,
      'https://u:p@storage.test/',
    ]) {
      const hostile = clientOf(() => to(location), { credentials })
      await assert.rejects(
        readAll(hostile.client.getBlob('a', expected)),
        hasCode('redirect_refused'),
      )
      assert.ok(hostile.requests.length <= 5)
    }
  })

  it('the password goes to the registry’s own token service and nowhere else', async () => {
    const credentials = { kind: 'basic' as const, username: 'u', password: 'p' }
    const flow = (realm: string) =>
      clientOf(
        ({ url, headers }) => {
          if (url.includes('/token')) return { body: utf8Encode('{"token":"abc"}') }
          if (headers?.['authorization'] === 'Bearer abc') return { body: content }
          return { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` } }
        },
        { credentials },
      )
    const own = flow(`${origin}/v2/token`)
    assert.equal(await readAll(own.client.getBlob('a', expected)), '0123456789')
    assert.match(own.requests[1]!.headers!['authorization']!, /^Basic /)
    const described = clientOf(
      ({ url, headers }) =>
        url.includes('/token')
          ? { body: utf8Encode('{"access_token":"abc"}') }
          : headers?.['authorization'] === 'Bearer abc'
            ? { body: content }
            : {
                status: 401,
                headers: {
                  'www-authenticate': `Basic realm="x", Bearer realm="${origin}/token",service="s",scope="repository:a:pull,push"`,
                },
              },
      { credentials },
    )
    await readAll(described.client.getBlob('a', expected))
    assert.equal(
      described.requests[1]!.url,
      `${origin}/token?service=s&scope=repository%3Aa%3Apull%2Cpush`,
    )
    const foreign = flow('https://elsewhere.test/token')
    await readAll(foreign.client.getBlob('a', expected))
    assert.equal(foreign.requests[1]!.headers!['authorization'], undefined)
    const plain = flow('http://elsewhere.test/token')
    await assert.rejects(readAll(plain.client.getBlob('a', expected)), hasCode('redirect_refused'))
    const never = clientOf(() => ({ status: 401, headers: {} }), { credentials })
    await assert.rejects(readAll(never.client.getBlob('a', expected)), hasCode('unauthorized'))
  })

  it('uploads do not go to a place that the registry names elsewhere', async () => {
    const { client } = clientOf(({ method }) =>
      method === 'HEAD'
        ? { status: 404 }
        : { status: 202, headers: { location: 'https://elsewhere.test/x' } },
    )
    await assert.rejects(
      client.putBlob('a', expected, () => once(content)),
      hasCode('redirect_refused'),
    )
  })

  it('answers anything that a registry says with codes alone', async () => {
    const header = fc.string({ maxLength: 60 })
    const answer = fc.record({
      status: fc.constantFrom(200, 201, 202, 206, 302, 401, 404, 500),
      headers: fc.record(
        {
          location: header,
          link: fc.oneof(header, fc.constant('</v2/a/tags/list?n=1>; rel="next"')),
          'www-authenticate': header.map((text) => `Bearer ${text}`),
          'content-range': header,
          'docker-content-digest': header,
          'content-type': header,
        },
        { requiredKeys: [] },
      ),
      body: fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.jsonValue().map((value) => utf8Encode(JSON.stringify(value))),
      ),
    })
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const { client } = clientOf(() => ({ ...given, body: Uint8Array.from(given.body) }))
        const calls = [
          () => client.getManifest('a', 'v1'),
          () => client.headManifest('a', 'v1'),
          () => client.listReferrers('a', expected.digest),
          () => client.headBlob('a', expected.digest),
          () => readAll(client.getBlob('a', expected)),
          () => client.putBlob('a', expected, () => once(content)),
        ]
        for (const run of calls) {
          try {
            await run()
          } catch (error) {
            assert.ok(error instanceof Refusal || error instanceof TrustError, String(error))
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})
