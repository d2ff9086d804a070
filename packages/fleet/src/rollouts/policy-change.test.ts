import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Refusal } from '@seaworthy/std/refusal'
import fc from 'fast-check'
import { rateOpensMs } from './pace.ts'
import { applyStep, planRollout, successOf } from './planner.ts'
import type { WantedPolicy } from './policy-change.ts'
import { changePolicy, isOnlyStricter } from './policy-change.ts'
import { gate, policyOf, progressOf, rolloutOf, secondsOn } from './rollout.fixture.ts'
import type { RolloutRefusal } from './refusals.ts'
import type { Gate, Rollout, RolloutPolicy, Wave, WaveProgress } from './rollout.ts'
import { abort, approveWave, pause } from './transitions.ts'

const waveOf = (percent: number, changes: Partial<Gate> = {}, needsApproval = false): Wave => ({
  members: { kind: 'percent', percent },
  needsApproval,
  gate: { ...gate, ...changes },
})
const three = policyOf({ waves: [waveOf(10), waveOf(50), waveOf(100)] })
const begun = rolloutOf(three, {}, { membersCount: 100 })
const waiting = rolloutOf(three, { wavesOpenCount: 0 })
const now = secondsOn(60)

const change = (rollout: Rollout, policy: RolloutPolicy, more: Partial<WantedPolicy> = {}) => {
  const { policyVersion } = rollout
  const wanted = { policy, policyVersion, startAt: null, reason: null, by: 'person_b', ...more }
  return changePolicy(rollout, wanted, now)
}
/** Another share of the fleet. */
const of20 = { members: { kind: 'percent', percent: 20 } } as const
const refuses = (code: RolloutRefusal) => (error: Refusal) => error.code === code
const withGate = (wave: number, changes: Partial<Gate>, policy = three): RolloutPolicy => ({
  ...policy,
  waves: policy.waves.with(wave, {
    ...policy.waves[wave]!,
    gate: { ...policy.waves[wave]!.gate, ...changes },
  }),
})

test('D3 what may change of a rollout before it starts, and while it runs', () => {
  const tag: Wave = { ...waveOf(1), members: { kind: 'tag', key: 'canary', value: 'yes' } }
  const late: Record<string, RolloutPolicy> = {
    'another wave': { ...three, waves: [tag, ...three.waves] },
    'other members': { ...three, waves: three.waves.with(2, waveOf(90)) },
    silence: { ...three, silentAfterSeconds: null },
    attempts: { ...three, attempts: { max: 3, waitSeconds: 0 } },
    'approval of an open wave': { ...three, waves: three.waves.with(0, waveOf(10, {}, true)) },
  }
  const always: Record<string, RolloutPolicy> = {
    gates: withGate(1, { bakeSeconds: 5, successPercentMin: 10, failurePercentMax: 1 }),
    'approval of the next wave': { ...three, waves: three.waves.with(1, waveOf(50, {}, true)) },
    pace: { ...three, inFlightMax: 3, perPeriod: { updatesMax: 2, seconds: 60 } },
    rate: { ...three, rate: { kind: 'constant', perMinute: 5 } },
    failures: { ...three, failuresMax: 1, safeMode: true, onFailure: 'abort' },
    time: { ...three, timeoutSeconds: 60 },
  }
  for (const [name, policy] of Object.entries({ ...late, ...always })) {
    const after = change(waiting, policy)
    assert.deepEqual(after.policy, policy, name)
    assert.equal(after.policyVersion, 2)
    assert.equal(after.waves.length, policy.waves.length)
    assert.ok(after.policyChanges.at(-1)!.lines.length > 0, name)
  }
  for (const [name, policy] of Object.entries(late)) {
    assert.throws(() => change(begun, policy), refuses('rollout_change_too_late'), name)
  }
  for (const [name, policy] of Object.entries(always)) {
    assert.deepEqual(change(begun, policy).policy, policy, name)
    assert.equal(change(pause(begun, null, now), policy).state, 'paused', name)
  }
  const emergency = { ...three, isEmergency: true }
  assert.throws(() => change(waiting, emergency), refuses('rollout_change_too_late'))
})

test('D3 a change is refused where it changes nothing, comes too late, or overwrites another', () => {
  assert.throws(() => change(begun, structuredClone(three)), refuses('rollout_unchanged'))
  const next = withGate(0, { bakeSeconds: 5 })
  assert.throws(
    () => change(begun, next, { policyVersion: 7 }),
    refuses('rollout_changed_meanwhile'),
  )
  assert.throws(() => change(abort(begun, null, now), next), refuses('rollout_ended'))
  const later = { startAt: secondsOn(600) }
  assert.throws(() => change(begun, three, later), refuses('rollout_change_too_late'))
  const moved = change(waiting, three, later)
  assert.deepEqual(moved.startAt, secondsOn(600))
  assert.match(moved.policyChanges[0]!.lines[0]!, /^start: 2026-11-23T12:00:00.* → .*12:10/)
  const past = change(moved, three, { startAt: secondsOn(-600) })
  assert.deepEqual(past.startAt, now, 'it starts now at the earliest')
})

test('D3 no approval is taken away, and none given for other waves is used', () => {
  const policy = { ...three, waves: three.waves.with(1, waveOf(50, {}, true)) }
  const running = change(begun, policy)
  assert.throws(() => change(running, three), refuses('rollout_change_too_late'))
  const approved = approveWave(change(waiting, policy), 1, 'person_b', now)
  const same = change(approved, withGate(2, { bakeSeconds: 9 }, policy))
  assert.equal(same.waves[1]!.approvedBy, 'person_b')
  const other = change(approved, withGate(0, { successPercentMin: 1 }, policy))
  assert.equal(other.waves[1]!.approvedBy, null, 'it was given after a stricter gate')
})

test('D4 a limit that is passed already stops the rollout at once', () => {
  const failing = rolloutOf(three, {}, { membersCount: 100, failedCount: 3 })
  const after = change(failing, { ...three, failuresMax: 2 })
  assert.deepEqual([after.state, after.stopCode], ['paused', 'error_budget'])
  assert.equal(change(failing, { ...three, failuresMax: 3 }).state, 'active')
  const gated = change(failing, withGate(0, { failurePercentMax: 1 }))
  assert.equal(gated.stopCode, 'failure_gate')
})

test('D3 a gate that was passed is not changed afterwards', () => {
  const passed = { ...begun, wavesOpenCount: 2 }
  for (const changes of [{ bakeSeconds: 9 }, { successPercentMin: 1 }, { sampleMin: 7 }]) {
    assert.throws(
      () => change(passed, withGate(0, changes)),
      refuses('rollout_change_too_late'),
      JSON.stringify(changes),
    )
  }
  assert.ok(change(passed, withGate(0, { failurePercentMax: 50 })))
})

/** What a person or time does to a rollout of three waves, at each second. */
const event = fc.oneof(
  fc.record({
    kind: fc.constant('counts' as const),
    healthy: fc.integer({ min: 0, max: 10 }),
    failed: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({
    kind: fc.constant('gate' as const),
    wave: fc.integer({ min: 0, max: 2 }),
    bakeSeconds: fc.integer({ min: 0, max: 6 }),
    successPercentMin: fc.constantFrom(20, 50, 80, 100),
    successOf: fc.constantFrom('members' as const, 'ended' as const),
    sampleMin: fc.integer({ min: 1, max: 4 }),
  }),
  fc.constant({ kind: 'nothing' as const }),
)

test('D4 whatever people change, a wave opens only after its gate has held for all of its time', () => {
  let openedCount = 0
  fc.assert(
    fc.property(fc.array(event, { minLength: 8, maxLength: 40 }), (events) => {
      let rollout: Rollout = rolloutOf(three, {}, { membersCount: 10 })
      /** Each second of the open wave. */
      let seen: WaveProgress[] = []
      const see = () => seen.push(rollout.waves[rollout.wavesOpenCount - 1]!)
      const meetsGateOfNow = (progress: WaveProgress) => {
        const wave = rollout.wavesOpenCount - 1
        const { percent } = successOf(
          { ...rollout, waves: rollout.waves.with(wave, progress) },
          wave,
        )
        return percent !== null && percent >= rollout.policy.waves[wave]!.gate.successPercentMin
      }
      for (const [second, did] of events.entries()) {
        const at = secondsOn(second)
        const wave = rollout.wavesOpenCount - 1
        if (did.kind === 'counts') {
          const counts = { healthyCount: did.healthy, failedCount: did.failed, inFlightCount: 0 }
          const after = progressOf(rollout.waves[wave]!, { membersCount: 13, ...counts })
          rollout = { ...rollout, waves: rollout.waves.with(wave, after) }
        } else if (did.kind === 'gate' && did.wave >= wave) {
          const { kind: _, wave: changed, ...changes } = did
          const policy = withGate(changed, changes, rollout.policy)
          const { policyVersion } = rollout
          const wanted = { policy, policyVersion, startAt: null, reason: null, by: 'person_b' }
          try {
            rollout = changePolicy(rollout, wanted, at)
          } catch (error) {
            assert.equal((error as Refusal).code, 'rollout_unchanged')
          }
        }
        see()
        const known = { isReleaseSigned: true, isCountCurrent: true }
        for (const step of planRollout(rollout, at, known)) {
          if (step.kind === 'open_wave' || step.kind === 'finish') {
            const { bakeSeconds } = rollout.policy.waves[rollout.wavesOpenCount - 1]!.gate
            const demanded = seen.slice(-(bakeSeconds + 1))
            assert.equal(demanded.length, bakeSeconds + 1, 'the wave has been open for that long')
            assert.ok(demanded.every(meetsGateOfNow), `second ${second}, bake ${bakeSeconds}`)
            openedCount += 1
            seen = []
          }
          rollout = applyStep(rollout, step, at)
        }
        if (rollout.state !== 'active') return
        if (seen.length === 0) see()
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(openedCount > 20, `${openedCount} gates opened: the histories show something`)
})

test('D4 offers in advance of an old rate are made good at the new one', () => {
  const rate = (perMinute: number) => ({ ...three, rate: { kind: 'constant', perMinute } as const })
  const slow = { ...begun, ...{ policy: rate(1), rateNextMs: +secondsOn(100) } }
  // The last offer was at second 40, so at 30 a minute the next is due at second 42.
  assert.equal(rateOpensMs(change(slow, rate(30))), +secondsOn(42))
  const fast = { ...begun, ...{ policy: rate(60), rateNextMs: +secondsOn(61) } }
  assert.equal(rateOpensMs(change(fast, rate(1))), +secondsOn(120))
  assert.equal(change(fast, three).rateNextMs, null)
})

test('D4 what was offered in a period counts in the one that takes its place', () => {
  const period = (seconds: number) => ({ ...three, perPeriod: { updatesMax: 5, seconds } })
  const of = { policy: period(30), periodIndex: 2, periodOfferedCount: 4 }
  const longer = change({ ...begun, ...of }, period(3600))
  assert.deepEqual([longer.periodIndex, longer.periodOfferedCount], [0, 4])
  const sameLength = change(
    { ...begun, ...of },
    { ...three, perPeriod: { updatesMax: 1, seconds: 30 } },
  )
  assert.deepEqual([sameLength.periodIndex, sameLength.periodOfferedCount], [2, 4])
  const none = change({ ...begun, periodOfferedCount: 9 }, period(30))
  assert.deepEqual([none.periodIndex, none.periodOfferedCount], [2, 0])
})

test('D4 only a change that makes a rollout slower or stricter needs no approval', () => {
  const approved = { ...three, waves: three.waves.with(2, waveOf(100, {}, true)) }
  const strict: RolloutPolicy = {
    ...withGate(0, { bakeSeconds: 2, failurePercentMax: 5 }, approved),
    ...{ failuresMax: 1, inFlightMax: 2, safeMode: true, onFailure: 'abort' },
    ...{ rate: { kind: 'constant', perMinute: 1 }, perPeriod: { updatesMax: 5, seconds: 60 } },
  }
  // Each differs from the strict one in one thing alone.
  const looser: Record<string, RolloutPolicy> = {
    members: { ...strict, waves: strict.waves.with(0, { ...strict.waves[0]!, ...of20 }) },
    approval: { ...strict, waves: strict.waves.with(2, waveOf(100)) },
    'one wave less': { ...strict, waves: strict.waves.slice(1) },
    bake: withGate(0, { bakeSeconds: 1 }, strict),
    success: withGate(1, { successPercentMin: gate.successPercentMin - 1 }, strict),
    'success of': withGate(
      1,
      { successOf: gate.successOf === 'ended' ? 'members' : 'ended' },
      strict,
    ),
    sample: withGate(1, { sampleMin: gate.sampleMin + 1 }, strict),
    'share of failures': withGate(0, { failurePercentMax: 6 }, strict),
    'no share of failures': withGate(0, { failurePercentMax: null }, strict),
    failures: { ...strict, failuresMax: 2 },
    'no limit of failures': { ...strict, failuresMax: null },
    'in flight': { ...strict, inFlightMax: 3 },
    'no limit in flight': { ...strict, inFlightMax: null },
    period: { ...strict, perPeriod: { updatesMax: 6, seconds: 60 } },
    'shorter periods': { ...strict, perPeriod: { updatesMax: 5, seconds: 30 } },
    'no period': { ...strict, perPeriod: null },
    rate: { ...strict, rate: { kind: 'constant', perMinute: 2 } },
    'no rate': { ...strict, rate: null },
    // The place of an update that times out is taken by the next device.
    'shorter time': { ...strict, timeoutSeconds: strict.timeoutSeconds - 60 },
    'longer time': { ...strict, timeoutSeconds: strict.timeoutSeconds + 60 },
    silence: { ...strict, silentAfterSeconds: null },
    safe: { ...strict, safeMode: false },
    stop: { ...strict, onFailure: 'pause' },
    attempts: { ...strict, attempts: { max: 2, waitSeconds: 0 } },
  }
  assert.ok(isOnlyStricter(strict, strict))
  assert.ok(isOnlyStricter(three, strict))
  assert.ok(!isOnlyStricter(strict, three))
  for (const [name, policy] of Object.entries(looser)) {
    assert.ok(!isOnlyStricter(strict, policy), name)
  }
})
