import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { base64Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import type { MasterKey } from '../../config/master-key.ts'
import { loadMasterKey, SealError } from '../../config/master-key.ts'
import { openHeld, sealHeld } from './held-secrets.ts'

test('V8 attack: what the server holds opens under its master key, as what it is and nothing else (property)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-held-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'master.key')
  const first = await loadMasterKey(file, systemRandom, true)
  await assert.rejects(loadMasterKey(`${file}-gone`, systemRandom, false), SealError)
  await rm(file)
  const replaced = await loadMasterKey(file, systemRandom, true)
  const place = fc.record({
    product: fc.constantFrom('a', 'b'),
    fleet: fc.constantFrom('a', 'b', 'a","name":"X'),
    device: fc.constantFrom(null, 'a', 'b'),
    name: fc.constantFrom('X', 'XX', 'Y'),
    version: fc.constantFrom(1, 11, 111),
  })
  fc.assert(
    fc.property(place, place, fc.uint8Array({ maxLength: 64 }), (one, other, value) => {
      const serverCopy = sealHeld(first, one, base64Encode(value))
      const open = (key: MasterKey, at: typeof one, isPutBack = false) =>
        openHeld(key, at, { ...at, id: 1, serverCopy, isPutBack })
      assert.deepEqual(Buffer.from(open(first, one)), Buffer.from(value))
      assert.throws(() => open(replaced, one), SealError)
      assert.throws(() => open(first, one, true), SealError)
      // The name of a device says its fleet: rows of devices name none.
      const bound = ({ product, fleet, device, name, version }: typeof one) =>
        JSON.stringify([product, device === null ? fleet : null, device, name, version])
      if (bound(one) === bound(other)) return
      assert.throws(() => open(first, other), SealError)
    }),
  )
})
