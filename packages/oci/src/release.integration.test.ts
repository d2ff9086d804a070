import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { ManualClock } from '@seaworthy/std/time'
import { createDirectorySink } from './bundle/directory.ts'
import { diffFileLists, parseFileListManifest } from './bundle/file-list.ts'
import { unpackBundle } from './bundle/unpack.ts'
import { copyContent, putBytes, storeContent } from './content.ts'
import { digestHex, verifyBytes } from './digests.ts'
import { createLayout, openLayout } from './layout.ts'
import { encodeManifest, mediaTypes } from './manifests.ts'
import type { PlatformSource } from './release.ts'
import { buildRelease, readListDocument } from './release.ts'
import {
  bundleArtifactType,
  parseBundleManifest,
  parseRelease,
  releaseArtifactType,
} from './release-index.ts'
import { readReleaseOutline, verifyReleaseContent } from './release-content.ts'
import { requireClosure } from './store/garbage.ts'
import { createMemoryStore } from './store/memory.ts'
import type { CraftedBundle } from './crafted-release.ts'
import { craftLayer, craftRelease } from './crafted-release.ts'
import { unusablePlatform, unusableReleases } from './unusable-releases.ts'

const hasCode =
  (code: string, kind: typeof Refusal | typeof TrustError = Refusal) =>
  (error: unknown) =>
    error instanceof kind && error.code === code

describe('releases', () => {
  const random = seededRandom(1)
  let root: string
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'seaworthy-release-'))
    for (const platform of ['amd64', 'arm64']) {
      await mkdir(join(root, platform))
      await writeFile(join(root, platform, 'app'), `#!/bin/sh\necho ${platform}\n`, { mode: 0o755 })
      await writeFile(join(root, platform, 'seaworthy.json'), '{"start":["./app"]}')
    }
  })
  after(() => rm(root, { recursive: true }))

  const folder = (name: string) => ({
    platform: `linux/${name}`,
    source: { kind: 'folder' as const, path: join(root, name) },
  })
  const build = async (
    name: string,
    platforms: { platform: string; source: PlatformSource }[] = [folder('arm64'), folder('amd64')],
    version = '1.0',
  ) => {
    const layout = await createLayout(join(root, name), random)
    const release = await buildRelease({ product: 'kiosk', version, platforms, layout })
    return { layout, release }
  }
  const makeStore = () =>
    createMemoryStore({ clock: new ManualClock(new Date(0)), random: seededRandom(2) })

  it('T11 a bundle from elsewhere that devices would refuse for good makes no release', async () => {
    const taken = unusableReleases.filter(({ name }) =>
      /^it has (?:no|two) layer|^its (?:layer|manifest|archive|seaworthy)/.test(name),
    )
    assert.ok(taken.length > 15)
    for (const [i, { name, code, put }] of taken.entries()) {
      const source = storeContent(makeStore(), 'web')
      const { digest } = (await put(source)).descriptor
      const platform = { platform: unusablePlatform, source: { kind: 'content', source, digest } }
      await assert.rejects(
        build(`unusable-${i}`, [platform as { platform: string; source: PlatformSource }]),
        hasCode(code),
        name,
      )
    }
  })

  it('B6 B9 the same input gives the same index, whatever the order of platforms', async () => {
    const one = await build('one')
    const two = await build('two', [folder('amd64'), folder('arm64')])
    assert.equal(one.release.descriptor.digest, two.release.descriptor.digest)
    assert.deepEqual(one.release.platforms, ['linux/amd64', 'linux/arm64'])
    verifyBytes(one.release.bytes, one.release.descriptor)
    const index = JSON.parse(Buffer.from(one.release.bytes).toString()) as Record<string, unknown>
    assert.equal(index['artifactType'], releaseArtifactType)
    assert.deepEqual(index['annotations'], {
      'dev.seaworthy.product': 'kiosk',
      'dev.seaworthy.version': '1.0',
    })
    const opened = await openLayout(join(root, 'one'), random)
    assert.equal((await opened.resolve('1.0')).digest, one.release.descriptor.digest)
    assert.equal((await opened.resolve()).digest, one.release.descriptor.digest)
    await assert.rejects(opened.resolve('2.0'), hasCode('layout_ambiguous'))
  })

  it('goes to a store, comes out by digest alone, and unpacks', async () => {
    const { layout, release } = await build('go')
    const store = makeStore()
    const { digest } = release.descriptor
    let bytes = 0
    await copyContent({
      source: layout,
      target: storeContent(store, 'kiosk'),
      digest,
      tag: '1.0',
      onProgress: (more) => (bytes += more),
    })
    assert.ok(bytes > 100)
    await requireClosure(store, 'kiosk', digest)
    assert.equal(await store.resolveTag('kiosk', '1.0'), digest)
    const source = storeContent(store, 'kiosk')
    const read = parseRelease((await source.readManifest(digest)).bytes)
    assert.deepEqual([read.product, read.version], ['kiosk', '1.0'])
    const descriptor = read.platforms.get('linux/arm64')!
    assert.equal(descriptor.artifactType, bundleArtifactType)
    const content = await source.readManifest(descriptor.digest)
    verifyBytes(content.bytes, descriptor)
    const { layer } = parseBundleManifest(content.bytes)
    await mkdir(join(root, 'unpacked'))
    await unpackBundle({
      source: source.readBlob(layer),
      expected: layer,
      sink: createDirectorySink(join(root, 'unpacked')),
    })
    assert.match(await readFile(join(root, 'unpacked', 'app'), 'utf8'), /arm64/)
    const referrers = await store.listReferrers('kiosk', descriptor.digest)
    assert.deepEqual(
      referrers.map((r) => r.digest),
      [read.fileLists.get('linux/arm64')!.digest],
    )
  })

  it('B7 B4 lists files, covered by the index, and shows what changed', async () => {
    const { layout, release } = await build('list')
    const lists = parseRelease(release.bytes).fileLists
    const read = async (platform: string) => {
      const { bytes } = await layout.readManifest(lists.get(platform)!.digest)
      return await readListDocument(layout, parseFileListManifest(bytes).list)
    }
    const [amd64, arm64] = [await read('linux/amd64'), await read('linux/arm64')]
    assert.deepEqual(
      amd64.entries.map((e) => e.path),
      ['app', 'seaworthy.json'],
    )
    assert.deepEqual(
      diffFileLists(amd64, arm64).changed.map((c) => c.after.path),
      ['app'],
    )
  })

  it('takes over another layout’s image for its platform', async () => {
    const { layout, release } = await build('source')
    const source = { kind: 'content' as const, source: layout, digest: release.descriptor.digest }
    const target = await createLayout(join(root, 'taken'), random)
    const taken = await buildRelease({
      product: 'kiosk',
      version: '1.0',
      platforms: [{ platform: 'linux/arm64', source }],
      layout: target,
    })
    assert.deepEqual(taken.platforms, ['linux/arm64'])
    await verifyReleaseContent(target, await readReleaseOutline(target, taken.descriptor.digest))
    const absent = { platform: 'linux/riscv64', source }
    await assert.rejects(
      buildRelease({ product: 'kiosk', version: '1', platforms: [absent], layout: target }),
      hasCode('platform_absent'),
    )
  })

  it('T11 a bundle taken over with a file list that is not its layer is refused, and one without gets its own', async () => {
    const layout = await createLayout(join(root, 'handed-over'), random)
    const bundle = {
      platform: 'linux/amd64',
      layer: craftLayer([{ path: 'a', content: 'x' }]).layer,
    }
    const listed = craftLayer([{ path: 'a', content: 'y' }]).files
    const craft = async (given: CraftedBundle) => {
      const version = '1.0'
      const index = await craftRelease(layout, { product: 'kiosk', version, bundles: [given] })
      const source = { kind: 'content' as const, source: layout, digest: index.descriptor.digest }
      return { platform: 'linux/amd64', source }
    }
    await assert.rejects(
      build('handed-lying', [await craft({ ...bundle, listed })]),
      hasCode('file_list_mismatch'),
    )
    const { layout: target, release } = await build('handed-plain', [await craft(bundle)])
    const { digest } = release.descriptor
    await verifyReleaseContent(target, await readReleaseOutline(target, digest))
  })

  for (const [name, said, alter] of [
    [
      'a chart of another program',
      /neither a bundle nor an image, but "application\/vnd\.chart"/,
      { mediaType: 'application/vnd.chart' },
    ],
    [
      'an artifact of another kind',
      /neither a bundle nor an image, but "application\/x"/,
      { artifactType: 'application/x' },
    ],
    ['an image without content', /the image for linux\/amd64 is empty/, { isEmpty: true }],
    [
      'an image of another platform',
      /says itself that it is for linux\/arm64/,
      { architecture: 'arm64' },
    ],
    ['the image of the platform', undefined, {}],
  ] as const) {
    const verdict = said === undefined ? 'makes a release' : 'is refused before anything is copied'
    it(`B10 ${name} ${verdict}`, async () => {
      const source = await createLayout(join(root, `foreign ${name}`), random)
      const given: {
        mediaType?: string
        artifactType?: string
        isEmpty?: boolean
        architecture?: string
      } = alter
      const config = await putBytes(
        source,
        Buffer.from(JSON.stringify({ os: 'linux', architecture: given.architecture ?? 'amd64' })),
        given.mediaType ?? mediaTypes.config,
      )
      const layer = await putBytes(source, Buffer.from('layer'), mediaTypes.layerTarZstd)
      const { bytes, descriptor } = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        config,
        layers: given.isEmpty === true ? [] : [layer],
        ...(given.artifactType === undefined ? {} : { artifactType: given.artifactType }),
      })
      const { digest, mediaType } = descriptor
      await source.putManifest({ bytes, mediaType, digest })
      const image = { kind: 'content' as const, source, digest }
      const built = build(`taken ${name}`, [{ platform: 'linux/amd64', source: image }])
      if (said === undefined) await built
      else await assert.rejects(built, said)
    })
  }

  it('says which modes a bundle does not carry', async () => {
    const path = join(root, 'special')
    await mkdir(path)
    for (const [name, mode] of [
      ['su', 0o4755],
      ['wall', 0o2755],
      ['secret', 0o600],
    ] as const) {
      await writeFile(join(path, name), name)
      await chmod(join(path, name), mode)
    }
    const special = { platform: 'linux/amd64', source: { kind: 'folder' as const, path } }
    const { release } = await build('dropped', [special])
    assert.deepEqual(release.dropped.map(({ path: name, what }) => `${name} ${what}`).toSorted(), [
      'secret private',
      'su set-uid',
      'wall set-gid',
    ])
  })

  it('a layout with a pipe or a device in the place of a blob is refused, and not waited for', async () => {
    const { layout, release } = await build('piped')
    const { digest } = release.descriptor
    const path = join(layout.path, 'blobs', 'sha256', digestHex(digest))
    await rm(path)
    await symlink('/dev/zero', path)
    await assert.rejects(layout.readManifest(digest), hasCode('layout_malformed'))
    const pieces = layout.readBlob({ digest, size: 1 })[Symbol.asyncIterator]()
    await assert.rejects(pieces.next(), hasCode('layout_malformed'))
  })

  it('refuses platforms that are none, or given twice, or not given', async () => {
    await assert.rejects(build('x', []), hasCode('no_platform'))
    await assert.rejects(build('x', [folder('amd64'), folder('amd64')]), hasCode('platform_twice'))
    const bad = { ...folder('amd64'), platform: 'Linux' }
    await assert.rejects(build('x', [bad]), hasCode('platform_name'))
    const many = Array.from({ length: 65 }, (_, i) => folder(`a${i}`))
    await assert.rejects(build('x', many), hasCode('release_malformed'))
  })

  it('T7 a changed or cut layout does not get into a store', async () => {
    const { layout, release } = await build('hostile')
    const { digest } = release.descriptor
    const copy = () =>
      copyContent({ source: layout, target: storeContent(makeStore(), 'kiosk'), digest })
    const read = parseRelease(release.bytes)
    const manifest = await layout.readManifest(read.platforms.get('linux/amd64')!.digest)
    const { layer } = parseBundleManifest(manifest.bytes)
    const path = join(root, 'hostile', 'blobs', 'sha256', digestHex(layer.digest))
    const good = await readFile(path)
    await writeFile(path, Buffer.concat([good, Buffer.from('x')]))
    await assert.rejects(copy(), hasCode('endless_data', TrustError))
    await writeFile(path, good.subarray(1))
    await assert.rejects(copy(), hasCode('wrong_length', TrustError))
    const changed = Buffer.from(good)
    changed[20]! ^= 1
    await writeFile(path, changed)
    await assert.rejects(copy(), hasCode('wrong_hash', TrustError))
    await rm(path)
    await assert.rejects(copy(), hasCode('content_missing'))
    await writeFile(path, good)
    await copy()
    const index = join(root, 'hostile', 'blobs', 'sha256', digestHex(digest))
    await writeFile(index, Buffer.from(release.bytes).toString().replace('kiosk', 'kiosX'))
    await assert.rejects(copy(), hasCode('wrong_hash', TrustError))
    await writeFile(join(root, 'hostile', 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
    await assert.rejects(openLayout(join(root, 'hostile'), random), hasCode('layout_malformed'))
    await assert.rejects(openLayout(root, random), hasCode('layout_malformed'))
  })
})
