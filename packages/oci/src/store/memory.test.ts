import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '@seaworthy/std/random'
import { hourMs, ManualClock } from '@seaworthy/std/time'
import { Refusal } from '@seaworthy/std/refusal'
import { putBytes, storeContent } from '../content.ts'
import type { Descriptor } from '../manifests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { collectGarbage, isNeededByRelease } from './garbage.ts'
import type { RegistryStore, StoredManifest } from './index.ts'
import { createMemoryStore } from './memory.ts'
import { testRegistryStore } from './store.suite.ts'

testRegistryStore('memory', async () => {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
  return {
    store: createMemoryStore({ clock, random: seededRandom(7) }),
    clock,
    close: async () => {},
  }
})

/** What a builder attaches to a manifest, as many times as they like. */
function attached(n: number, subject?: Descriptor) {
  const { bytes, descriptor } = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: 'a/b',
    config: emptyDescriptor,
    layers: [],
    annotations: { n: String(n) },
    ...(subject === undefined ? {} : { subject }),
  })
  return { bytes, descriptor, mediaType: mediaTypes.manifest, digest: descriptor.digest }
}

async function withSubject() {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
  const store = createMemoryStore({ clock, random: seededRandom(7) })
  await putBytes(storeContent(store, 'a'), emptyBytes, mediaTypes.empty)
  const subject = attached(-1)
  await store.putManifest('a', { ...subject, tag: 'x' })
  return { store, subject }
}

test('B10 attack: 130,000 manifests attached to one do not end the marking that garbage collection and deletion rest on', async () => {
  const { store, subject } = await withSubject()
  const many = new Map<string, StoredManifest>()
  for (let n = 0; n < 130_000; n++) {
    const one = attached(n, subject.descriptor)
    many.set(one.digest, one)
  }
  // A store that has them from the time before there was a limit.
  const crowded: RegistryStore = {
    ...store,
    listManifests: async () => [subject.digest, ...[...many.values()].map(({ digest }) => digest)],
    peekManifest: async (repository, digest) =>
      many.get(digest) ?? (await store.peekManifest(repository, digest)),
  }
  const last = [...many.values()].at(-1)!
  assert.ok(await isNeededByRelease(crowded, 'a', last.digest, [subject.digest]))
})

test('B10 a manifest has only so many attached, and room again when some are deleted', async () => {
  const { store, subject } = await withSubject()
  for (let n = 0; n < 10_000; n++) await store.putManifest('a', attached(n, subject.descriptor))
  const another = attached(10_000, subject.descriptor)
  await assert.rejects(store.putManifest('a', another), (error) => {
    assert.ok(error instanceof Refusal, String(error))
    assert.equal(error.code, 'too_many_referrers')
    return true
  })
  assert.equal(await store.getManifest('a', another.digest), undefined)
  await store.putManifest('a', attached(7, subject.descriptor))
  await store.deleteManifest('a', attached(8, subject.descriptor).digest)
  await store.putManifest('a', another)
})

test('O1 attack: a store whose lists leave manifests out, at whichever moment, costs no signed release its content (property)', async () => {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
  const store = createMemoryStore({ clock, random: seededRandom(7) })
  await putBytes(storeContent(store, 'a'), emptyBytes, mediaTypes.empty)
  const children = [attached(1), attached(2)]
  for (const child of children) await store.putManifest('a', child)
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    manifests: children.map(({ descriptor }) => descriptor),
    annotations: {},
  })
  const root = index.descriptor.digest
  await store.putManifest('a', { bytes: index.bytes, mediaType: mediaTypes.index, digest: root })
  clock.advance(48 * hourMs)
  const all = [root, ...children.map(({ digest }) => digest)]
  const leftOut = fc.array(fc.subarray(all), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(leftOut, async (pages) => {
      const lists = [...pages]
      const lying: RegistryStore = {
        ...store,
        async listManifests(repository) {
          const hidden = lists.shift() ?? []
          return (await store.listManifests(repository)).filter((one) => !hidden.includes(one))
        },
      }
      const options = { roots: async () => [root], clock, graceMs: hourMs }
      await collectGarbage(lying, options).catch((error: unknown) => {
        assert.ok(error instanceof Refusal && error.code === 'root_unreadable', String(error))
      })
      for (const digest of all) assert.ok(await store.peekManifest('a', digest), digest)
      assert.ok(await store.statBlob('a', emptyDescriptor.digest))
      clock.advance(48 * hourMs)
    }),
  )
})

test('O1 attack: a tag or manifest that is listed and cannot be read counts as none: the collection ends, unless it has gone meanwhile', async () => {
  const { store, subject } = await withSubject()
  const signature = attached(0, subject.descriptor)
  await store.putManifest('a', signature)
  const clock = new ManualClock(new Date('2026-01-03T00:00:00Z'))
  const collect = (changes: Partial<RegistryStore>) =>
    collectGarbage({ ...store, ...changes }, { roots: async () => [], clock, graceMs: hourMs })
  const unreadable = (error: unknown) => {
    assert.ok(error instanceof Refusal && error.code === 'root_unreadable', String(error))
    return true
  }
  await assert.rejects(collect({ resolveTag: async () => undefined }), unreadable)
  const peekManifest: RegistryStore['peekManifest'] = async (repository, digest) =>
    digest === signature.digest ? undefined : store.peekManifest(repository, digest)
  await assert.rejects(collect({ peekManifest }), unreadable)
  assert.ok(await store.peekManifest('a', subject.digest))
  assert.ok(await store.peekManifest('a', signature.digest))

  // Both were there in the first list alone.
  let tagLists = 0
  let lists = 0
  const gone = 'sha256:'.padEnd(71, '0') as typeof subject.digest
  await collect({
    listTags: async (repository) => [
      ...(await store.listTags(repository)),
      ...(tagLists++ % 2 === 0 ? ['gone'] : []),
    ],
    listManifests: async (repository) => [
      ...(await store.listManifests(repository)),
      ...(lists++ % 2 === 0 ? [gone] : []),
    ],
  })
  assert.ok(await store.peekManifest('a', signature.digest))
})
