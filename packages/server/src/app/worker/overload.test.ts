import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { OverloadRefusal, refuseOverload, slowdownOf } from './overload.ts'

test('O1 what waits for more than a second, or too much of it, turns new check-ins away at different times', () => {
  const random = seededRandom(1)
  refuseOverload({ count: 0, oldestMs: 0 }, random)
  refuseOverload({ count: 19_999, oldestMs: 1000 }, random)
  const seconds = new Set<number>()
  for (const backlog of [
    { count: 1, oldestMs: 1001 },
    { count: 20_000, oldestMs: 1 },
  ]) {
    for (let i = 0; i < 200; i++) {
      assert.throws(
        () => refuseOverload(backlog, random),
        (error) => {
          assert.ok(error instanceof OverloadRefusal)
          assert.ok(error.retryAfterSeconds >= 5 && error.retryAfterSeconds <= 30)
          seconds.add(error.retryAfterSeconds)
          return true
        },
      )
    }
  }
  assert.equal(seconds.size, 26)
})

test('O1 devices are slowed down before any is turned away, at most four times', () => {
  const at = (oldestMs: number) => slowdownOf({ count: 1, oldestMs })
  assert.deepEqual([at(0), at(250), at(625), at(1000), at(60_000)], [1, 1, 2.5, 4, 4])
})
