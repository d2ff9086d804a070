import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import { createSpendings } from './spendings.ts'

test('T9 each actor has an allowance of its own, and looking spends nothing', () => {
  const clock = new ManualClock(new Date('2026-11-22T00:00:00Z'))
  const spendings = createSpendings(clock, { burst: 2, everyMs: 1000 })
  const isAllowed = (actor: string) => spendings.spend(actor).isAllowed
  for (let looks = 0; looks < 5; looks++) assert.ok(spendings.look('one').isAllowed)
  assert.deepEqual([isAllowed('one'), isAllowed('one'), isAllowed('one')], [true, true, false])
  assert.ok(isAllowed('other'))
  assert.deepEqual(spendings.look('one'), { isAllowed: false, waitMs: 1000 })
})
