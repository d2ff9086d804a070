import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { expectGolden } from '../../../../../tools/golden.ts'
import { drawBar, drawCurve } from '../../output/bars.ts'
import { createPaint } from '../../output/paint.ts'
import { makeRollout, makeWave } from '../../testing/rollouts.ts'
import { describeChange, drawRollout } from './watch-screen.ts'

const plain = createPaint({ isTerminal: false, wantsColour: false, noColor: undefined })
const colour = createPaint({ isTerminal: true, wantsColour: true, noColor: undefined })
const now = new Date('2026-05-04T10:12:03Z')

const running = makeRollout({
  next: 'wave 3 opens when 95 % of wave 2 have been healthy for 30 min; now 91 %, earliest 10:20 UTC',
  waves: [
    makeWave(1, 'passed', { membersCount: 10, offeredCount: 10, healthyCount: 10 }),
    makeWave(2, 'open', {
      membersCount: 90,
      offeredCount: 61,
      healthyCount: 44,
      inFlightCount: 14,
      failedCount: 2,
      supersededCount: 1,
    }),
    makeWave(3, 'waiting', { membersCount: null }),
    makeWave(4, 'waiting', { membersCount: null }),
  ],
})
const baking: RolloutView = {
  ...running,
  waves: running.waves.with(
    1,
    makeWave(2, 'open', {
      membersCount: 90,
      offeredCount: 90,
      healthyCount: 90,
      successSince: '2026-05-04T10:00:00Z',
    }),
  ),
}
const paused: RolloutView = {
  ...running,
  state: 'paused',
  stopCode: 'failure_gate',
  stopReason: '6 of 20 updates of wave 2 failed, 5 % are allowed',
  waves: running.waves.with(2, makeWave(3, 'awaiting_approval', { membersCount: 400 })),
}
const finished: RolloutView = {
  ...baking,
  state: 'finished',
  endedAt: '2026-05-04T10:11:00Z',
  next: 'nothing: it is over',
  waves: [10, 90, 400, 500].map((count, i) =>
    makeWave(i + 1, 'passed', { membersCount: count, offeredCount: count, healthyCount: count }),
  ),
}
const such = { reason: null, deviceId: `device_${'0'.repeat(26)}` }
const failures = [
  { state: 'timed_out' as const, code: null, count: 1, ...such },
  { state: 'rolled_back' as const, code: 'health_failed', count: 12, ...such },
]

const draw = (view: RolloutView, size: { columns: number; rows: number }, trouble?: string) =>
  drawRollout(
    { view, failures: view === paused ? failures : [] },
    { now, paint: plain, trouble, ...size },
  )

test('pictures of a rollout at terminals of several sizes', () => {
  const large = { columns: 100, rows: 40 }
  const usual = { columns: 80, rows: 24 }
  const pictures = {
    'running, 80 columns': draw(running, usual),
    'running, 100 columns': draw(running, large),
    'baking, 80 columns': draw(baking, usual),
    'paused, waits for approval, 80 columns': draw(paused, usual),
    'finished, 80 columns': draw(finished, usual),
    'no answer, 50 columns and 12 lines': draw(
      running,
      { columns: 50, rows: 12 },
      'cannot be reached',
    ),
  }
  const text = Object.entries(pictures).map(([name, lines]) => `== ${name}\n${lines.join('\n')}\n`)
  expectGolden(new URL('watch-screen.golden.txt', import.meta.url), text.join('\n'))
})

const anyWave = fc.record({
  state: fc.constantFrom('waiting', 'awaiting_approval', 'open', 'passed'),
  counts: fc.record({
    membersCount: fc.option(fc.integer({ min: 0, max: 1e8 })),
    offeredCount: fc.integer({ min: 0, max: 1e8 }),
    inFlightCount: fc.integer({ min: 0, max: 1e8 }),
    healthyCount: fc.integer({ min: 0, max: 1e8 }),
    failedCount: fc.integer({ min: 0, max: 1e8 }),
    supersededCount: fc.integer({ min: 0, max: 1e8 }),
    successSince: fc.option(fc.constant('2026-05-04T10:00:00Z')),
  }),
})

test('no picture is wider or higher than its terminal, whatever the server says (property)', () => {
  fc.assert(
    fc.property(
      fc.array(anyWave, { minLength: 1, maxLength: 50 }),
      fc.record({
        columns: fc.integer({ min: 41, max: 200 }),
        rows: fc.integer({ min: 5, max: 60 }),
      }),
      fc.string({ unit: anyCodePoint, maxLength: 500 }),
      (waves, size, text) => {
        const view = makeRollout({
          next: text,
          state: 'paused',
          stopReason: text,
          waves: waves.map(({ state, counts }, i) => makeWave(i + 1, state, counts)),
        })
        const picture = { now, ...size, trouble: text }
        const lines = drawRollout({ view, failures }, { ...picture, paint: plain })
        assert.ok(lines.length < size.rows, `${lines.length} lines`)
        for (const line of lines) {
          assert.ok(Array.from(line).length < size.columns, line)
          // oxlint-disable-next-line no-control-regex -- these are what must not be there
          assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/)
        }
        // Colours add no visible character.
        const coloured = drawRollout({ view, failures }, { ...picture, paint: colour })
        // oxlint-disable-next-line no-control-regex -- what colours are made of
        const bare = coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''))
        assert.deepEqual(bare, lines)
      },
    ),
  )
})

test('lines say what changed, and nothing twice', () => {
  assert.deepEqual(describeChange(running, running), [])
  assert.deepEqual(describeChange(running, { ...running, next: 'later' }), [])
  assert.deepEqual(describeChange(undefined, running), [
    `rollout ${running.id} active`,
    'wave 1 (1%): passed',
    'wave 1: 10 of 10 healthy, 0 in flight, 0 failed, 10 offered',
    'wave 2 (10%): open',
    'wave 2: 44 of 90 healthy, 14 in flight, 2 failed, 61 offered',
    'wave 3 (50%): waiting',
    'wave 4 (100%): waiting',
    `next: ${running.next}`,
  ])
  assert.deepEqual(describeChange(running, baking), [
    'wave 2: 90 of 90 healthy, 0 in flight, 0 failed, 90 offered',
    'wave 2: gate met, bakes since 2026-05-04T10:00:00Z',
  ])
  assert.deepEqual(describeChange(baking, { ...baking, state: 'aborted', stopReason: 'bad' }), [
    `rollout ${running.id} aborted: bad`,
    `next: ${baking.next}`,
  ])
})

test('bars and curves show what is there', () => {
  const bar = (...counts: number[]) =>
    drawBar(
      counts.slice(1).map((count, i) => ({ count, character: '#x>'[i]! })),
      counts[0]!,
      10,
    )
  assert.equal(bar(100, 50), '#####.....')
  assert.equal(bar(1000, 1), '#.........')
  assert.equal(bar(1000, 999), '#########.')
  assert.equal(bar(1000, 997, 1, 1), '#######x>.')
  assert.equal(bar(3, 2, 1), '#######xxx')
  assert.equal(bar(0), '..........')
  assert.equal(bar(2, 3), '##########')
  assert.equal(drawCurve([0, 1, 2, 3, 4, 5, 6, 7], 7, 8), '▁▂▃▄▅▆▇█')
  assert.equal(drawCurve([0, 0, 0, 7], 7, 2), '▁█')
  assert.equal(drawCurve([], 0, 5), '')
})
