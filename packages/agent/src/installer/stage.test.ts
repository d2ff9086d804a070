import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { storeContent } from '@seaworthy/oci/content'
import { digestHex, digestOf, parseDigest } from '@seaworthy/oci/digests'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { unusablePlatform, unusableReleases } from '@seaworthy/oci/unusable-releases'
import { joinBytes } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { seededRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import type { Release } from '@seaworthy/trust/tuf'
import type { FetcherReplies, FetcherRequest, Gateway } from '../handover/messages.ts'
import { layoutOf } from '../state/layout.ts'
import { createDisk, syncNothing } from '../device/disk.ts'
import { stageRelease } from './stage.ts'
import { isContentRefusal } from './verified.ts'

const folder = mkdtempSync(join(tmpdir(), 'seaworthy-stage-'))
after(() => rm(folder, { recursive: true }))

for (const [i, { name, code, put }] of unusableReleases.entries()) {
  test(`T11 a device refuses for good, as whoever signs: ${code}: ${name}`, async () => {
    const clock = new ManualClock(new Date(0))
    const content = storeContent(createMemoryStore({ clock, random: seededRandom(2) }), 'web')
    const { bytes } = await put(content)
    const sha256 = digestHex(digestOf(bytes))
    const layout = layoutOf(join(folder, String(i)), 'web')
    for (const path of [layout.fetch, layout.incoming, layout.releases]) {
      mkdirSync(path, { recursive: true })
    }
    const release: Release = {
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
      releasedAt: new Date(0),
      length: bytes.length,
      sha256,
      sha512: digestHex(digestOf(bytes, 'sha512')),
    }
    const gateway: Gateway = {
      async ask<R extends FetcherRequest>(request: R) {
        if (request.kind !== 'content') return {} as FetcherReplies[R['kind']]
        const file = `sha256-${request.sha256}`
        writeFileSync(join(layout.fetch, file), await read(request.path))
        return { file, isContinued: false } as unknown as FetcherReplies[R['kind']]
      },
      publishStatus() {},
      onEvent: () => () => {},
    }
    const read = async (path: string): Promise<Uint8Array> => {
      if (path.startsWith('/tuf/')) return bytes
      const digest = parseDigest(path.slice(path.lastIndexOf('/') + 1))
      if (path.includes('/manifests/')) return (await content.readManifest(digest)).bytes
      const pieces: Uint8Array[] = []
      for await (const piece of content.readBlob({ digest, size: 0 })) pieces.push(piece)
      return joinBytes(pieces)
    }
    const settings = {
      fetchFolder: layout.fetch,
      incoming: layout.incoming,
      sources: [{ url: 'https://localhost', isServer: true }],
      layout,
      platform: unusablePlatform,
      environment: {},
    }
    const ports = { disk: createDisk(syncNothing), gateway, log: silentLog }
    await assert.rejects(
      stageRelease(ports, settings, release, () => {}),
      (error) => {
        assert.ok(isContentRefusal(error), String(error))
        assert.equal(error.code, code, error.message)
        return true
      },
    )
  })
}
