import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { spend } from './allowance.ts'

const allowance = fc.record({
  burst: fc.integer({ min: 1, max: 20 }),
  everyMs: fc.integer({ min: 1, max: 10_000 }),
})

test('T9 whatever the times of the attempts, no span of time has more than its share and one burst (property)', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 100 })
  fc.assert(
    fc.property(allowance, pauses, ({ burst, everyMs }, gaps) => {
      let nowMs = 1_800_000_000_000
      let usedUntilMs = 0
      const allowed: number[] = []
      for (const gap of gaps) {
        nowMs += gap
        const spending = spend(usedUntilMs, { burst, everyMs }, nowMs)
        if (spending.isAllowed) {
          usedUntilMs = spending.usedUntilMs
          allowed.push(nowMs)
          continue
        }
        // An actor that waits for as long as it is told is allowed, and not a moment before.
        assert.ok(spending.waitMs > 0)
        const again = nowMs + spending.waitMs
        assert.ok(spend(usedUntilMs, { burst, everyMs }, again).isAllowed)
        assert.ok(!spend(usedUntilMs, { burst, everyMs }, again - 1).isAllowed)
      }
      for (const [i, from] of allowed.entries()) {
        for (const [j, to] of allowed.slice(i).entries()) {
          assert.ok(j + 1 <= burst + (to - from) / everyMs)
        }
      }
    }),
  )
})

test('T9 after a rest, and after a clock that was set back, everybody is allowed again (property)', () => {
  const anyMs = fc.integer({ min: 0, max: 4_000_000_000_000 })
  fc.assert(
    fc.property(allowance, anyMs, anyMs, ({ burst, everyMs }, before, nowMs) => {
      const spent = spend(0, { burst, everyMs }, before)
      assert.ok(spent.isAllowed)
      const answer = spend(spent.usedUntilMs, { burst, everyMs }, nowMs)
      assert.ok(answer.isAllowed || answer.waitMs <= everyMs)
    }),
  )
})
