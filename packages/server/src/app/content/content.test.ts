import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeContent } from '@seaworthy/oci/content'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { unusablePlatform, unusableReleases } from '@seaworthy/oci/unusable-releases'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { ManualClock } from '@seaworthy/std/time'
import { problemOf } from '../../http/problem-replies.ts'
import { describeContent, verifyClaims } from './content.ts'
import { createContentChecks } from './content-checks.ts'

for (const { name, code, put } of unusableReleases) {
  test(`T11 a proposal of what devices would refuse for good is refused: ${code}: ${name}`, async () => {
    const clock = new ManualClock(new Date(0))
    const store = createMemoryStore({ clock, random: seededRandom(2) })
    const { bytes } = await put(storeContent(store, 'web'))
    const release = {
      path: 'web/stable/1.0',
      product: 'web',
      channel: 'stable',
      version: '1.0',
      counter: 1,
      floor: 0,
      kind: 'bundle',
      platforms: [unusablePlatform],
      hardware: [],
      security: false,
      releasedAt: clock.now(),
      length: bytes.length,
      sha256: digestHex(digestOf(bytes)),
      sha512: digestHex(digestOf(bytes, 'sha512')),
    } as const
    const deps = { store, contentChecks: createContentChecks() }
    await assert.rejects(verifyClaims(deps, release), (error) => {
      assert.ok(error instanceof Refusal, String(error))
      const { problem } = problemOf(error)
      assert.deepEqual([problem.code, problem.status], [code, 422], error.message)
      return true
    })
  })
}

/** A good release of `web`, and a count of what was asked of its store. */
async function putGood() {
  const store = createMemoryStore({ clock: new ManualClock(new Date(0)), random: seededRandom(2) })
  const { layer, files } = craftLayer([{ path: 'version', content: '1' }])
  const platforms = ['linux/amd64', 'linux/arm64']
  const { descriptor } = await craftRelease(storeContent(store, 'web'), {
    product: 'web',
    version: '1.0',
    bundles: platforms.map((platform) => ({ platform, layer, listed: files })),
  })
  const asked: string[] = []
  const counting: typeof store = {
    ...store,
    getManifest: (repository, digest) => {
      asked.push(digest)
      return store.getManifest(repository, digest)
    },
    statBlob: (repository, digest) => {
      asked.push(digest)
      return store.statBlob(repository, digest)
    },
  }
  const contentChecks = createContentChecks()
  return { deps: { store: counting, contentChecks }, asked, digest: descriptor.digest }
}

test('V4 T9 attack: nothing of a release is read before its product’s turn, nor once its caller has left', async () => {
  const { deps, asked, digest } = await putGood()
  const held = Promise.withResolvers<Refusal<'tar_malformed'>>()
  void deps.contentChecks
    .check({ product: 'web', digest: 'another' }, () => held.promise as never)
    .catch(() => {})
  const wanted = { product: 'web', version: '1.0', digest }
  const leaving = new AbortController()
  const gone = describeContent(deps, wanted, leaving.signal)
  gone.catch(() => {})
  const staying = describeContent(deps, { ...wanted, version: '2.0' })
  staying.catch(() => {})
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  assert.deepEqual(asked, [], 'before its turn')
  leaving.abort()
  await assert.rejects(gone, { code: 'caller_left' })
  held.resolve(new Refusal('tar_malformed', 'another'))
  await assert.rejects(staying, { code: 'release_mismatch' })
  assert.ok(asked.length > 0)
})

test('V4 T9 attack: the manifests of a release that is being read are left when its caller leaves', async () => {
  const { deps, asked, digest } = await putGood()
  const leaving = new AbortController()
  const store = { ...deps.store }
  deps.store.getManifest = async (repository, wanted) => {
    const stored = await store.getManifest(repository, wanted)
    leaving.abort()
    return stored
  }
  await assert.rejects(
    describeContent(deps, { product: 'web', version: '1.0', digest }, leaving.signal),
    { code: 'caller_left' },
  )
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  assert.deepEqual(asked, [digest])
})

test('V4 T9 a release is read once, and whether all of it is there each time', async () => {
  const { deps, asked, digest } = await putGood()
  const wanted = { product: 'web', version: '1.0', digest }
  const first = await describeContent(deps, wanted)
  assert.deepEqual(await describeContent(deps, wanted), first)
  assert.deepEqual(
    first.platforms.map(({ platform }) => platform),
    ['linux/amd64', 'linux/arm64'],
  )
  asked.length = 0
  deps.store.statBlob = async () => undefined
  await assert.rejects(describeContent(deps, wanted), { code: 'release_content_missing' })
})
