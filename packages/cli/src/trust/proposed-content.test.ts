import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ContentSource } from '@seaworthy/oci/content'
import { missing, storeContent } from '@seaworthy/oci/content'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import type { Digest } from '@seaworthy/oci/digests'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { openLayout } from '@seaworthy/oci/layout'
import { readReleaseOutline } from '@seaworthy/oci/release-content'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { unusablePlatform, unusableReleases } from '@seaworthy/oci/unusable-releases'
import { concatBytes, joinBytes } from '@seaworthy/std/bytes'
import { seededRandom, systemRandom } from '@seaworthy/std/random'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { ManualClock } from '@seaworthy/std/time'
import { createRepositorySimulator } from '@seaworthy/trust/testing'
import {
  buildProposal,
  formatProposal,
  parseMetadata,
  proposalBytesMax,
} from '@seaworthy/trust/tuf'
import { describeContentChange, layOutContent, packContent } from './proposed-content.ts'

test('T11 nobody is asked to sign what devices would refuse for good', async () => {
  for (const { code, name, put } of unusableReleases) {
    const clock = new ManualClock(new Date(0))
    const source = storeContent(createMemoryStore({ clock, random: seededRandom(2) }), 'web')
    const { bytes } = await put(source)
    const claims = {
      product: 'web',
      version: '1.0',
      kind: 'bundle',
      platforms: [unusablePlatform],
      length: bytes.length,
      sha512: digestHex(digestOf(bytes, 'sha512')),
    }
    const progress = () => ({ update() {}, finish() {} })
    await assert.rejects(
      describeContentChange(
        { progress },
        source,
        { claims, sha256: digestHex(digestOf(bytes)), before: undefined },
        { mayMiss: false },
      ),
      (error) => {
        assert.ok(error instanceof Refusal, String(error))
        assert.equal(error.code, code, `${name}: ${error.message}`)
        return true
      },
    )
  }
})

const progress = () => ({ update() {}, finish() {} })

/**
 * Two releases of one channel, the second proposed, and every digest below each that only it has.
 */
async function makeTwoReleases() {
  const clock = new ManualClock(new Date(0))
  const source = storeContent(createMemoryStore({ clock, random: seededRandom(2) }), 'web')
  const make = async (version: string) => {
    const { layer, files } = craftLayer([
      { path: 'bin/app', content: version, isExecutable: true },
      { path: 'seaworthy.json', content: '{"start":["./bin/app"]}' },
    ])
    const bundles = [{ platform: 'linux/amd64', layer, listed: files }]
    const { bytes } = await craftRelease(source, { product: 'web', version, bundles })
    const outline = await readReleaseOutline(source, digestOf(bytes))
    const [platform] = outline.platforms
    assert.ok(platform?.kind === 'bundle')
    const claims = {
      product: 'web',
      version,
      kind: 'bundle' as const,
      platforms: ['linux/amd64'],
      length: bytes.length,
      sha512: digestHex(digestOf(bytes, 'sha512')),
    }
    const digests = {
      index: digestOf(bytes),
      manifest: platform.manifest.digest,
      list: platform.list!.digest,
      layer: platform.layer.digest,
    }
    return { claims, sha256: digestHex(digestOf(bytes)), digests }
  }
  return { source, before: await make('1.0'), after: await make('1.1') }
}

const spoil = {
  missing: (_bytes: Uint8Array, digest: Digest) => missing(digest),
  'wrong bit': (bytes: Uint8Array) => bytes.map((byte, i) => (i === 9 ? byte ^ 1 : byte)),
  'cut short': (bytes: Uint8Array) => bytes.subarray(0, -1),
  'too long': (bytes: Uint8Array) => concatBytes(bytes, Uint8Array.of(0)),
  'something else': () => new TextEncoder().encode('{}'),
}

function spoilt(source: ContentSource, digest: Digest, how: keyof typeof spoil): ContentSource {
  return {
    async readManifest(asked) {
      const content = await source.readManifest(asked)
      if (asked !== digest) return content
      return { ...content, bytes: spoil[how](content.bytes, digest) }
    },
    async *readBlob(expected) {
      const parts: Uint8Array[] = []
      for await (const piece of source.readBlob(expected)) parts.push(piece)
      const bytes = joinBytes(parts)
      yield expected.digest === digest ? spoil[how](bytes, digest) : bytes
    },
  }
}

/** The proposal of the second release, in a channel that has the first. */
async function proposeSecond({ before, after }: Awaited<ReturnType<typeof makeTwoReleases>>) {
  const repository = await createRepositorySimulator(new Date())
  await repository.addProduct('web')
  await repository.addChannel('web', 'stable')
  const { kind, ...claims } = before.claims
  await repository.addRelease('web', 'stable', '1.0', { ...claims, kind, sha256: before.sha256 })
  const read = (name: string) => repository.files.get(name)!
  const roles = new Map<string, Awaited<ReturnType<typeof parseMetadata<'targets'>>>>()
  for (const [role, { version }] of repository.targets) {
    roles.set(role, await parseMetadata('targets', read(`${version}.${role}.json`), 'strict'))
  }
  const current = { root: await parseMetadata('root', repository.anchor, 'strict'), roles }
  const facts = { channel: 'stable', hardware: [], security: false, floor: 0 }
  const content = { ...after.claims, ...facts, sha256: after.sha256 }
  const proposal = await buildProposal({ kind: 'publish', content }, current, {
    id: 'proposal_1',
    now: new Date(),
  })
  return { proposal, current }
}

test('T11 spoilt content of the release before does not keep a newer one from being signed: it is NOT CHECKED', async () => {
  const { source, before, after } = await makeTwoReleases()
  const { proposal, current } = await proposeSecond({ source, before, after })
  const change = { claims: after.claims, sha256: after.sha256, before: before.sha256 }
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-spoilt-'))
  try {
    for (const [part, digest] of Object.entries(before.digests)) {
      for (const how of Object.keys(spoil) as (keyof typeof spoil)[]) {
        const what = `${part}, ${how}`
        const from = spoilt(source, digest, how)
        const shown = await describeContentChange({ progress }, from, change, { mayMiss: false })
        // The list is not asked for where the layer proves it.
        assert.equal(shown.unchecked.length, part === 'list' ? 0 : 1, what)
        assert.match(shown.lines.join('\n'), part === 'list' ? /~ bin\/app/ : /! NOT CHECKED/, what)

        const packed = await packContent(proposal, current, () => from)
        const kept = packed.evidence['content'] as Record<string, string>
        assert.ok(Object.hasOwn(kept, after.digests.layer), what)
        for (const [name, text] of Object.entries(kept)) {
          assert.equal(digestOf(Buffer.from(text, 'base64')), name, what)
        }

        const laidOut = join(folder, what)
        const context = { progress, ports: { random: systemRandom } }
        await layOutContent(context, { proposal, current }, () => from, laidOut)
        const carried = await openLayout(laidOut, systemRandom)
        const there = await describeContentChange({ progress }, carried, change, { mayMiss: true })
        assert.match(there.lines.join('\n'), /computed here from the content/, what)
      }
    }
    for (const [part, digest] of Object.entries(after.digests)) {
      for (const how of Object.keys(spoil) as (keyof typeof spoil)[]) {
        const from = spoilt(source, digest, how)
        const isFault = (error: unknown) => error instanceof Refusal || error instanceof TrustError
        // The list of a proposed release is not asked for either: the layer proves its digest.
        if (part !== 'list') {
          await assert.rejects(
            describeContentChange({ progress }, from, change, { mayMiss: false }),
            isFault,
            `${part}, ${how}`,
          )
        }
        if (how === 'missing') continue
        await assert.rejects(
          packContent(proposal, current, () => from),
          isFault,
          `${part}, ${how}`,
        )
      }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('T11 whatever is packed into an exported file, the file is never longer than one that is read, nor shorter than it could be', async () => {
  const releases = await makeTwoReleases()
  const { proposal, current } = await proposeSecond(releases)
  const pack = async (fileBytesMax: number) => {
    const { evidence, left } = await packContent(
      proposal,
      current,
      () => releases.source,
      fileBytesMax,
    )
    return { left, byteCount: formatProposal({ ...proposal, evidence }).length }
  }
  const whole = await pack(proposalBytesMax)
  assert.deepEqual(whole.left, [])
  // The last comma is counted too.
  assert.deepEqual((await pack(whole.byteCount + 2)).left, [])
  const least = formatProposal(proposal).length
  for (let max = least; max <= whole.byteCount + 2; max += 7) {
    const { byteCount } = await pack(max)
    assert.ok(byteCount <= max, `${byteCount} of ${max}`)
  }
  assert.ok((await pack(whole.byteCount - 1)).left.length > 0)
})
