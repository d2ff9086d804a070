import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hourMs, ManualClock } from '@seaworthy/std/time'
import { createClockCheck } from './clock-check.ts'

test('T7 a clock is good once the server has taken its time, until it is set back or the server says otherwise', () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const check = createClockCheck(clock)
  assert.equal(check.isGood(), false)
  check.confirm()
  clock.advance(30 * hourMs)
  assert.equal(check.isGood(), true)
  // The machine slept: only its wall clock went on.
  clock.jumpTo(new Date(clock.now().getTime() + hourMs))
  assert.equal(check.isGood(), true)
  clock.jumpTo(new Date(clock.now().getTime() - 3 * hourMs))
  assert.equal(check.isGood(), false)
  check.confirm()
  assert.equal(check.isGood(), true)
  check.contradict()
  assert.equal(check.isGood(), false)
})
