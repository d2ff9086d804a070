import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRateWatch } from './slow-retrieval.ts'

const limits = { windowMs: 10_000, bytesPerSecondMin: 100, deadlineBaseMs: 20_000 }

test('T7 slow retrieval: the average over the window counts, not single pauses', () => {
  const watch = createRateWatch(0, 1_000_000, limits)
  watch.add(1000, 5000)
  assert.ok(!watch.isTooSlow(9_999), 'the first window is not over')
  assert.ok(!watch.isTooSlow(10_500), '5000 bytes in the last 10 s are enough')
  assert.ok(watch.isTooSlow(11_500), 'nothing in the last 10 s')
})

test('T7 slow retrieval: a trickle just above the rate ends at the deadline of the signed length', () => {
  const watch = createRateWatch(0, 1000, limits)
  for (let ms = 0; ms <= 40_000; ms += 1000) {
    watch.add(ms, 101)
    assert.equal(watch.isTooSlow(ms), ms > 30_000, `at ${ms}`)
  }
})
