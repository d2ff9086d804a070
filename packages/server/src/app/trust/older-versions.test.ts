import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOlderVersions } from './older-versions.ts'

test('T10 older versions that are kept hold for the keys that verified them, and within their bytes (property)', () => {
  const step = fc.record({
    sets: fc.boolean(),
    state: fc.nat(1),
    version: fc.integer({ min: 1, max: 6 }),
    length: fc.integer({ min: 1, max: 120 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const states = [{}, {}] as const
      const versions = createOlderVersions(100)
      let last = 0
      // Those that were set under the present state; some of them may have been given up.
      const set = new Map<number, Uint8Array>()
      for (const { sets, state, version, length } of steps) {
        if (state !== last) set.clear()
        last = state
        if (sets) {
          const bytes = new Uint8Array(length)
          versions.set(states[state], 'acme', version, bytes)
          set.set(version, bytes)
          if (length <= 100) assert.equal(versions.get(states[state], 'acme', version), bytes)
        } else {
          const found = versions.get(states[state], 'acme', version)
          if (found !== undefined) assert.equal(found, set.get(version))
          assert.equal(versions.get(states[state], 'other', version), undefined)
        }
        let kept = 0
        for (const one of set.keys()) kept += versions.get(states[state], 'acme', one)?.length ?? 0
        assert.ok(kept <= 100)
      }
    }),
  )
})
