/** What every store does with blobs, uploads, manifests, tags and referrers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import { seededRandom } from '@seaworthy/std/random'
import { hasCode } from '@seaworthy/std/testing'
import { hourMs } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { collectVerified, digestOf } from '../digests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { isNeededByRelease, requireClosure } from './garbage.ts'
import type { RegistryStore } from './index.ts'
import { putBlob } from './index.ts'
import type { OpenStore } from './store.fixture.ts'
import {
  withStore,
  collect,
  pieces,
  breakingOff,
  readAll,
  putBytes,
  putImage,
} from './store.fixture.ts'

export function testContent(name: string, open: OpenStore): void {
  describe(`${name}: blobs`, () => {
    it(
      'gives back what was put, whole and in ranges, and only in its repository',
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store, reopen }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async (world) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
        assert.deepEqual(await store.listRepositories(), [])
        assert.equal(await store.hasRepository('a'), false)
        await putBytes(store, 'a/b', utf8Encode('1'))
        await putImage(store, 'a', '2')
        assert.deepEqual(await store.listRepositories(), ['a', 'a/b'])
        assert.equal(await store.hasRepository('a/b'), true)
      }),
    )
  })
}
