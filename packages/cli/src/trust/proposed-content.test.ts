import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeContent } from '@seaworthy/oci/content'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { unusablePlatform, unusableReleases } from '@seaworthy/oci/unusable-releases'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { ManualClock } from '@seaworthy/std/time'
import { describeContentChange } from './proposed-content.ts'

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
