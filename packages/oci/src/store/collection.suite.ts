/** What every store collects as garbage, and how it meets damage. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { hasCode } from '@seaworthy/std/testing'
import { hourMs } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { digestOf } from '../digests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { isNeededByRelease, requireClosure } from './garbage.ts'
import type { OpenStore } from './store.fixture.ts'
import { withStore, collect, pieces, putBytes, putImage, putRelease } from './store.fixture.ts'

export function testCollection(name: string, open: OpenStore): void {
  describe(`${name}: garbage collection`, () => {
    it(
      'B10 keeps all of a signed release, its referrers included, when nothing else points to it',
      withStore(open, async (world) => {
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
      withStore(open, async (world) => {
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
      withStore(open, async (world) => {
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
      withStore(open, async (world) => {
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
      withStore(open, async (world) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store }) => {
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
      withStore(open, async ({ store, damage }) => {
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
      withStore(open, async (world) => {
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
      withStore(open, async (world) => {
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
