import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeContent } from '@seaworthy/oci/content'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { unusablePlatform, unusableReleases } from '@seaworthy/oci/unusable-releases'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { ManualClock } from '@seaworthy/std/time'
import { problemOf } from '../../http/problems.ts'
import { verifyClaims } from './content.ts'
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
