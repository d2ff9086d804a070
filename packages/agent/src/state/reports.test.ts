import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseInstant } from '@seaworthy/std/time'
import { sequenceBeyond } from './reports.ts'

const now = parseInstant('2026-11-29T12:00:00Z')
const seconds = now.getTime() / 1000

/** How often a device is told that its number was used, until it has found one that was not. */
function triesFrom(sequence: number, newest: number): number {
  let [present, tries] = [sequence, 0]
  while (present < newest && tries < 10) present = sequenceBeyond(present, tries++, now) + 1
  return tries
}

test('D8 fault: a device that spoke without its state, by seconds since 1970, is heard again with its old state', () => {
  assert.equal(triesFrom(50, seconds - 3600), 1)
  // Its clock, or that of the time before, may be wrong by years.
  assert.equal(triesFrom(50, seconds + 300_000_000), 3)
  assert.equal(triesFrom(3_000_000_000, 3_000_000_500), 1)
})

test('D8 whatever number was used before, a device is beyond it after three tries (property)', () => {
  const used = fc.integer({ min: 0, max: 4_000_000_000 })
  fc.assert(
    fc.property(used, used, (sequence, newest) => {
      fc.pre(newest - sequence < 1_000_000_000)
      assert.ok(triesFrom(sequence, newest) <= 3)
    }),
    { numRuns: 500 },
  )
})

test('D8 attack: a server that calls every number used leads no device to the end of numbers', () => {
  let sequence = 0
  for (let i = 0; i < 100_000; i++) sequence = sequenceBeyond(sequence, i % 3, now)
  assert.ok(sequence < 1.1e12)
  assert.equal(sequenceBeyond(sequence, 2, now), sequence + 1000)
  // A clock in the far future is no number to go on from.
  assert.ok(sequenceBeyond(0, 0, new Date(8.64e15)) <= 1e12)
})
