/**
 * A walk through the distribution specification, after its conformance suite: push, pull, discovery
 * and management, over real HTTP.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import { createServer, request as startRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { copyContent, storeContent } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { digestOf } from '@seaworthy/oci/digests'
import type { Descriptor, Manifest } from '@seaworthy/oci/manifests'
import { emptyDescriptor, encodeManifest, mediaTypes } from '@seaworthy/oci/manifests'
import { createRegistryClient, registryContent } from '@seaworthy/oci/registry/client'
import type { RegistryStore } from '@seaworthy/oci/store'
import { openDiskStore } from '@seaworthy/oci/store/disk'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { createS3Client, openS3Store } from '@seaworthy/oci/store/s3'
import { lacksObjectStore, startObjectStore } from '@seaworthy/oci/store/s3/testing'
import { httpsTransport } from '@seaworthy/oci/transport'
import { seededRandom, systemRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { silentLog } from '@seaworthy/std/log'
import { waitUntil } from '@seaworthy/std/testing'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { RegistryEvent } from './ports.ts'
import { endlessSpace } from '../../testing/registry-space.ts'
import { createRegistryHandler } from './index.ts'
import { parseBasic, parseScopes } from './tokens.ts'

interface World {
  url: string
  store: RegistryStore
  events: RegistryEvent<string>[]
  /** How many changes are left. */
  changesLeft: number
  roots: Digest[]
  releaseTags: Map<string, Digest | null>
  server: Server
}

/** `all-pass` may do everything, `read-pass` pulls only, and `locked/…` is for nobody. */
async function serve(store: RegistryStore): Promise<World> {
  const world: World = {
    url: '',
    store,
    events: [],
    changesLeft: Infinity,
    roots: [],
    releaseTags: new Map(),
    server: createServer(),
  }
  const handler = createRegistryHandler<string>({
    store,
    log: silentLog,
    clock: systemClock,
    sleep: systemSleep,
    service: 'registry.test',
    uploadBytesMax: 50_000_000,
    tokenUrl: () => `${world.url}/v2/token`,
    roots: async () => world.roots,
    releaseTags: async () => world.releaseTags,
    space: endlessSpace,
    spendChange: async () => (world.changesLeft-- > 0 ? undefined : 3),
    onEvent: async (event) => void world.events.push(event),
    async authorize(request, access) {
      const token = /^Bearer token-(.+)$/.exec(request.headers.authorization ?? '')?.[1]
      if (token === undefined) return { kind: 'unauthorized' }
      if (token === 'busy') return { kind: 'too_many_requests', retryAfterSeconds: 7 }
      if (access.repository === null) return { kind: 'allowed', actor: token }
      if (access.repository.startsWith('locked/')) return { kind: 'denied' }
      // Good for one repository alone, as the tokens are that clients ask for.
      const only = /^only-(.+)$/.exec(token)?.[1]
      if (only !== undefined) {
        return access.repository === only
          ? { kind: 'allowed', actor: token }
          : { kind: 'unauthorized' }
      }
      if (token !== 'all-pass' && access.action !== 'pull') return { kind: 'denied' }
      return { kind: 'allowed', actor: token }
    },
    async issueToken({ secret }) {
      if (secret !== 'all-pass' && secret !== 'read-pass') return { kind: 'unauthorized' }
      const token = { token: `token-${secret}`, expiresInSeconds: 300, issuedAt: new Date(0) }
      return { kind: 'issued', token }
    },
  })
  world.server.on('request', (request, response) => void handler(request, response))
  await new Promise<void>((resolve) => world.server.listen(0, '127.0.0.1', resolve))
  world.url = `http://127.0.0.1:${(world.server.address() as AddressInfo).port}`
  return world
}

const blob = (text: string) => {
  const bytes = Buffer.from(text)
  return { bytes, digest: digestOf(bytes), size: bytes.length }
}

function walk(
  name: string,
  open: () => Promise<{ store: RegistryStore; close: () => Promise<void> }>,
  skip: string | false = false,
) {
  describe(`registry on ${name}`, { skip }, () => {
    let world: World
    let close: () => Promise<void>
    before(async () => {
      const opened = await open()
      close = opened.close
      world = await serve(opened.store)
    })
    after(async () => {
      world.server.closeAllConnections()
      world.server.close()
      await close()
    })

    const call = async (
      method: string,
      path: string,
      options: {
        body?: Uint8Array | string
        headers?: Record<string, string>
        token?: string
      } = {},
    ) => {
      const response = await fetch(new URL(path, world.url), {
        method,
        headers: {
          authorization: `Bearer ${options.token ?? 'token-all-pass'}`,
          ...options.headers,
        },
        redirect: 'manual',
        ...(options.body === undefined ? {} : { body: Buffer.from(options.body) }),
      })
      const bytes = Buffer.from(await response.arrayBuffer())
      return { status: response.status, headers: response.headers, bytes }
    }
    const requireError = (
      answer: Awaited<ReturnType<typeof call>>,
      status: number,
      code: string,
    ) => {
      const body = JSON.parse(answer.bytes.toString()) as { errors: { code: string }[] }
      assert.deepEqual([answer.status, body.errors[0]!.code], [status, code])
    }
    const begin = async (repository: string) => {
      const answer = await call('POST', `/v2/${repository}/blobs/uploads/`)
      assert.equal(answer.status, 202)
      return answer.headers.get('location')!
    }
    const push = async (repository: string, content: string) => {
      const { bytes, digest, size } = blob(content)
      const location = await begin(repository)
      const answer = await call('PUT', `${location}?digest=${digest}`, { body: bytes })
      assert.equal(answer.status, 201)
      return { mediaType: 'application/octet-stream', digest, size }
    }
    const putImage = async (
      repository: string,
      reference: string | undefined,
      layer: string,
      subject?: Descriptor,
    ) => {
      const layers = [await push(repository, layer)]
      await push(repository, '{}')
      const manifest: Manifest = {
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: `application/x-${layer}`,
        config: emptyDescriptor,
        layers,
        ...(subject ? { subject } : {}),
      }
      const { bytes, descriptor } = encodeManifest(manifest)
      const answer = await call(
        'PUT',
        `/v2/${repository}/manifests/${reference ?? descriptor.digest}`,
        {
          body: bytes,
          headers: { 'content-type': descriptor.mediaType },
        },
      )
      return { answer, bytes, descriptor, layer: layers[0]! }
    }

    it('end-1: says that it speaks the API, and asks for credentials', async () => {
      assert.equal((await call('GET', '/v2/')).status, 200)
      const answer = await call('GET', '/v2/', { token: 'wrong' })
      requireError(answer, 401, 'UNAUTHORIZED')
      assert.equal(
        answer.headers.get('www-authenticate'),
        `Bearer realm="${world.url}/v2/token",service="registry.test"`,
      )
    })

    it('B10 authorization: 401 with the scope wanted, 403, 429, before anything is looked up', async () => {
      const anonymous = await call('GET', '/v2/none/blobs/' + blob('x').digest, { token: 'wrong' })
      requireError(anonymous, 401, 'UNAUTHORIZED')
      assert.match(anonymous.headers.get('www-authenticate')!, /scope="repository:none:pull"$/)
      const pushing = await call('POST', '/v2/none/blobs/uploads/', { token: 'wrong' })
      assert.match(pushing.headers.get('www-authenticate')!, /scope="repository:none:pull,push"$/)
      const reader = { token: 'token-read-pass' }
      requireError(await call('POST', '/v2/none/blobs/uploads/', reader), 403, 'DENIED')
      requireError(
        await call('PUT', '/v2/none/manifests/a', { ...reader, body: '{}' }),
        403,
        'DENIED',
      )
      requireError(await call('DELETE', '/v2/none/manifests/a', reader), 403, 'DENIED')
      requireError(await call('GET', '/v2/locked/a/tags/list'), 403, 'DENIED')
      const busy = await call('GET', '/v2/none/tags/list', { token: 'token-busy' })
      requireError(busy, 429, 'TOOMANYREQUESTS')
      assert.equal(busy.headers.get('retry-after'), '7')
    })

    it('end-4a, end-6: POST then PUT', async () => {
      const { digest, size } = await push('push', 'monolithic')
      const head = await call('HEAD', `/v2/push/blobs/${digest}`)
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-length'), String(size))
      assert.equal(head.headers.get('docker-content-digest'), digest)
      const location = await begin('push')
      const wrong = await call('PUT', `${location}?digest=${digest}`, { body: 'other' })
      requireError(wrong, 400, 'DIGEST_INVALID')
      const again = await begin('push')
      requireError(await call('PUT', again, { body: 'x' }), 400, 'DIGEST_INVALID')
      requireError(
        await call('PUT', `${again}?digest=md5:00`, { body: 'x' }),
        400,
        'DIGEST_INVALID',
      )
    })

    it('end-4b: a single POST, SHA-512 too', async () => {
      const { bytes, digest } = blob('single post')
      for (const wanted of [digest, digestOf(bytes, 'sha512')]) {
        const answer = await call('POST', `/v2/push/blobs/uploads/?digest=${wanted}`, {
          body: bytes,
        })
        assert.equal(answer.status, 201)
        assert.equal(answer.headers.get('location'), `/v2/push/blobs/${wanted}`)
        const got = await call('GET', `/v2/push/blobs/${encodeURIComponent(wanted)}`)
        assert.deepEqual(got.bytes, bytes)
      }
    })

    it('end-5, end-6, end-13: chunks in order, 416 for others, status, resumption', async () => {
      const whole = Buffer.from(seededRandom(5).bytes(30_000))
      const digest = digestOf(whole)
      const location = await begin('push')
      const chunk = (start: number, end: number, range = `${start}-${end - 1}`) =>
        call('PATCH', location, {
          body: whole.subarray(start, end),
          headers: { 'content-range': range, 'content-type': 'application/octet-stream' },
        })
      const early = await chunk(10_000, 20_000)
      requireError(early, 416, 'BLOB_UPLOAD_INVALID')
      assert.equal(early.headers.get('location'), location)
      const first = await chunk(0, 10_000)
      assert.deepEqual([first.status, first.headers.get('range')], [202, '0-9999'])
      requireError(await chunk(0, 10_000), 416, 'BLOB_UPLOAD_INVALID')
      requireError(await chunk(10_000, 20_000, 'garbage'), 416, 'BLOB_UPLOAD_INVALID')
      requireError(await chunk(10_000, 20_000, '10000-10005'), 400, 'SIZE_INVALID')
      const status = await call('GET', location)
      assert.deepEqual([status.status, status.headers.get('range')], [204, '0-9999'])
      assert.equal((await chunk(10_000, 20_000)).headers.get('range'), '0-19999')
      const done = await call('PUT', `${location}?digest=${digest}`, {
        body: whole.subarray(20_000),
        headers: { 'content-range': '20000-29999' },
      })
      assert.equal(done.status, 201)
      assert.deepEqual((await call('GET', `/v2/push/blobs/${digest}`)).bytes, whole)
      requireError(await call('GET', location), 404, 'BLOB_UPLOAD_UNKNOWN')
    })

    it('a connection that breaks in the middle of a chunk loses nothing that came', async () => {
      const whole = Buffer.from(seededRandom(6).bytes(60_000))
      const location = await begin('push')
      const { port, hostname } = new URL(world.url)
      const socket = connect(Number(port), hostname)
      socket.on('error', () => {})
      socket.write(
        `PATCH ${location} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-all-pass\r\ncontent-length: 60000\r\n\r\n`,
      )
      const [request] = (await once(world.server, 'request')) as [IncomingMessage]
      socket.write(whole.subarray(0, 40_000))
      await waitUntil(
        'it came',
        () => request.socket.bytesRead > 40_000 && request.readableLength === 0,
      )
      socket.destroy()
      await waitUntil('what came is kept', async () => {
        return (await call('GET', location)).headers.get('range') === '0-39999'
      })
      const done = await call('PUT', `${location}?digest=${digestOf(whole)}`, {
        body: whole.subarray(40_000),
      })
      assert.equal(done.status, 201)
    })

    it('end-14: cancels; unknown and foreign uploads are unknown', async () => {
      const location = await begin('push')
      const elsewhere = location.replace('/push/', '/other/')
      requireError(await call('PATCH', elsewhere, { body: 'x' }), 404, 'BLOB_UPLOAD_UNKNOWN')
      assert.equal((await call('DELETE', location)).status, 204)
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        requireError(await call(method, location), 404, 'BLOB_UPLOAD_UNKNOWN')
      }
    })

    it('end-7: a manifest that was pushed by its SHA-512 keeps that name when it is tagged', async () => {
      await push('sums', '{}')
      const { bytes } = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: 'application/x-sums',
        config: emptyDescriptor,
        layers: [],
      })
      const headers = { 'content-type': mediaTypes.manifest }
      const digest = digestOf(bytes, 'sha512')
      const put = async (reference: string) => {
        const answer = await call('PUT', `/v2/sums/manifests/${reference}`, {
          body: bytes,
          headers,
        })
        assert.equal(answer.status, 201)
        assert.equal(answer.headers.get('docker-content-digest'), digest)
      }
      await put(digest)
      await put('tagged')
      for (const method of ['HEAD', 'GET']) {
        const answer = await call(method, '/v2/sums/manifests/tagged')
        assert.equal(answer.headers.get('docker-content-digest'), digest)
        assert.equal(answer.headers.get('etag'), `"${digest}"`)
      }
    })

    it('end-11: mounts what the actor may read, else begins an upload', async () => {
      const { digest } = await push('from/here', 'to be mounted')
      const mount = (from: string) =>
        call('POST', `/v2/mounted/blobs/uploads/?mount=${digest}&from=${from}`)
      const mounted = await mount('from/here')
      assert.deepEqual(
        [mounted.status, mounted.headers.get('location')],
        [201, `/v2/mounted/blobs/${digest}`],
      )
      assert.equal((await call('GET', `/v2/mounted/blobs/${digest}`)).status, 200)
      assert.equal((await mount('absent')).status, 202)
      await world.store.mountBlob('locked/secret', digest, 'from/here')
      assert.equal((await mount('locked/secret')).status, 202)
      assert.equal((await call('POST', `/v2/mounted/blobs/uploads/?mount=${digest}`)).status, 202)
    })

    it('B10 a mount is challenged for both repositories, whether the client has a token for one or none', async () => {
      const { digest } = await push('from/there', 'to be mounted by a client')
      const mount = (token: string) =>
        call('POST', `/v2/mounted/blobs/uploads/?mount=${digest}&from=from/there`, { token })
      const both = 'repository:mounted:pull,push repository:from/there:pull'
      for (const token of ['wrong', 'token-only-mounted', 'token-only-from/there']) {
        const answer = await mount(token)
        requireError(answer, 401, 'UNAUTHORIZED')
        assert.ok(answer.headers.get('www-authenticate')!.endsWith(`,scope="${both}"`), token)
      }
      assert.equal((await mount('token-all-pass')).status, 201)
    })

    it('end-2: ranges, conditions, unknown blobs', async () => {
      const { digest } = await push('pull', '0123456789')
      const get = (headers: Record<string, string>) =>
        call('GET', `/v2/pull/blobs/${digest}`, { headers })
      const cases: [string, number, string, string | null][] = [
        ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
        ['bytes=4-', 206, '456789', 'bytes 4-9/10'],
        ['bytes=-3', 206, '789', 'bytes 7-9/10'],
        ['bytes=8-100', 206, '89', 'bytes 8-9/10'],
        ['bytes=-100', 206, '0123456789', 'bytes 0-9/10'],
        ['bytes=5-2', 200, '0123456789', null],
        ['bytes=0-1,3-4', 200, '0123456789', null],
        ['lines=1-2', 200, '0123456789', null],
      ]
      for (const [range, status, text, contentRange] of cases) {
        const answer = await get({ range })
        assert.deepEqual(
          [answer.status, answer.bytes.toString(), answer.headers.get('content-range')],
          [status, text, contentRange],
          range,
        )
      }
      for (const range of ['bytes=10-', 'bytes=-0']) {
        const answer = await get({ range })
        assert.deepEqual([answer.status, answer.headers.get('content-range')], [416, 'bytes */10'])
      }
      assert.equal((await get({ 'if-none-match': `"${digest}"` })).status, 304)
      assert.equal((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status, 200)
      requireError(await call('GET', `/v2/pull/blobs/${blob('no').digest}`), 404, 'BLOB_UNKNOWN')
      requireError(await call('GET', '/v2/pull/blobs/sha256:xyz'), 400, 'DIGEST_INVALID')
    })

    it('end-3, end-7: manifests by tag and digest, with their subject', async () => {
      const image = await putImage('pull', 'v1', 'layer')
      assert.equal(image.answer.status, 201)
      assert.equal(image.answer.headers.get('docker-content-digest'), image.descriptor.digest)
      assert.equal(image.answer.headers.get('oci-subject'), null)
      for (const reference of ['v1', image.descriptor.digest]) {
        for (const method of ['GET', 'HEAD']) {
          const answer = await call(method, `/v2/pull/manifests/${reference}`)
          assert.equal(answer.status, 200)
          assert.equal(answer.headers.get('content-type'), mediaTypes.manifest)
          assert.equal(answer.headers.get('docker-content-digest'), image.descriptor.digest)
          assert.equal(answer.headers.get('content-length'), String(image.bytes.length))
          if (method === 'GET') assert.deepEqual(answer.bytes, Buffer.from(image.bytes))
        }
      }
      const referrer = await putImage('pull', undefined, 'sbom', image.descriptor)
      assert.equal(referrer.answer.headers.get('oci-subject'), image.descriptor.digest)
      assert.ok(
        world.events.some(
          (e) => e.kind === 'manifest_put' && e.tag === 'v1' && e.actor === 'all-pass',
        ),
      )
    })

    it('T9 attack: a tag that is moved back and forth ends in a clear 429; repeated pushes spend nothing', async () => {
      const images = [await putImage('moved', 'a', 'one'), await putImage('moved', 'b', 'two')]
      const put = (reference: string, n: number) =>
        call('PUT', `/v2/moved/manifests/${reference}`, {
          body: images[n % 2]!.bytes,
          headers: { 'content-type': mediaTypes.manifest },
        })
      const before = world.events.length
      world.changesLeft = 10
      try {
        let moves = 0
        let last = await put('latest', moves)
        while (last.status === 201 && moves < 50) last = await put('latest', ++moves)
        requireError(last, 429, 'TOOMANYREQUESTS')
        assert.equal(last.headers.get('retry-after'), '3')
        assert.deepEqual([moves, world.events.length - before], [10, 10])
        // The tag is as it was, and neither it nor anything else can be taken away.
        const kept = await call('GET', '/v2/moved/manifests/latest')
        assert.equal(kept.headers.get('docker-content-digest'), images[1]!.descriptor.digest)
        for (const path of ['manifests/latest', `manifests/${images[0]!.descriptor.digest}`]) {
          requireError(await call('DELETE', `/v2/moved/${path}`), 429, 'TOOMANYREQUESTS')
        }
        const blobPath = `/v2/moved/blobs/${blob('one').digest}`
        requireError(await call('DELETE', blobPath), 429, 'TOOMANYREQUESTS')
        assert.equal((await call('HEAD', blobPath)).status, 200)
        // The same once more changes nothing.
        assert.equal((await put('latest', 1)).status, 201)
        assert.equal((await put(images[0]!.descriptor.digest, 0)).status, 201)
      } finally {
        world.changesLeft = Infinity
      }
    })

    it('end-7: refuses bad manifests', async () => {
      const put = (
        body: Uint8Array | string,
        reference = 'bad',
        type: string = mediaTypes.manifest,
      ) =>
        call('PUT', `/v2/pull/manifests/${reference}`, { body, headers: { 'content-type': type } })
      const { bytes } = await putImage('pull', 'v2', 'other')
      requireError(await put('{'), 400, 'MANIFEST_INVALID')
      requireError(await put('{"schemaVersion":1}'), 400, 'MANIFEST_INVALID')
      requireError(await put(bytes, 'bad', mediaTypes.index), 400, 'MANIFEST_INVALID')
      requireError(await put(bytes, '-bad'), 400, 'MANIFEST_INVALID')
      requireError(await put(bytes, blob('x').digest), 400, 'DIGEST_INVALID')
      const missing = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: 'application/x-test',
        config: emptyDescriptor,
        layers: [{ mediaType: 'a/b', digest: blob('nowhere').digest, size: 7 }],
      })
      requireError(await put(missing.bytes), 404, 'MANIFEST_BLOB_UNKNOWN')
      requireError(await put(Buffer.alloc(4 * 1024 * 1024 + 1, ' ')), 413, 'SIZE_INVALID')
      const unknown = '/v2/pull/manifests/nope'
      requireError(await call('GET', unknown), 404, 'MANIFEST_UNKNOWN')
    })

    it('end-8: tags in order, in pages', async () => {
      for (const tag of ['c', 'a', 'b', 'd']) await putImage('tags/many', tag, 'x')
      const list = async (query: string) => {
        const answer = await call('GET', `/v2/tags/many/tags/list${query}`)
        const body = JSON.parse(answer.bytes.toString()) as { name: string; tags: string[] }
        assert.equal(body.name, 'tags/many')
        return { tags: body.tags, link: answer.headers.get('link') }
      }
      assert.deepEqual(await list(''), { tags: ['a', 'b', 'c', 'd'], link: null })
      assert.deepEqual(await list('?n=2'), {
        tags: ['a', 'b'],
        link: '</v2/tags/many/tags/list?n=2&last=b>; rel="next"',
      })
      assert.deepEqual(await list('?n=2&last=b'), { tags: ['c', 'd'], link: null })
      assert.deepEqual((await list('?n=0')).tags, [])
      requireError(await call('GET', '/v2/no/such/tags/list'), 404, 'NAME_UNKNOWN')
      requireError(await call('GET', '/v2/tags/many/tags/list?n=x'), 400, 'UNSUPPORTED')
    })

    it('end-12: referrers, filtered', async () => {
      const subject = await putImage('refs', 'subject', 'subject')
      const sbom = await putImage('refs', undefined, 'sbom', subject.descriptor)
      const provenance = await putImage('refs', undefined, 'provenance', subject.descriptor)
      const list = async (query = '') => {
        const answer = await call('GET', `/v2/refs/referrers/${subject.descriptor.digest}${query}`)
        assert.equal(answer.status, 200)
        assert.equal(answer.headers.get('content-type'), mediaTypes.index)
        const { manifests } = JSON.parse(answer.bytes.toString()) as { manifests: Descriptor[] }
        return { digests: manifests.map((m) => m.digest), headers: answer.headers }
      }
      const expected = [sbom.descriptor.digest, provenance.descriptor.digest].toSorted()
      assert.deepEqual((await list()).digests, expected)
      const filtered = await list('?artifactType=application/x-sbom')
      assert.deepEqual(filtered.digests, [sbom.descriptor.digest])
      assert.equal(filtered.headers.get('oci-filters-applied'), 'artifactType')
      const none = await call('GET', `/v2/refs/referrers/${blob('none').digest}`)
      assert.deepEqual([none.status, JSON.parse(none.bytes.toString()).manifests], [200, []])
    })

    it('end-9, end-10: deletes tags, manifests, blobs', async () => {
      const image = await putImage('delete', 'one', 'content')
      await putImage('delete', 'two', 'content')
      assert.equal((await call('DELETE', '/v2/delete/manifests/one')).status, 202)
      requireError(await call('GET', '/v2/delete/manifests/one'), 404, 'MANIFEST_UNKNOWN')
      const byDigest = `/v2/delete/manifests/${image.descriptor.digest}`
      assert.equal((await call('GET', byDigest)).status, 200)
      assert.equal((await call('DELETE', byDigest)).status, 202)
      requireError(await call('GET', byDigest), 404, 'MANIFEST_UNKNOWN')
      requireError(await call('GET', '/v2/delete/manifests/two'), 404, 'MANIFEST_UNKNOWN')
      requireError(await call('DELETE', byDigest), 404, 'MANIFEST_UNKNOWN')
      const layer = `/v2/delete/blobs/${image.layer.digest}`
      assert.equal((await call('DELETE', layer)).status, 202)
      requireError(await call('DELETE', layer), 404, 'BLOB_UNKNOWN')
      assert.deepEqual(
        world.events
          .filter((e) => e.repository === 'delete' && e.kind !== 'manifest_put')
          .map((e) => e.kind),
        ['tag_deleted', 'manifest_deleted', 'blob_deleted'],
      )
    })

    it('B10 what a signed release needs is not deleted', async () => {
      const image = await putImage('signed', 'v1', 'content')
      world.roots.push(image.descriptor.digest)
      for (const path of [`manifests/${image.descriptor.digest}`, `blobs/${image.layer.digest}`]) {
        requireError(await call('DELETE', `/v2/signed/${path}`), 403, 'DENIED')
      }
      world.roots.length = 0
    })

    it('B10 attack: a builder moves the tag of a signed release, or deletes it', async () => {
      const genuine = await putImage('tagged', 'mine', 'genuine')
      await putImage('tagged', '1.0', 'early')
      world.releaseTags.set('1.0', genuine.descriptor.digest).set('z', genuine.descriptor.digest)
      try {
        const shown = await call('GET', '/v2/tagged/manifests/1.0')
        assert.equal(shown.headers.get('docker-content-digest'), genuine.descriptor.digest)
        const other = await putImage('tagged', undefined, 'malicious')
        const put = (tag: string, bytes: Uint8Array) =>
          call('PUT', `/v2/tagged/manifests/${tag}`, {
            body: bytes,
            headers: { 'content-type': mediaTypes.manifest },
          })
        requireError(await put('1.0', other.bytes), 403, 'DENIED')
        assert.equal((await put('1.0', genuine.bytes)).status, 201, 'the release itself')
        requireError(await call('DELETE', '/v2/tagged/manifests/1.0'), 403, 'DENIED')
        const list = async (query: string) => {
          const answer = await call('GET', `/v2/tagged/tags/list${query}`)
          return (JSON.parse(answer.bytes.toString()) as { tags: string[] }).tags
        }
        assert.deepEqual(await list(''), ['1.0', 'mine', 'z'])
        assert.deepEqual(await list('?n=1&last=mine'), ['z'])
        // A name that signed metadata has taken and that means nothing is not a builder's to fill.
        world.releaseTags.set('1.0', null)
        requireError(await call('GET', '/v2/tagged/manifests/1.0'), 404, 'MANIFEST_UNKNOWN')
        requireError(await put('1.0', other.bytes), 403, 'DENIED')
        requireError(await call('DELETE', '/v2/tagged/manifests/1.0'), 403, 'DENIED')
        assert.deepEqual(await list(''), ['mine', 'z'])
      } finally {
        world.releaseTags.clear()
      }
    })

    it('answers the rest: methods, names, paths, uploads that are too large', async () => {
      const post = await call('POST', '/v2/pull/tags/list')
      requireError(post, 405, 'UNSUPPORTED')
      assert.equal(post.headers.get('allow'), 'GET')
      requireError(await call('GET', '/v2/Upper/tags/list'), 400, 'NAME_INVALID')
      requireError(await call('GET', `/v2/${'a'.repeat(256)}/tags/list`), 400, 'NAME_INVALID')
      requireError(await call('GET', '/v2/pull/manifests/%ff'), 400, 'NAME_INVALID')
      requireError(await call('GET', '/v2/_catalog'), 404, 'UNSUPPORTED')
      requireError(await call('GET', '/v2/pull/nothing'), 404, 'UNSUPPORTED')
      const large = Buffer.alloc(50_000_001)
      requireError(await call('PATCH', await begin('push'), { body: large }), 413, 'SIZE_INVALID')
    })

    it('the token flow: Basic and form, wrong secrets, no repetition of them', async () => {
      const get = (secret: string) =>
        call('GET', '/v2/token?service=registry.test&scope=repository:pull:pull', {
          headers: { authorization: `Basic ${Buffer.from(`u:${secret}`).toString('base64')}` },
        })
      const issued = await get('all-pass')
      const body = JSON.parse(issued.bytes.toString()) as Record<string, unknown>
      assert.deepEqual(
        [issued.status, body['token'], body['access_token'], body['expires_in'], body['issued_at']],
        [200, 'token-all-pass', 'token-all-pass', 300, '1970-01-01T00:00:00Z'],
      )
      const wrong = await get('not-the-pass')
      requireError(wrong, 401, 'UNAUTHORIZED')
      assert.ok(!wrong.bytes.includes('not-the-pass'))
      const form = (fields: string) =>
        call('POST', '/v2/token', {
          body: fields,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        })
      const posted = await form(
        'grant_type=password&username=u&password=read-pass&scope=repository:a:pull',
      )
      assert.equal(JSON.parse(posted.bytes.toString()).token, 'token-read-pass')
      requireError(await form('grant_type=other'), 400, 'UNSUPPORTED')
      requireError(await form('x='.padEnd(20_000, 'x')), 413, 'SIZE_INVALID')
    })

    it('our own client pushes and pulls through the token flow, resumes, and refuses replaced bytes', async () => {
      const { transport, close: closeTransport } = httpsTransport({
        allowPlain: true,
        idleTimeoutMs: 60_000,
      })
      const client = createRegistryClient({
        transport,
        origin: world.url,
        credentials: { kind: 'basic', username: 'u', password: 'all-pass' },
      })
      const image = await putImage('client/a', 'v1', 'client-content')
      const target = createMemoryStore({ clock: systemClock, random: systemRandom })
      const { digest } = await client.getManifest('client/a', 'v1')
      await copyContent({
        source: registryContent(client, 'client/a'),
        target: storeContent(target, 'copy'),
        digest,
        tag: 'v1',
      })
      assert.equal(await target.resolveTag('copy', 'v1'), image.descriptor.digest)
      await copyContent({
        source: storeContent(target, 'copy'),
        target: registryContent(client, 'client/b'),
        digest,
        tag: 'v2',
      })
      assert.deepEqual(await client.listTags('client/b'), ['v2'])
      assert.equal(await client.headManifest('client/b', 'v2'), digest)
      assert.equal(await client.headManifest('client/b', 'v3'), undefined)
      const rest: Uint8Array[] = []
      for await (const piece of await client.getBlobFrom('client/b', image.layer, 7))
        rest.push(piece)
      assert.equal(Buffer.concat(rest).toString(), 'content')
      const lied = { digest: blob('something else').digest, size: image.layer.size }
      await assert.rejects(
        (async () => {
          for await (const _ of client.getBlob('client/b', lied)) assert.fail('no such blob')
        })(),
        (error: unknown) => error instanceof Refusal && error.code === 'not_found',
      )
      const referrer = await putImage('client/b', undefined, 'sbom', image.descriptor)
      const referrers = await client.listReferrers('client/b', digest, 'application/x-sbom')
      assert.deepEqual(
        referrers.map((r) => r.digest),
        [referrer.descriptor.digest],
      )
      await client.deleteManifest('client/b', digest)
      assert.equal(await client.headManifest('client/b', digest), undefined)
      closeTransport()
    })

    it('hostile requests get an answer and never a 500', async () => {
      const { port, hostname } = new URL(world.url)
      const paths = [
        '/v2/../../etc/passwd/blobs/sha256:00',
        '/v2/a/../b/tags/list',
        '/v2/a/blobs/uploads/../../x',
        '/v2/a/blobs/uploads/%2e%2e%2f%2e%2e',
        `/v2/${'a/'.repeat(4000)}tags/list`,
        '/v2/a/manifests/%00',
        '/v2/a/manifests/..',
        `/v2/a/manifests/${'a'.repeat(129)}`,
        '/v2/a/blobs/sha256:' + 'A'.repeat(64),
      ]
      for (const path of paths) {
        for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'POST']) {
          const status = await new Promise<number>((resolve, reject) => {
            const outgoing = startRequest(
              { port, hostname, path, method, headers: { authorization: 'Bearer token-all-pass' } },
              (response) => {
                response.resume()
                resolve(response.statusCode!)
              },
            )
            outgoing.on('error', reject)
            outgoing.end()
          })
          assert.ok(status >= 400 && status < 500, `${method} ${path}: ${status}`)
        }
      }
    })
  })
}

walk('memory', async () => ({
  store: createMemoryStore({ clock: systemClock, random: systemRandom }),
  close: async () => {},
}))

walk('disk', async () => {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-registry-'))
  return {
    store: await openDiskStore(root, { clock: systemClock, random: systemRandom }),
    close: () => rm(root, { recursive: true }),
  }
})

walk(
  'S3',
  async () => {
    const server = await startObjectStore()
    const client = createS3Client(server.newLocation(), server.credentials, server.ports)
    return { store: await openS3Store(client, server.ports), close: () => server.stop() }
  },
  lacksObjectStore(),
)

describe('token requests', () => {
  it('reads scopes and leaves out what it does not understand', () => {
    assert.deepEqual(
      parseScopes(['repository:a/b:pull,push repository:c:*', 'registry:catalog:*']),
      [
        { repository: 'a/b', actions: ['pull', 'push'] },
        { repository: 'c', actions: ['pull', 'push', 'delete'] },
      ],
    )
    assert.deepEqual(parseScopes(['repository:a:pull repository:a:push', 'repository:a:pull']), [
      { repository: 'a', actions: ['pull', 'push'] },
    ])
    assert.throws(
      () => parseScopes([Array.from({ length: 33 }, (_, i) => `repository:p${i}:pull`).join(' ')]),
      { status: 400, code: 'UNSUPPORTED' },
    )
    assert.deepEqual(
      parseScopes(['repository:../x:pull', 'repository:a:', 'repository:a:toString', '']),
      [],
    )
  })
  it('reads Basic credentials, colons in the secret included', () => {
    assert.deepEqual(parseBasic(`Basic ${Buffer.from('a:b:c').toString('base64')}`), {
      username: 'a',
      secret: 'b:c',
    })
    for (const header of [
      'Basic',
      'Basic !',
      'Basic YQ==',
      'Bearer x',
      `Basic ${'A'.repeat(50_000)}`,
    ]) {
      assert.throws(() => parseBasic(header), /not well formed/)
    }
  })
})
