import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import { generateReceivingKey, openReceivingKey } from '../hpke/index.ts'
import type { SecretBinding } from './index.ts'
import { createSecretEnvelope } from './index.ts'

const binding = fc.record<SecretBinding>({
  scope: fc.constantFrom('device' as const, { fleet: 'lab' }, { fleet: 'shops' }),
  name: fc.constantFrom('TOKEN', 'PASSWORD'),
  version: fc.integer({ min: 1, max: 3 }),
  deviceKeyId: fc.constantFrom('a'.repeat(64), 'b'.repeat(64), undefined),
})

test('V8 attack: a secret moved to another device, scope, name or version does not open (property)', async () => {
  const key = await openReceivingKey((await generateReceivingKey()).pkcs8)
  const envelope = await createSecretEnvelope()
  const secret = utf8Encode('open sesame')
  await fc.assert(
    fc.asyncProperty(binding, binding, async (as, asked) => {
      const sealed = await envelope.seal(key.publicKey, as, secret)
      assert.deepEqual(await envelope.open(key, as, sealed), secret)
      if (JSON.stringify(as) === JSON.stringify(asked)) return
      await assert.rejects(envelope.open(key, asked, sealed), { code: 'sealed_not_opened' })
    }),
    { numRuns: 60, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
})
