import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@seaworthy/std/log'
import { ManualClock, secondMs } from '@seaworthy/std/time'
import { createHealth } from './health.ts'
import { createReloads } from './reloads.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('O1 fault: what could not be loaded again once is tried again, without anybody who tells of a change', async () => {
  const clock = new ManualClock(new Date(0))
  const health = createHealth(() => undefined)
  const reloads = createReloads({ health, log: silentLog, sleep: clock.sleep })
  let failures = 3
  let loads = 0
  const load = async () => {
    loads++
    if (failures-- > 0) throw new Error('terminated for idling in a transaction')
  }
  // Two changes that fail at once wait for one repetition.
  reloads.begin('metadata', load)
  reloads.begin('metadata', load)
  await settled()
  assert.deepEqual([loads, health.hasProblem('cache:metadata')], [2, true])
  for (const isProblem of [true, false]) {
    clock.advance(secondMs)
    await settled()
    assert.equal(health.hasProblem('cache:metadata'), isProblem)
  }
  clock.advance(60 * secondMs)
  await settled()
  assert.equal(loads, 4)
  failures = 1
  reloads.begin('metadata', load)
  await settled()
  reloads.stop()
  clock.advance(secondMs)
  await settled()
  assert.equal(loads, 5, 'a worker that stops tries nothing again')
})
