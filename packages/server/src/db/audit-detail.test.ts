import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson } from '@seaworthy/trust/tuf'
import { boundDetail } from './audit-detail.ts'

test('T9 whatever somebody sends, the detail of an entry is bounded, and what is short stays as it is (property)', () => {
  const fact = fc.oneof(
    fc.string({ maxLength: 10_000, unit: 'grapheme' }),
    fc.array(fc.string({ maxLength: 200 }), { maxLength: 100 }),
    fc.dictionary(fc.string({ maxLength: 70 }), fc.string({ maxLength: 300 }), { maxKeys: 80 }),
    fc.integer(),
    fc.constant(null),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string({ maxLength: 600 }), fact, { maxKeys: 40 }), (detail) => {
      const bounded = boundDetail(detail)
      assert.ok(canonicalJson(bounded).length <= 4096)
      if (canonicalJson(detail).length <= 4096) assert.deepEqual(bounded, detail)
    }),
    { numRuns: 200 },
  )
})
