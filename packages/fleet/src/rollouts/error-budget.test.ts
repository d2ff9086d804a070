import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { judgeFailures } from './error-budget.ts'
import type { WaveChanges } from './rollout.fixture.ts'
import { gate, rolloutOf, secondsOn, startAt } from './rollout.fixture.ts'
import type { Gate, RolloutPolicy } from './rollout.ts'
import { resume } from './transitions.ts'

const now = secondsOn(60)
const gated = (changes: Partial<Gate>): Partial<RolloutPolicy> => ({
  waves: [
    {
      members: { kind: 'percent', percent: 100 },
      needsApproval: false,
      gate: { ...gate, failurePercentMax: 5, sampleMin: 10, ...changes },
    },
  ],
})

test('D3 which figures stop a rollout, and with which words', () => {
  const cases: [Partial<RolloutPolicy>, WaveChanges, string | null, string | null][] = [
    [gated({}), { healthyCount: 95, failedCount: 5 }, null, null],
    [
      gated({}),
      { healthyCount: 93, failedCount: 7 },
      'failure_gate',
      'wave 1: 7 of 100 ended updates failed (7 %), and its gate allows 5 %',
    ],
    // The minimum sample, unless nobody else can end.
    [gated({}), { healthyCount: 0, failedCount: 9 }, null, null],
    [
      gated({}),
      { membersCount: 2, healthyCount: 1, failedCount: 1 },
      'failure_gate',
      'wave 1: 1 of 2 ended updates failed (50 %), and its gate allows 5 %',
    ],
    [gated({ failurePercentMax: null }), { failedCount: 100 }, null, null],
    [
      gated({ failurePercentMax: 0 }),
      { healthyCount: 999, failedCount: 1 },
      'failure_gate',
      'wave 1: 1 of 1000 ended updates failed (0.1 %), and its gate allows 0 %',
    ],
    [{ failuresMax: 2 }, { failedCount: 2 }, null, null],
    [
      { failuresMax: 2 },
      { failedCount: 3 },
      'error_budget',
      '3 devices failed, and the error budget allows 2',
    ],
    [
      { safeMode: true },
      { healthyCount: 50, failedCount: 1 },
      'safe_mode',
      'in safe mode the first failure stops: 1 device failed',
    ],
    // Accepted failures are left out everywhere.
    [{ failuresMax: 2 }, { failedCount: 4, failuresAcceptedCount: 2 }, null, null],
    [gated({}), { healthyCount: 20, failedCount: 9, failuresAcceptedCount: 8 }, null, null],
    [{ failuresMax: 0 }, { supersededCount: 5 }, null, null],
  ]
  for (const [policy, wave, code, reason] of cases) {
    const judged = judgeFailures(rolloutOf(policy, {}, wave), now)
    assert.deepEqual([judged?.stopCode ?? null, judged?.stopReason ?? null], [code, reason])
    if (judged !== null) assert.deepEqual([judged.state, judged.endedAt], ['paused', null])
  }
})

test('D4 a stop aborts where the policy says so, and only what is active stops', () => {
  const failed = { failedCount: 1 }
  const aborting = rolloutOf({ failuresMax: 0, onFailure: 'abort' }, {}, failed)
  const aborted = judgeFailures(aborting, now)!
  assert.deepEqual([aborted.state, aborted.endedAt], ['aborted', now])
  for (const state of ['paused', 'finished', 'aborted'] as const) {
    assert.equal(judgeFailures({ ...aborting, state }, now), null)
  }
})

test('D3 a wave that is not open is not judged', () => {
  const policy = gated({ sampleMin: 1 })
  assert.equal(
    judgeFailures(rolloutOf(policy, { wavesOpenCount: 0 }, { failedCount: 1 }), now),
    null,
  )
})

test('D4 after it was resumed the same failures do not stop it again, a further one does', () => {
  const stopped = judgeFailures(rolloutOf({ failuresMax: 0 }, {}, { failedCount: 1 }), now)!
  const resumed = resume(stopped, startAt)
  assert.equal(judgeFailures(resumed, now), null)
  const wave = { ...resumed.waves[0]!, failedCount: 2 }
  assert.equal(judgeFailures({ ...resumed, waves: [wave] }, now)?.state, 'paused')
})

test('D4 attack: however many devices are added that call themselves healthy, no failure is hidden from the error budget or from safe mode (property)', () => {
  const figures = fc.record({
    failedCount: fc.integer({ min: 1, max: 50 }),
    failuresMax: fc.option(fc.nat(50)),
    added: fc.nat(1_000_000),
  })
  fc.assert(
    fc.property(figures, fc.boolean(), ({ failedCount, failuresMax, added }, safeMode) => {
      const policy = { ...gated({}), failuresMax, safeMode }
      const wave = { membersCount: failedCount + added, healthyCount: added, failedCount }
      const code = judgeFailures(rolloutOf(policy, {}, wave), now)?.stopCode ?? null
      if (safeMode) assert.equal(code, 'safe_mode')
      else if (failuresMax !== null && failedCount > failuresMax) assert.equal(code, 'error_budget')
      // A share is thinned out, which the budget is there for.
      else if (failedCount / (failedCount + added) < 0.05) assert.equal(code, null)
    }),
  )
})
