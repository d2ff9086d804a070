import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLog } from '@seaworthy/std/log'
import { ManualClock } from '@seaworthy/std/time'
import { createCallerLog } from './index.ts'

function createWorld() {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const lines: string[] = []
  const left = { count: 0 }
  const log = jsonLog({ write: (line) => lines.push(line), clock, level: 'info' })
  const leftOut = { add: (count: number) => void (left.count += count) }
  return {
    clock,
    lines,
    left,
    callerLog: createCallerLog({ log, clock, workersCount: 1, leftOut }),
  }
}

test('O1 attack: whatever callers cause, in whatever order, each writes a bounded number of lines, and the rest is counted (property)', () => {
  const step = fc.record({
    caller: fc.constantFrom('one', 'two'),
    event: fc.constantFrom('request.refused', 'credential.ended'),
    times: fc.integer({ min: 1, max: 100 }),
    restMs: fc.nat(60_000),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { clock, lines, left, callerLog } = createWorld()
      let asked = 0
      let passedMs = 0
      for (const { caller, event, times, restMs } of steps) {
        for (let i = 0; i < times; i++) callerLog.warn(caller, event, { caller })
        asked += times
        clock.advance(restMs)
        passedMs += restMs
      }
      assert.equal(lines.length + left.count, asked)
      const allowed = 60 + Math.floor(passedMs / 10_000)
      for (const [key, own] of Map.groupBy(lines, (line) => line.slice(line.indexOf('event')))) {
        assert.ok(own.length <= allowed, `${key}: ${own.length}`)
      }
    }),
  )
})

test('O1 attack: one caller in a loop hides no line of another, and a line has a bounded part of what was sent', () => {
  const { lines, callerLog } = createWorld()
  for (let i = 0; i < 500; i++) {
    callerLog.warn('one', 'request.refused', { subject: `/v1/${'x'.repeat(5000)}` })
  }
  assert.equal(lines.length, 60)
  assert.ok(lines.every((line) => line.length < 500))
  callerLog.warn('two', 'request.refused', { subject: 'other' })
  callerLog.error('one', 'request.failed', { error: new Error('x'.repeat(100_000)) })
  assert.deepEqual([lines.length, lines[60]?.includes('other')], [62, true])
  assert.ok(lines[61]!.length < 20_000)
})
