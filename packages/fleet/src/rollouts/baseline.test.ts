import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Baseline } from '../fleets/index.ts'
import { nextBaseline } from './baseline.ts'
import { gate, releaseOf, rolloutOf } from './rollout.fixture.ts'
import type { Rollout } from './rollout.ts'

const baselineOf = (counter: number): Baseline => {
  const { version, sha256 } = releaseOf(counter)
  return { version, sha256, counter }
}
const finished = (counter: number, changes: Partial<Rollout> = {}): Rollout => ({
  ...rolloutOf({}, { state: 'finished' }),
  ...baselineOf(counter),
  ...changes,
})
const back = (counter: number, from: number) =>
  finished(counter, { fromSha256: releaseOf(from).sha256, wayBackOf: 'rollout_bad' })

test('D12 an older rollout that ends last leaves the baseline where it is', () => {
  assert.deepEqual(nextBaseline(null, finished(1)), baselineOf(1))
  assert.deepEqual(nextBaseline(baselineOf(2), finished(1)), baselineOf(2))
  assert.deepEqual(nextBaseline(baselineOf(2), finished(3)), baselineOf(3))
})

test('D12 a way back replaces the baseline that it leads away from, and no other', () => {
  assert.deepEqual(nextBaseline(baselineOf(2), back(3, 2)), baselineOf(3))
  assert.deepEqual(nextBaseline(baselineOf(1), back(3, 2)), baselineOf(1))
  assert.deepEqual(nextBaseline(baselineOf(4), back(3, 2)), baselineOf(4))
  assert.deepEqual(nextBaseline(null, back(3, 2)), null)
})

test('D12 only a rollout that has finished and reached all changes the baseline', () => {
  for (const state of ['active', 'paused', 'aborted'] as const) {
    assert.deepEqual(nextBaseline(baselineOf(1), finished(2, { state })), baselineOf(1))
  }
  const half = { members: { kind: 'percent', percent: 50 }, needsApproval: false, gate } as const
  const { policy } = rolloutOf({ waves: [half] })
  assert.deepEqual(nextBaseline(baselineOf(1), finished(2, { policy })), baselineOf(1))
})

test('D12 no baseline falls, in whatever order rollouts and ways back end (property)', () => {
  const ending = fc.record({
    counter: fc.integer({ min: 2, max: 9 }),
    // A signed rollback has a higher counter than what it leads away from: nothing else is created.
    back: fc.option(fc.integer({ min: 1, max: 8 })),
  })
  fc.assert(
    fc.property(fc.array(ending, { maxLength: 12 }), (endings) => {
      endings.reduce<Baseline | null>((before, { counter, back: from }) => {
        const isWayBack = from !== null && from < counter
        const after = nextBaseline(before, isWayBack ? back(counter, from) : finished(counter))
        if (after === before) return before
        assert.ok(after !== null && after.counter > (before?.counter ?? 0), 'it fell')
        if (isWayBack) assert.equal(before?.sha256, releaseOf(from).sha256)
        return after
      }, null)
    }),
  )
})
