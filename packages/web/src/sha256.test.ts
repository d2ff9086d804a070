import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { sha256 } from './sha256.ts'

const expected = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

test('SHA-256 is what OpenSSL computes, for every length around a block and for any bytes (property)', () => {
  for (let length = 0; length <= 130; length++) {
    const bytes = new Uint8Array(length).fill(0xa5)
    assert.deepEqual(sha256(bytes), expected(bytes), `${length} bytes`)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      assert.deepEqual(sha256(bytes), expected(bytes))
    }),
  )
})
