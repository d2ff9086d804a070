/** The behaviour of every `RegistryStore`; the test of each implementation runs this suite. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import { seededRandom } from '@seaworthy/std/random'
import { hourMs, ManualClock } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { collectVerified, digestOf } from '../digests.ts'
import type { Descriptor, Manifest } from '../manifests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { collectGarbage, isNeededByRelease, requireClosure } from './garbage.ts'
import type { RegistryStore } from './index.ts'
import { putBlob } from './index.ts'

export interface StoreUnderTest {
  store: RegistryStore
  clock: ManualClock
  /** The same store after its process has ended, if it outlives one. */
  reopen?: () => Promise<RegistryStore>
  /** Changes bytes of stored content behind the store's back. */
  damage?: (digest: Digest) => Promise<void>
  close: () => Promise<void>
}

async function* pieces(...parts: (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? utf8Encode(part) : part
}

async function* breakingOff(part: Uint8Array): AsyncGenerator<Uint8Array> {
  yield part
  throw new Error('connection reset')
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === code

async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(Uint8Array.from(part))
  return joinBytes(parts)
}

async function putBytes(store: RegistryStore, repository: string, bytes: Uint8Array) {
  const blob = { digest: digestOf(bytes), size: bytes.length }
  await putBlob(store, repository, blob, pieces(bytes))
  return { mediaType: 'application/octet-stream', ...blob }
}

/** A manifest with one layer; returns its descriptor and its layer's digest. */
async function putImage(
  store: RegistryStore,
  repository: string,
  layer: string,
  options: { tag?: string; subject?: Descriptor; artifactType?: string } = {},
) {
  const bytes = utf8Encode(layer)
  const layerDescriptor = await putBytes(store, repository, bytes)
  await putBytes(store, repository, emptyBytes)
  const manifest: Manifest = {
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: options.artifactType ?? 'application/x-test',
    config: emptyDescriptor,
    layers: [layerDescriptor],
    ...(options.subject ? { subject: options.subject, annotations: { note: layer } } : {}),
  }
  const encoded = encodeManifest(manifest)
  await store.putManifest(repository, { bytes: encoded.bytes, tag: options.tag })
  return { descriptor: encoded.descriptor, layer: layerDescriptor.digest }
}

async function putRelease(store: RegistryStore, repository: string, tag?: string) {
  const amd64 = await putImage(store, repository, 'amd64')
  const arm64 = await putImage(store, repository, 'arm64')
  const sbom = await putImage(store, repository, 'sbom', { subject: amd64.descriptor })
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    manifests: [amd64.descriptor, arm64.descriptor],
  })
  await store.putManifest(repository, { bytes: index.bytes, tag })
  return { index: index.descriptor, amd64, arm64, sbom }
}

export function testRegistryStore(name: string, open: () => Promise<StoreUnderTest>): void {
  const withStore =
    (run: (world: StoreUnderTest) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const world = await open()
      try {
        await run(world)
      } finally {
        await world.close()
      }
    }
  const collect = ({ store, clock }: StoreUnderTest, roots: Digest[] = [], graceMs = hourMs) =>
    collectGarbage(store, { roots: async () => roots, clock, graceMs })

  describe(`${name}: blobs`, () => {
    it(
      'gives back what was put, whole and in ranges, and only in its repository',
      withStore(async ({ store }) => {
        const bytes = seededRandom(1).bytes(65_536)
        const { digest } = await putBytes(store, 'one/product', bytes)
        assert.deepEqual(await store.statBlob('one/product', digest), { digest, size: 65_536 })
        assert.equal(await store.statBlob('one', digest), undefined)
        assert.equal(await store.openBlob('other', digest), undefined)
        const whole = await store.openBlob('one/product', digest)
        assert.deepEqual(await readAll(whole!.read()), new Uint8Array(bytes))
        const part = await store.openBlob('one/product', digest)
        assert.deepEqual(
          await readAll(part!.read({ start: 100, end: 300 })),
          new Uint8Array(bytes.subarray(100, 300)),
        )
      }),
    )
    it(
      'keeps an empty blob and a SHA-512 blob',
      withStore(async ({ store }) => {
        const empty = await putBytes(store, 'product', new Uint8Array())
        assert.equal((await store.statBlob('product', empty.digest))?.size, 0)
        const opened = await store.openBlob('product', empty.digest)
        assert.equal((await readAll(opened!.read())).length, 0)
        const digest = digestOf(utf8Encode('hello'), 'sha512')
        await putBlob(store, 'product', { digest, size: 5 }, pieces('hello'))
        assert.equal((await store.statBlob('product', digest))?.size, 5)
      }),
    )
    it(
      'mounts across repositories and deletes one link alone',
      withStore(async ({ store }) => {
        const { digest } = await putBytes(store, 'one', utf8Encode('shared'))
        assert.equal(await store.mountBlob('two', digest, 'three'), false)
        assert.equal(await store.mountBlob('two', digest, 'one'), true)
        assert.equal(await store.deleteBlob('one', digest), true)
        assert.equal(await store.deleteBlob('one', digest), false)
        assert.equal(await store.statBlob('one', digest), undefined)
        assert.equal((await store.statBlob('two', digest))?.size, 6)
      }),
    )
    it(
      'refuses bytes that do not have the digest, and forgets them',
      withStore(async ({ store }) => {
        const uploadId = await store.createUpload('product')
        await store.appendUpload('product', uploadId, {
          offset: 0,
          source: pieces('evil'),
          sizeMax: 100,
        })
        const digest = digestOf(utf8Encode('good'))
        await assert.rejects(
          store.commitUpload('product', uploadId, digest),
          hasCode('digest_mismatch'),
        )
        assert.equal(await store.statBlob('product', digest), undefined)
        await assert.rejects(store.uploadSize('product', uploadId), hasCode('upload_unknown'))
      }),
    )
  })

  describe(`${name}: uploads`, () => {
    it(
      'takes chunks in order, refuses any other offset, and keeps what came before a broken connection',
      withStore(async ({ store, reopen }) => {
        const uploadId = await store.createUpload('product')
        const append = (at: RegistryStore, offset: number, source: AsyncIterable<Uint8Array>) =>
          at.appendUpload('product', uploadId, { offset, source, sizeMax: 1000 })
        assert.equal(await append(store, 0, pieces('hel', 'lo')), 5)
        await assert.rejects(append(store, 0, pieces('x')), hasCode('upload_offset'))
        await assert.rejects(append(store, 6, pieces('x')), hasCode('upload_offset'))
        await assert.rejects(append(store, 5, breakingOff(utf8Encode(' wo'))), /connection reset/)
        const again = reopen ? await reopen() : store
        assert.equal(await again.uploadSize('product', uploadId), 8)
        assert.equal(await append(again, 8, pieces('rld')), 11)
        const digest = digestOf(utf8Encode('hello world'))
        assert.deepEqual(await again.commitUpload('product', uploadId, digest), {
          digest,
          size: 11,
        })
        const blob = await again.openBlob('product', digest)
        assert.equal(new TextDecoder().decode(await readAll(blob!.read())), 'hello world')
      }),
    )
    it(
      'stops at the size limit and keeps nothing of the piece',
      withStore(async ({ store }) => {
        const uploadId = await store.createUpload('product')
        const source = pieces(new Uint8Array(10), new Uint8Array(10))
        await assert.rejects(
          store.appendUpload('product', uploadId, { offset: 0, source, sizeMax: 15 }),
          hasCode('upload_too_large'),
        )
        assert.ok((await store.uploadSize('product', uploadId)) <= 15)
      }),
    )
    it(
      'knows an upload only in its own repository, and never a made-up id',
      withStore(async ({ store }) => {
        const uploadId = await store.createUpload('one')
        await assert.rejects(store.uploadSize('two', uploadId), hasCode('upload_unknown'))
        for (const id of ['', '..', '../../content', 'f'.repeat(32), '\0']) {
          await assert.rejects(store.uploadSize('one', id), hasCode('upload_unknown'))
        }
        await store.cancelUpload('two', uploadId)
        assert.equal(await store.uploadSize('one', uploadId), 0)
        await store.cancelUpload('one', uploadId)
        await assert.rejects(store.uploadSize('one', uploadId), hasCode('upload_unknown'))
      }),
    )
    it(
      'lets one of two writers at the same offset win, unmixed',
      withStore(async ({ store }) => {
        const uploadId = await store.createUpload('product')
        const write = (text: string) =>
          store.appendUpload('product', uploadId, {
            offset: 0,
            source: pieces(text, text),
            sizeMax: 100,
          })
        const results = await Promise.allSettled([write('aa'), write('bb')])
        const winners = results.filter((result) => result.status === 'fulfilled')
        assert.equal(winners.length, 1)
        const digest = digestOf(utf8Encode(results[0].status === 'fulfilled' ? 'aaaa' : 'bbbb'))
        assert.equal((await store.commitUpload('product', uploadId, digest)).size, 4)
      }),
    )
    it(
      'A9 attack: an upload that comes byte by byte has no piece kept, only its bytes',
      withStore(async ({ store }) => {
        const bytes = utf8Encode('0123456789'.repeat(200))
        async function* lendByteByByte() {
          const lent = new Uint8Array(1)
          for (const byte of bytes) {
            lent[0] = byte
            yield lent
          }
        }
        const uploadId = await store.createUpload('product')
        const source = lendByteByByte()
        await store.appendUpload('product', uploadId, { offset: 0, source, sizeMax: 2000 })
        const digest = digestOf(bytes)
        await store.commitUpload('product', uploadId, digest)
        const blob = await store.openBlob('product', digest)
        assert.deepEqual(await collectVerified(blob!.read(), { digest, size: 2000 }), bytes)
        // What reads a blob into memory keeps no piece either.
        assert.deepEqual(await collectVerified(lendByteByByte(), { digest, size: 2000 }), bytes)
      }),
    )
    it(
      'any cutting into chunks gives the same blob',
      withStore(async ({ store }) => {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { maxLength: 6 }),
            async (chunks) => {
              const uploadId = await store.createUpload('product')
              let offset = 0
              for (const chunk of chunks) {
                offset = await store.appendUpload('product', uploadId, {
                  offset,
                  source: pieces(chunk.subarray(0, 7), chunk.subarray(7)),
                  sizeMax: 100_000,
                })
              }
              const whole = joinBytes(chunks)
              const digest = digestOf(whole)
              await store.commitUpload('product', uploadId, digest)
              const blob = await store.openBlob('product', digest)
              assert.deepEqual(await readAll(blob!.read()), new Uint8Array(whole))
            },
          ),
          { numRuns: 25 },
        )
      }),
    )
  })

  describe(`${name}: manifests, tags, referrers`, () => {
    it(
      'stores exact bytes under their digest and tag, and moves a tag',
      withStore(async ({ store }) => {
        const first = await putImage(store, 'product', 'first', { tag: 'stable' })
        const second = await putImage(store, 'product', 'second', { tag: 'stable' })
        assert.equal(await store.resolveTag('product', 'stable'), second.descriptor.digest)
        const stored = await store.getManifest('product', first.descriptor.digest)
        assert.equal(digestOf(stored!.bytes), first.descriptor.digest)
        assert.equal(stored!.mediaType, mediaTypes.manifest)
        assert.equal(await store.getManifest('other', first.descriptor.digest), undefined)
        assert.deepEqual(
          await store.listManifests('product'),
          [first.descriptor.digest, second.descriptor.digest].toSorted(),
        )
      }),
    )
    it(
      'refuses a wrong digest, unknown children, children of another size, garbage',
      withStore(async ({ store }) => {
        const image = await putImage(store, 'product', 'layer')
        const { bytes } = (await store.getManifest('product', image.descriptor.digest))!
        const put = (repository: string, manifest: Uint8Array, digest?: Digest) =>
          store.putManifest(repository, { bytes: manifest, digest })
        await assert.rejects(
          put('product', bytes, digestOf(emptyBytes)),
          hasCode('digest_mismatch'),
        )
        await assert.rejects(put('other', bytes), hasCode('manifest_child_unknown'))
        const lying = new TextDecoder().decode(bytes).replace('"size":5', '"size":6')
        await assert.rejects(put('product', utf8Encode(lying)), hasCode('manifest_child_unknown'))
        await assert.rejects(put('product', utf8Encode('{')), hasCode('manifest_not_json'))
        await assert.rejects(
          store.putManifest('product', { bytes, tag: '../x' }),
          hasCode('tag_invalid'),
        )
      }),
    )
    it(
      'T7 keeps a layer that may live elsewhere for as long as a manifest names it, where somebody pushed it',
      withStore(async (world) => {
        const { store, clock } = world
        const pushed = await putBytes(store, 'product', utf8Encode('pushed, for offline use'))
        const absent = { ...pushed, digest: digestOf(utf8Encode('never pushed')) }
        await putBytes(store, 'product', emptyBytes)
        const urls = ['https://elsewhere.example/layer']
        const { bytes, descriptor } = encodeManifest({
          kind: 'manifest',
          mediaType: mediaTypes.manifest,
          artifactType: 'application/x-test',
          config: emptyDescriptor,
          layers: [
            { ...pushed, urls },
            { ...absent, urls },
          ],
        })
        await store.putManifest('product', { bytes, tag: 'stable' })
        clock.advance(2 * hourMs)
        await collect(world)
        assert.ok(await store.statBlob('product', pushed.digest))
        const roots = [descriptor.digest]
        assert.ok(await isNeededByRelease(store, 'product', pushed.digest, roots))
        await requireClosure(store, 'product', descriptor.digest)
        await store.deleteTag('product', 'stable')
        clock.advance(2 * hourMs)
        await collect(world)
        assert.equal(await store.statBlob('product', pushed.digest), undefined)
        const own = encodeManifest({
          kind: 'manifest',
          mediaType: mediaTypes.manifest,
          config: pushed,
          layers: [{ ...absent, urls: [] }],
        })
        await assert.rejects(
          store.putManifest('product', { bytes: own.bytes }),
          hasCode('manifest_child_unknown'),
        )
      }),
    )
    it(
      'lists tags in order and in pages',
      withStore(async ({ store }) => {
        for (const tag of ['b', 'a', 'C', '10', '9']) await putImage(store, 'product', 'x', { tag })
        assert.deepEqual(await store.listTags('product'), ['10', '9', 'C', 'a', 'b'])
        assert.deepEqual(await store.listTags('product', { max: 2 }), ['10', '9'])
        assert.deepEqual(await store.listTags('product', { after: '9', max: 2 }), ['C', 'a'])
        assert.deepEqual(await store.listTags('nothing'), [])
        assert.equal(await store.deleteTag('product', '9'), true)
        assert.equal(await store.deleteTag('product', '9'), false)
        assert.deepEqual(await store.listTags('product'), ['10', 'C', 'a', 'b'])
      }),
    )
    it(
      'lists referrers, those put before their subject too, and forgets deleted ones',
      withStore(async ({ store }) => {
        const subject = encodeManifest({
          kind: 'manifest',
          mediaType: mediaTypes.manifest,
          artifactType: 'application/x-test',
          config: emptyDescriptor,
          layers: [],
        })
        const early = await putImage(store, 'product', 'early', {
          subject: subject.descriptor,
          artifactType: 'application/x-sbom',
        })
        await store.putManifest('product', { bytes: subject.bytes })
        const late = await putImage(store, 'product', 'late', { subject: subject.descriptor })
        const referrers = await store.listReferrers('product', subject.descriptor.digest)
        assert.deepEqual(
          referrers.map((r) => r.digest),
          [early.descriptor.digest, late.descriptor.digest].toSorted(),
        )
        const found = referrers.find((r) => r.digest === early.descriptor.digest)!
        assert.equal(found.artifactType, 'application/x-sbom')
        assert.deepEqual({ ...found.annotations }, { note: 'early' })
        await store.deleteManifest('product', early.descriptor.digest)
        assert.equal((await store.listReferrers('product', subject.descriptor.digest)).length, 1)
      }),
    )
    it(
      'deletes a manifest with its tags',
      withStore(async ({ store }) => {
        const image = await putImage(store, 'product', 'x', { tag: 'one' })
        await store.putManifest('product', {
          bytes: (await store.getManifest('product', image.descriptor.digest))!.bytes,
          tag: 'two',
        })
        assert.equal(await store.deleteManifest('product', image.descriptor.digest), true)
        assert.equal(await store.deleteManifest('product', image.descriptor.digest), false)
        assert.deepEqual(await store.listTags('product'), [])
        assert.equal(await store.getManifest('product', image.descriptor.digest), undefined)
      }),
    )
    it(
      'knows its repositories',
      withStore(async ({ store }) => {
        assert.deepEqual(await store.listRepositories(), [])
        assert.equal(await store.hasRepository('a'), false)
        await putBytes(store, 'a/b', utf8Encode('1'))
        await putImage(store, 'a', '2')
        assert.deepEqual(await store.listRepositories(), ['a', 'a/b'])
        assert.equal(await store.hasRepository('a/b'), true)
      }),
    )
  })

  describe(`${name}: garbage collection`, () => {
    it(
      'B10 keeps all of a signed release, its referrers included, when nothing else points to it',
      withStore(async (world) => {
        const { store, clock } = world
        const release = await putRelease(store, 'product')
        const other = await putImage(store, 'product', 'garbage')
        const tagged = await putImage(store, 'product', 'tagged', { tag: 'keep' })
        clock.advance(3 * hourMs)
        const result = await collect(world, [release.index.digest])
        assert.equal(result.manifestCount, 1)
        assert.equal(await store.getManifest('product', other.descriptor.digest), undefined)
        assert.equal(await store.statBlob('product', other.layer), undefined)
        assert.ok(await store.getManifest('product', tagged.descriptor.digest))
        for (const image of [release.amd64, release.arm64, release.sbom]) {
          assert.ok(await store.getManifest('product', image.descriptor.digest))
          assert.ok(await store.statBlob('product', image.layer))
        }
        await requireClosure(store, 'product', release.index.digest)
      }),
    )
    it(
      'B10 removes nothing at all when a signed release cannot be seen',
      withStore(async (world) => {
        const { store, clock } = world
        const image = await putImage(store, 'product', 'garbage')
        clock.advance(3 * hourMs)
        await assert.rejects(
          collect(world, [digestOf(utf8Encode('a release'))]),
          hasCode('root_unreadable'),
        )
        assert.ok(await store.statBlob('product', image.layer))
      }),
    )
    it(
      'keeps what is younger than the grace time: blobs without manifest, manifests, uploads',
      withStore(async (world) => {
        const { store, clock } = world
        const blob = await putBytes(store, 'product', utf8Encode('on its way'))
        const uploadId = await store.createUpload('product')
        const source = pieces('part')
        await store.appendUpload('product', uploadId, { offset: 0, source, sizeMax: 10 })
        clock.advance(hourMs / 2)
        await collect(world)
        assert.equal(await store.uploadSize('product', uploadId), 4)
        assert.ok(await store.statBlob('product', blob.digest))
        clock.advance(hourMs / 2 + 10_000)
        const result = await collect(world)
        assert.equal(result.uploadCount, 1)
        assert.ok(await store.statBlob('product', blob.digest), 'asking for it was a use')
        clock.advance(2 * hourMs)
        assert.equal((await collect(world)).contentCount, 1)
        assert.equal(await store.statBlob('product', blob.digest), undefined)
      }),
    )
    it(
      'removes all of a release once it is no longer signed',
      withStore(async (world) => {
        const { store, clock } = world
        await putRelease(store, 'product')
        clock.advance(3 * hourMs)
        const result = await collect(world)
        assert.deepEqual([result.manifestCount, result.linkCount, result.contentCount], [4, 4, 8])
        assert.deepEqual(await store.listManifests('product'), [])
      }),
    )
    it(
      'a manifest that comes during the sweep has all its blobs or is refused',
      withStore(async (world) => {
        const { store, clock } = world
        for (let round = 0; round < 20; round++) {
          const layer = await putBytes(store, 'product', utf8Encode(`layer ${round}`))
          await putBytes(store, 'product', emptyBytes)
          const manifest = encodeManifest({
            kind: 'manifest',
            mediaType: mediaTypes.manifest,
            artifactType: 'application/x-test',
            config: emptyDescriptor,
            layers: [layer],
          })
          clock.advance(3 * hourMs)
          const [, put] = await Promise.allSettled([
            collect(world),
            store.putManifest('product', { bytes: manifest.bytes, tag: `v${round}` }),
          ])
          if (put.status === 'rejected') {
            assert.ok(hasCode('manifest_child_unknown')(put.reason))
          } else {
            await requireClosure(store, 'product', manifest.descriptor.digest)
          }
        }
      }),
    )
    it(
      'tells what a signed release needs',
      withStore(async ({ store }) => {
        const release = await putRelease(store, 'product')
        const other = await putImage(store, 'product', 'other')
        const needed = (digest: Digest) =>
          isNeededByRelease(store, 'product', digest, [release.index.digest])
        for (const digest of [
          release.index.digest,
          release.arm64.layer,
          release.sbom.descriptor.digest,
        ]) {
          assert.equal(await needed(digest), true)
        }
        assert.equal(await needed(other.layer), false)
        assert.equal(await needed(other.descriptor.digest), false)
      }),
    )
    it(
      'requireClosure names what is missing',
      withStore(async ({ store }) => {
        const release = await putRelease(store, 'product')
        await store.deleteBlob('product', release.arm64.layer)
        await assert.rejects(
          requireClosure(store, 'product', release.index.digest),
          hasCode('manifest_child_unknown'),
        )
      }),
    )
  })

  describe(`${name}: damage`, () => {
    it(
      'T10 a manifest changed in the store is refused, and scrubbing finds changed content',
      withStore(async ({ store, damage }) => {
        if (!damage) return
        const image = await putImage(store, 'product', 'x', { tag: 'one' })
        await damage(image.layer)
        await damage(image.descriptor.digest)
        await assert.rejects(
          store.getManifest('product', image.descriptor.digest),
          hasCode('content_damaged'),
        )
        assert.deepEqual(
          (await store.scrub()).toSorted(),
          [image.layer, image.descriptor.digest].toSorted(),
        )
        assert.equal(await store.statBlob('product', image.layer), undefined)
        await putImage(store, 'product', 'x', { tag: 'one' })
        assert.ok(await store.getManifest('product', image.descriptor.digest))
        assert.deepEqual(await store.scrub(), [])
      }),
    )
    it(
      'B10 a damaged manifest stops the collection while anything points to it, and can be deleted',
      withStore(async (world) => {
        const { store, clock, damage } = world
        if (!damage) return
        const release = await putRelease(store, 'product')
        const image = await putImage(store, 'product', 'x', { tag: 'one' })
        const { digest } = image.descriptor
        await damage(digest)
        clock.advance(3 * hourMs)
        await assert.rejects(collect(world, [release.index.digest]), hasCode('content_damaged'))
        assert.equal(
          await isNeededByRelease(store, 'product', digest, [release.index.digest]),
          false,
        )
        await store.deleteManifest('product', digest)
        await collect(world, [release.index.digest])
        await requireClosure(store, 'product', release.index.digest)
        await damage(release.arm64.descriptor.digest)
        clock.advance(3 * hourMs)
        await assert.rejects(collect(world, [release.index.digest]), hasCode('content_damaged'))
        assert.ok(await store.statBlob('product', release.arm64.layer))
      }),
    )
    it(
      'B10 fault: a damaged manifest that is attached to a signed release stops the collection, and loses nothing',
      withStore(async (world) => {
        const { store, clock, damage } = world
        if (!damage) return
        const release = await putRelease(store, 'product')
        const { digest } = release.sbom.descriptor
        await damage(digest)
        clock.advance(3 * hourMs)
        await assert.rejects(collect(world, [release.index.digest]), {
          code: 'content_damaged',
          message: new RegExp(digest),
        })
        assert.ok(await store.statBlob('product', release.sbom.layer))
        await store.deleteManifest('product', digest)
        await collect(world, [release.index.digest])
        await requireClosure(store, 'product', release.index.digest)
      }),
    )
  })
}
