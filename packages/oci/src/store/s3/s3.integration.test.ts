import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { ManualClock } from '@seaworthy/std/time'
import { systemRandom } from '@seaworthy/std/random'
import type { Digest } from '../../digests.ts'
import { putBytes, storeContent } from '../../content.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../../manifests.ts'
import { collectGarbage } from '../garbage.ts'
import type { StoreUnderTest } from '../store.fixture.ts'
import { testRegistryStore } from '../store.suite.ts'
import type { S3Client } from './client.ts'
import { createS3Client } from './client.ts'
import { openS3Store } from './index.ts'
import { parseContent, readRecord } from './records.ts'
import type { TestObjectStore } from './testing.ts'
import { lacksObjectStore, startObjectStore } from './testing.ts'

const skip = lacksObjectStore()

describe('S3', { skip }, () => {
  let server: TestObjectStore
  before(async () => {
    server = await startObjectStore()
  })
  after(() => server.stop())

  async function open(change = (client: S3Client) => client): Promise<StoreUnderTest> {
    const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
    const { credentials, ports } = server
    // Signatures use the machine's time; use is noted in the test's time.
    const client = createS3Client(server.newLocation(), credentials, ports)
    const reopen = () => openS3Store(change(client), { clock, random: systemRandom })
    return {
      store: await reopen(),
      clock,
      reopen,
      damage: async (digest: Digest) => {
        const key = `content/${digest.replace(':', '/')}`
        const { value } = (await readRecord(client, key, parseContent))!
        const { bytes } = (await client.read(value!.key, 1e6))!
        bytes[0]! ^= 1
        await client.write(value!.key, bytes)
      },
      close: async () => {},
    }
  }

  testRegistryStore('S3', () => open())

  testRegistryStore('S3 that removes without looking at the condition', () =>
    open((client) => ({ ...client, remove: (key) => client.remove(key) })),
  )

  it('O1 attack: records that cannot be read have a way out, and end neither the search for damage nor a sweep', async () => {
    const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
    const client = createS3Client(server.newLocation(), server.credentials, server.ports)
    const store = await openS3Store(client, { clock, random: systemRandom })
    const content = storeContent(store, 'product')
    const push = async () => {
      await putBytes(content, emptyBytes, mediaTypes.empty)
      const { bytes, descriptor } = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: 'a/b',
        config: emptyDescriptor,
        layers: [],
      })
      await store.putManifest('product', { bytes, tag: 'one' })
      return descriptor.digest
    }
    const digest = await push()
    const other = await putBytes(content, new Uint8Array(100), 'a/b')
    const path = (of: Digest) => of.replace(':', '/')
    const spoil = (key: string, text = 'no record') => client.write(key, utf8Encode(text))
    const collect = () =>
      collectGarbage(store, { roots: async () => [digest], clock, graceMs: 3_600_000 })

    for (const key of [
      `content/${path(digest)}`,
      `content/${path(emptyDescriptor.digest)}`,
      `repositories/product/_blobs/${path(emptyDescriptor.digest)}`,
      `repositories/product/_manifests/${path(digest)}`,
    ]) {
      await spoil(key)
      assert.equal(await push(), digest, key)
      assert.ok(await store.getManifest('product', digest), key)
    }
    // More than a record may have is none either.
    const long = 'x'.repeat(17 * 1024 * 1024)
    await spoil(`repositories/product/_manifests/${path(digest)}`, long)
    assert.equal(await push(), digest)
    await spoil(`uploads/${'1'.repeat(32)}`, long)
    await spoil(`content/${path(emptyDescriptor.digest)}`)
    await spoil(`content/${path(other.digest)}`)
    await spoil(`uploads/${'0'.repeat(32)}`)
    await spoil(`repositories/product/_blobs/${path(other.digest)}`)
    const old = await store.createUpload('product')
    clock.advance(48 * 3_600_000)
    const { uploadCount } = await collect()
    assert.equal(uploadCount, 1, `${old} is swept beside the one that cannot be read`)
    const damaged = [emptyDescriptor.digest, other.digest].toSorted()
    assert.deepEqual((await store.scrub()).toSorted(), damaged)
    assert.deepEqual(await store.scrub(), [])
    for (const name of [
      ...damaged.map((one) => one.replace(':', '-')),
      `upload-${'0'.repeat(32)}`,
    ]) {
      const aside = await client.read(`damaged/${name}`, 100)
      assert.equal(utf8Decode(aside!.bytes), 'no record', name)
    }
    assert.equal(await client.head(`uploads/${'0'.repeat(32)}`), undefined)
    assert.equal(await client.head(`uploads/${'1'.repeat(32)}`), undefined)
    assert.ok(await client.head(`damaged/upload-${'1'.repeat(32)}`))

    // A tag of other text, or of none, is no tag that is not there.
    for (const text of ['latest', '', 'x'.repeat(2000)]) {
      await spoil('repositories/product/_tags/two', text)
      await assert.rejects(collect(), /the tag two of product cannot be read/)
      assert.ok(await store.deleteTag('product', 'two'))
    }
    await push()
    await collect()
  })

  it('lists more than a page of objects, each once and in order', async () => {
    const client = createS3Client(server.newLocation(), server.credentials, server.ports)
    const names = Array.from({ length: 1203 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
    for (let at = 0; at < names.length; at += 30) {
      await Promise.all(
        names.slice(at, at + 30).map((name) => client.write(name, new Uint8Array([1]))),
      )
    }
    const listed: string[] = []
    for await (const { key, size } of client.list('many/')) {
      assert.equal(size, 1)
      listed.push(key)
    }
    assert.deepEqual(listed, names)
    const rest: string[] = []
    for await (const { key } of client.list('many/', { after: '01200' })) rest.push(key)
    assert.deepEqual(rest, names.slice(1201))
    assert.deepEqual(await client.listFolders(''), ['many/'])
  })
})
