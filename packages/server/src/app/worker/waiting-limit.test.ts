import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TooOftenRefusal } from './overload.ts'
import { createWaitingLimit } from './waiting-limit.ts'

test('V4 O1 one device’s key has at most four check-ins waiting, whatever others do (property)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ device: fc.nat(3), enters: fc.boolean() }), { maxLength: 200 }),
      (steps) => {
        const limit = createWaitingLimit()
        const waiting = new Map<number, number>()
        for (const { device, enters } of steps) {
          const count = waiting.get(device) ?? 0
          if (!enters) {
            if (count === 0) continue
            limit.leave(String(device))
            waiting.set(device, count - 1)
          } else if (count < 4) {
            limit.enter(String(device))
            waiting.set(device, count + 1)
          } else {
            assert.throws(
              () => limit.enter(String(device)),
              (error) =>
                error instanceof TooOftenRefusal &&
                error.code === 'check_ins_waiting' &&
                error.retryAfterSeconds > 0,
            )
          }
        }
      },
    ),
  )
})
