import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemRandom } from '@seaworthy/std/random'
import type { CredentialKey } from '../../config/credential-key.ts'
import { decrypt, encrypt } from '../../config/credential-key.ts'
import { openCredential, sealCredential } from './envelope.ts'

const bytes = systemRandom.bytes(32)
/** A key as a file holds it, which tells what it was asked for. */
function heldKey(asked: Uint8Array[] = []): CredentialKey {
  return {
    wrap: async (context, key) => encrypt(bytes, context, key, systemRandom),
    unwrap: async (context, wrapped) => {
      asked.push(wrapped)
      return decrypt(bytes, context, wrapped, 'a key')
    },
  }
}

const anyText = fc.constantFrom('a', 'b', 'a"', 'a,b')
const anyRow = fc.record({
  id: anyText,
  name: anyText,
  kind: fc.constantFrom('value' as const, 'postgresql' as const),
  version: fc.integer({ min: 1, max: 3 }),
  target: fc.option(anyText, { nil: null }),
  memberOf: fc.option(anyText, { nil: null }),
})

test('A8 attack: rows are swapped, put back to an earlier version, or aimed at another PostgreSQL: nothing is opened (property)', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyRow,
      anyRow,
      fc.uint8Array({ maxLength: 40 }),
      async (row, other, value) => {
        const key = heldKey()
        const sealed = await sealCredential(key, row, value, systemRandom)
        assert.deepEqual([...(await openCredential(key, { ...row, ...sealed }))], [...value])
        const isSame = Object.keys(row).every(
          (name) => row[name as keyof typeof row] === other[name as keyof typeof row],
        )
        if (isSame) return
        await assert.rejects(openCredential(key, { ...other, ...sealed }), {
          code: 'credential_key_wrong',
        })
        const foreign = await sealCredential(key, other, value, systemRandom)
        for (const mixed of [
          { ...row, sealed: sealed.sealed, wrapped: foreign.wrapped },
          { ...row, sealed: foreign.sealed, wrapped: sealed.wrapped },
        ]) {
          await assert.rejects(openCredential(key, mixed), { code: 'credential_key_wrong' })
        }
      },
    ),
  )
})

test('A8 only the key of the credential that is asked for is opened', async () => {
  const asked: Uint8Array[] = []
  const key = heldKey(asked)
  const row = {
    id: 'a',
    name: 'a',
    kind: 'value',
    version: 1,
    target: null,
    memberOf: null,
  } as const
  const one = await sealCredential(key, row, Uint8Array.of(1), systemRandom)
  await sealCredential(key, { ...row, id: 'b', name: 'b' }, Uint8Array.of(2), systemRandom)
  await openCredential(key, { ...row, ...one })
  assert.deepEqual(asked, [one.wrapped])
})
