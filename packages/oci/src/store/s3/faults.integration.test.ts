/**
 * What may go wrong between a server and its object storage, with a real object store behind every
 * fault.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest, Transport } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import { randomBelow, seededRandom, systemRandom } from '@seaworthy/std/random'
import { hourMs, ManualClock, systemClock, systemSleep } from '@seaworthy/std/time'
import type { Digest } from '../../digests.ts'
import { digestOf, parseDigest } from '../../digests.ts'
import { httpsTransport } from '../../transport.ts'
import { collectGarbage, requireClosure } from '../garbage.ts'
import type { RegistryStore } from '../index.ts'
import { putBlob } from '../index.ts'
import { createS3Client } from './client.ts'
import type { ObjectStoreFault } from './errors.ts'
import { ObjectStoreError } from './errors.ts'
import { openS3Store } from './index.ts'
import type { S3Location } from './location.ts'
import { parseContent, readRecord } from './records.ts'
import type { TestObjectStore } from './testing.ts'
import { lacksObjectStore, startObjectStore } from './testing.ts'

async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(Uint8Array.from(part))
  return joinBytes(parts)
}

const hasFault = (fault: ObjectStoreFault) => (error: unknown) =>
  error instanceof ObjectStoreError && error.fault === fault

async function* respond(text: string): AsyncGenerator<Uint8Array> {
  yield utf8Encode(text)
}

const slowDown =
  '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'

describe('S3 faults', { skip: lacksObjectStore() }, () => {
  let server: TestObjectStore
  before(async () => {
    server = await startObjectStore()
  })
  after(() => server.stop())

  /** The length of waits does not matter here. */
  const sleep = () => systemSleep(1)

  function open(
    transport: Transport = server.ports.transport,
    location: S3Location = server.newLocation(),
  ): Promise<RegistryStore> {
    const client = createS3Client(location, server.credentials, {
      ...server.ports,
      sleep,
      transport,
    })
    return openS3Store(client, { clock: systemClock, random: systemRandom })
  }

  async function put(store: RegistryStore, bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes)
    await putBlob(store, 'product', { digest, size: bytes.length }, pieces(bytes))
    return digest
  }

  async function get(store: RegistryStore, digest: Digest): Promise<Uint8Array> {
    const blob = await store.openBlob('product', digest)
    return readAll(blob!.read())
  }

  it('a connection cut in the middle of a part, and in the middle of a download, is taken up again', async () => {
    const cuts: { afterBytes: number; from: 'client' | 'server' }[] = [
      { afterBytes: 3_000_000, from: 'client' },
      { afterBytes: 12_000_000, from: 'client' },
    ]
    const proxy = createServer((client: Socket) => {
      const upstream = connect(Number(new URL(server.endpoint).port), '127.0.0.1')
      const end = () => {
        client.destroy()
        upstream.destroy()
      }
      const counts = { client: 0, server: 0 }
      const forward = (from: 'client' | 'server', source: Socket, target: Socket) => {
        source.on('data', (part: Buffer) => {
          counts[from] += part.length
          const cut = cuts.findIndex((c) => c.from === from && counts[from] > c.afterBytes)
          if (cut >= 0) {
            cuts.splice(cut, 1)
            end()
          } else target.write(part)
        })
        source.on('error', end).on('close', end)
      }
      forward('client', client, upstream)
      forward('server', upstream, client)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const { transport, close } = httpsTransport({ allowPlain: true, idleTimeoutMs: 60_000 })
    try {
      const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
      const store = await open(transport, { ...server.newLocation(), endpoint })
      const bytes = seededRandom(3).bytes(30_000_000)
      const digest = await put(store, bytes)
      assert.equal(cuts.length, 0, 'both cuts happened')
      cuts.push(
        { afterBytes: 5_000_000, from: 'server' },
        { afterBytes: 9_000_000, from: 'server' },
      )
      assert.equal(digestOf(await get(store, digest)), digest)
      assert.equal(cuts.length, 0)
    } finally {
      close()
      proxy.close()
    }
  })

  it('503 SlowDown is waited for, and said when it does not end', async () => {
    let busyCount = 0
    const busy: Transport = async (request) =>
      busyCount-- > 0
        ? { status: 503, headers: {}, body: respond(slowDown) }
        : server.ports.transport(request)
    const store = await open(busy)
    busyCount = 4
    const digest = await put(store, utf8Encode('patience'))
    busyCount = 4
    assert.equal(digestOf(await get(store, digest)), digest)
    busyCount = 1000
    await assert.rejects(put(store, utf8Encode('no')), hasFault('busy'))
    busyCount = 0
    assert.equal(digestOf(await get(store, digest)), digest)
  })

  it('O1 answers that are lost after the work was done, and requests that never came, change nothing', async () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      let isFaulty = false
      const unsure: Transport = async (request) => {
        const dice = isFaulty ? random.fraction() : 1
        if (dice < 0.1) throw new TransportError('unreachable', 'never came')
        const response = await server.ports.transport(request)
        if (dice < 0.25) {
          for await (const part of response.body) void part
          throw new TransportError('unreachable', 'the answer is lost')
        }
        return response
      }
      const location = server.newLocation()
      const store = await open(unsure, location)
      isFaulty = true
      const digests: Digest[] = []
      for (let i = 0; i < 8; i++) {
        const bytes = seededRandom(seed * 100 + i).bytes(1 + randomBelow(random, 9_000_000))
        digests.push(await put(store, bytes))
      }
      isFaulty = false
      for (const digest of digests) assert.equal(digestOf(await get(store, digest)), digest)
      await assertNothingLeft(location)
    }
  })

  it('a part that the object store has otherwise than it was sent is not taken for the upload', async () => {
    const store = await open(async (request) => {
      const response = await server.ports.transport(request)
      if (!request.url.includes('partNumber=2')) return response
      return { ...response, headers: { ...response.headers, etag: `"${'0'.repeat(32)}"` } }
    })
    const bytes = seededRandom(5).bytes(20_000_000)
    await assert.rejects(put(store, bytes), ObjectStoreError)
    assert.equal(await store.statBlob('product', digestOf(bytes)), undefined)
  })

  it('T10 content replaced in the bucket is refused, by whole and in parts', async () => {
    const location = server.newLocation()
    const store = await open(undefined, location)
    const bytes = seededRandom(6).bytes(100_000)
    const digest = await put(store, bytes)
    const blob = await store.openBlob('product', digest)
    const client = createS3Client(location, server.credentials, server.ports)
    const key = `content/${digest.replace(':', '/')}`
    const { value } = (await readRecord(client, key, parseContent))!
    await client.write(value!.key, seededRandom(7).bytes(100_000))
    await assert.rejects(readAll(blob!.read({ start: 10, end: 20 })), /was changed/)
    assert.equal(await store.statBlob('product', digest), undefined, 'so that it is pushed again')
    await put(store, bytes)
    assert.equal(digestOf(await get(store, digest)), digest)
  })

  it('O1 attack: a list that is cut short, has no next page, the same one for ever, or is none at all is an error, and nothing looks as if it were gone', async () => {
    const location = server.newLocation()
    const whole = await open(server.ports.transport, location)
    await put(whole, utf8Encode('kept'))
    const forged: ((xml: string) => string)[] = [
      (xml) => xml.slice(0, xml.length / 2),
      () => '',
      () => '<html>Welcome</html>',
      () => '<Error><Code>InternalError</Code></Error>',
      (xml) => xml.replace('<IsTruncated>false<', '<IsTruncated>true<'),
      () =>
        '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>',
    ]
    for (const forge of forged) {
      const lying: Transport = async (request) => {
        const response = await server.ports.transport(request)
        if (!request.url.includes('list-type=2') || response.status !== 200) return response
        const text = new TextDecoder().decode(await readAll(response.body))
        const { 'content-length': _, ...headers } = response.headers
        return { ...response, headers, body: respond(forge(text)) }
      }
      const store = await open(lying, location)
      await assert.rejects(store.listRepositories(), hasFault('failed'), String(forge))
      await assert.rejects(store.listManifests('product'), hasFault('failed'), String(forge))
    }
    assert.deepEqual(await whole.listRepositories(), ['product'])
  })

  it('O1 attack: a list of uploads in parts that is cut short, or has no next page, is an error, and each page is asked for', async () => {
    const location = server.newLocation()
    const partsOf = (transport: Transport) => {
      const ports = { ...server.ports, sleep, transport }
      return createS3Client(location, server.credentials, ports).listParts('bytes/')
    }
    const whole = createS3Client(location, server.credentials, server.ports)
    for (const name of ['a', 'b', 'c']) await whole.startParts(`bytes/${name}`)
    const names = (found: { key: string }[]) => found.map(({ key }) => key).toSorted()
    const forged: ((xml: string) => string)[] = [
      (xml) => xml.slice(0, xml.length / 2),
      () => '',
      () => '<Error><Code>InternalError</Code></Error>',
      () =>
        '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>',
      () =>
        '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker></ListMultipartUploadsResult>',
    ]
    const isList = ({ method, url }: HttpRequest) => method === 'GET' && /[?&]uploads=/.test(url)
    for (const forge of forged) {
      const lying: Transport = async (request) => {
        const response = await server.ports.transport(request)
        if (!isList(request) || response.status !== 200) return response
        const text = new TextDecoder().decode(await readAll(response.body))
        const { 'content-length': _, ...headers } = response.headers
        return { ...response, headers, body: respond(forge(text)) }
      }
      await assert.rejects(partsOf(lying), hasFault('failed'), String(forge))
    }
    // A server that gives one upload a page.
    const paging: Transport = async (request) => {
      const response = await server.ports.transport(request)
      if (!isList(request) || response.status !== 200) return response
      const text = new TextDecoder().decode(await readAll(response.body))
      const entries = text.match(/<Upload>.*?<\/Upload>/gs)!
      const marker = new URL(request.url).searchParams.get('key-marker')
      const keyOf = (entry: string) => /<Key>(.*?)<\/Key>/.exec(entry)![1]!
      const at = marker === null ? 0 : entries.findIndex((entry) => keyOf(entry) === marker) + 1
      const more =
        at + 1 < entries.length
          ? `<IsTruncated>true</IsTruncated><NextKeyMarker>${keyOf(entries[at]!)}</NextKeyMarker>`
          : '<IsTruncated>false</IsTruncated>'
      const page = `<ListMultipartUploadsResult>${entries[at]}${more}</ListMultipartUploadsResult>`
      const { 'content-length': _, ...headers } = response.headers
      return { ...response, headers, body: respond(page) }
    }
    const wanted = ['bytes/a', 'bytes/b', 'bytes/c']
    assert.deepEqual(names(await partsOf(server.ports.transport)), wanted)
    assert.deepEqual(names(await partsOf(paging)), wanted)
  })

  it('A9 attack: an upload in very many one-byte pieces costs traffic in proportion to them', async () => {
    let bytes = 0
    const store = await open(async (request: HttpRequest) => {
      if (request.body instanceof Uint8Array) bytes += request.body.length
      const response = await server.ports.transport(request)
      bytes += Number(response.headers['content-length'] ?? 0)
      return response
    })
    const uploadId = await store.createUpload('product')
    const content = seededRandom(9).bytes(400)
    const costs: number[] = []
    for (let at = 0; at < content.length; at++) {
      const before = bytes
      const source = pieces(content.subarray(at, at + 1))
      const size = await store.appendUpload('product', uploadId, {
        offset: at,
        source,
        sizeMax: 1e6,
      })
      assert.equal(size, at + 1)
      costs.push(bytes - before)
    }
    const worst = Math.max(...costs.slice(-50))
    assert.ok(worst < 16 * 1024, `${worst} bytes for one more`)
    const digest = digestOf(content)
    await store.commitUpload('product', uploadId, digest)
    assert.deepEqual(await get(store, digest), Uint8Array.from(content))
  })

  it('keeps two parts of an upload in memory at most', async () => {
    let sending = 0
    let sendingMax = 0
    let handedOut = 0
    let stored = 0
    let aheadMax = 0
    const store = await open(async (request: HttpRequest) => {
      const bytes = request.body instanceof Uint8Array ? request.body.length : 0
      sending += bytes
      sendingMax = Math.max(sendingMax, sending)
      const response = await server.ports.transport(request)
      sending -= bytes
      stored += bytes
      return response
    })
    const piece = seededRandom(8).bytes(256 * 1024)
    const source = (async function* () {
      for (let i = 0; i < 400; i++) {
        handedOut += piece.length
        aheadMax = Math.max(aheadMax, handedOut - stored)
        yield piece
      }
    })()
    const uploadId = await store.createUpload('product')
    const sizeMax = 1e9
    await store.appendUpload('product', uploadId, { offset: 0, source, sizeMax })
    assert.ok(sendingMax <= 8 * 1024 * 1024, `${sendingMax} bytes at once`)
    assert.ok(aheadMax <= 17 * 1024 * 1024, `${aheadMax} bytes ahead`)
    await store.cancelUpload('product', uploadId)
  })

  it('a wrong key, bucket, clock or address is said in words, and no secret with it', async () => {
    const attempt = (change: {
      location?: Partial<S3Location>
      credentials?: Partial<TestObjectStore['credentials']>
      clock?: ManualClock
    }) => {
      const client = createS3Client(
        { ...server.newLocation(), ...change.location },
        { ...server.credentials, ...change.credentials },
        { ...server.ports, sleep, ...(change.clock ? { clock: change.clock } : {}) },
      )
      return openS3Store(client, { clock: systemClock, random: systemRandom })
    }
    const cases: [ObjectStoreFault, RegExp, Parameters<typeof attempt>[0]][] = [
      [
        'credentials',
        /AWS_SECRET_ACCESS_KEY/,
        { credentials: { secretAccessKey: 'f'.repeat(40) } },
      ],
      ['credentials', /AWS_ACCESS_KEY_ID/, { credentials: { accessKeyId: 'SOMEBODYELSE' } }],
      ['bucket', /no bucket no-such/, { location: { bucket: 'no-such' } }],
      ['clock', /set this machine's clock/, { clock: new ManualClock(new Date('2026-01-01')) }],
      ['unreachable', /could not be reached/, { location: { endpoint: 'http://127.0.0.1:1' } }],
    ]
    for (const [fault, words, change] of cases) {
      await assert.rejects(attempt(change), (error) => {
        assert.ok(hasFault(fault)(error), `${fault}: ${String(error)}`)
        assert.match((error as Error).message, words)
        const text = JSON.stringify(error, Object.getOwnPropertyNames(error))
        assert.ok(
          !text.includes(server.credentials.secretAccessKey) && !text.includes('f'.repeat(40)),
        )
        return true
      })
    }
  })

  it('an object store that does not decide conditional writes is refused', async () => {
    const client = createS3Client(server.newLocation(), server.credentials, server.ports)
    await assert.rejects(
      openS3Store(
        { ...client, write: (key, bytes) => client.write(key, bytes) },
        { clock: systemClock, random: systemRandom },
      ),
      hasFault('unsupported'),
    )
  })

  it('O1 kill -9 leaves every acknowledged release whole, and nothing behind once garbage was collected', async () => {
    const location = server.newLocation()
    const place = `s3://${location.bucket}/${location.prefix}?endpoint=${location.endpoint}`
    const random = seededRandom(12)
    const acknowledged = new Set<Digest>()
    for (let round = 0; round < 4; round++) {
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL('../writer.fixture.ts', import.meta.url)), place, String(round)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
          env: {
            ...process.env,
            AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
            AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
          },
        },
      )
      let text = ''
      child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
      const ended = once(child, 'close')
      while (text.split('\n').length < 4) {
        assert.equal(child.exitCode, null, 'the writer ended by itself')
        await systemSleep(5)
      }
      await systemSleep(20 + randomBelow(random, 120))
      child.kill('SIGKILL')
      await ended
      for (const line of text.split('\n').slice(0, -1)) {
        if (line !== 'ready') acknowledged.add(parseDigest(line))
      }
      const store = await open(undefined, location)
      for (const digest of acknowledged) await requireClosure(store, 'product', digest)
      assert.deepEqual(await store.scrub(), [])
    }
    assert.ok(acknowledged.size >= 8)
    const clock = new ManualClock(new Date(Date.now() + 10 * hourMs))
    const client = createS3Client(location, server.credentials, server.ports)
    const store = await openS3Store(client, { clock, random: systemRandom })
    await collectGarbage(store, { roots: async () => [...acknowledged], clock, graceMs: hourMs })
    for (const digest of acknowledged) await requireClosure(store, 'product', digest)
    await assertNothingLeft(location)
  })

  /** Every stored object is one that a record points to. */
  async function assertNothingLeft(location: S3Location): Promise<void> {
    const client = createS3Client(location, server.credentials, server.ports)
    const wanted = new Set<string>()
    for await (const { key } of client.list('content/')) {
      const kept = await readRecord(client, key, parseContent)
      if (kept?.value) wanted.add(kept.value.key)
    }
    const present: string[] = []
    for await (const { key } of client.list('bytes/')) present.push(key)
    assert.deepEqual(present.toSorted(), [...wanted].toSorted())
    const uploads: string[] = []
    for await (const { key } of client.list('uploads/')) uploads.push(key)
    assert.deepEqual(uploads, [])
    assert.deepEqual(await client.listParts('bytes/'), [])
  }
})
