import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemberCounter } from './members.ts'
import { placeOf, thresholdOf } from './place.ts'
import { applyStep, planRollout } from './planner.ts'
import { gate, releaseOf, rolloutOf, runs, secondsOn, startAt } from './rollout.fixture.ts'
import type { Gate, Rollout, RolloutPolicy, Wave, WaveProgress } from './rollout.ts'
import { approveWave } from './transitions.ts'

const signed = { isReleaseSigned: true }
const plan = (rollout: Rollout, seconds: number) =>
  planRollout(rollout, secondsOn(seconds), signed).map((step) =>
    'wave' in step ? `${step.kind} ${step.wave}` : step.kind,
  )
function run(rollout: Rollout, seconds: number): Rollout {
  const now = secondsOn(seconds)
  let after = rollout
  for (const step of planRollout(rollout, now, signed)) after = applyStep(after, step, now)
  assert.deepEqual(planRollout(after, now, signed), [], 'planned the same again')
  return after
}

const waveOf = (percent: number, changes: Partial<Gate> = {}, needsApproval = false): Wave => ({
  members: { kind: 'percent', percent },
  needsApproval,
  gate: { ...gate, bakeSeconds: 60, ...changes },
})
const two: Partial<RolloutPolicy> = { waves: [waveOf(10), waveOf(100)] }
const closed = { wavesOpenCount: 0 }
const progress = (rollout: Rollout, wave: number, changes: Partial<WaveProgress>): Rollout => ({
  ...rollout,
  waves: rollout.waves.with(wave, { ...rollout.waves[wave]!, ...changes }),
})

test('D3 a rollout from its start to its end', () => {
  const begun = rolloutOf(two, closed)
  assert.deepEqual(plan({ ...begun, startAt: secondsOn(5) }, 4), [])
  let rollout = run(begun, 5)
  assert.equal(rollout.wavesOpenCount, 1)
  rollout = progress(rollout, 0, { membersCount: 100, healthyCount: 94 })
  assert.deepEqual(plan(rollout, 10), [])
  rollout = run(progress(rollout, 0, { healthyCount: 95 }), 20)
  assert.deepEqual(rollout.waves[0]!.successSince, secondsOn(20))
  assert.deepEqual(plan(rollout, 79), [])
  // The condition breaks and holds again: the bake begins anew.
  rollout = run(progress(rollout, 0, { healthyCount: 94 }), 79)
  assert.equal(rollout.waves[0]!.successSince, null)
  rollout = run(progress(rollout, 0, { healthyCount: 96 }), 85)
  assert.deepEqual(plan(rollout, 144), [])
  rollout = run(rollout, 145)
  assert.deepEqual([rollout.wavesOpenCount, rollout.waves[1]!.openedAt], [2, secondsOn(145)])
  rollout = progress(rollout, 1, { membersCount: 900, healthyCount: 900 })
  rollout = run(run(rollout, 150), 210)
  assert.deepEqual([rollout.state, rollout.endedAt], ['finished', secondsOn(210)])
  assert.deepEqual(plan(rollout, 1e6), [])
})

test('D3 a wave that needs approval waits for it, the first one too', () => {
  const careful = { waves: [waveOf(10, {}, true), waveOf(100, {}, true)] }
  const rollout = rolloutOf(careful, closed)
  assert.deepEqual(plan(rollout, 100), [])
  const approved = approveWave(rollout, 0, 'person_b', secondsOn(1))
  assert.deepEqual(plan(approved, 100), ['open_wave 0'])
  const done = { membersCount: 10, healthyCount: 10, successSince: startAt }
  const baked = progress(run(approved, 100), 0, done)
  assert.deepEqual(plan(baked, 1000), [])
  assert.deepEqual(plan(approveWave(baked, 1, 'person_b', secondsOn(101)), 1000), ['open_wave 1'])
})

test('D3 a share of ended updates counts once the sample is there, or nobody is left', () => {
  const ofEnded = { waves: [waveOf(100, { successOf: 'ended', sampleMin: 10 })] }
  const steps = (wave: Partial<WaveProgress>) => plan(rolloutOf(ofEnded, {}, wave), 10)
  assert.deepEqual(steps({ healthyCount: 9 }), [])
  assert.deepEqual(steps({ healthyCount: 10 }), ['note_success 0'])
  assert.deepEqual(steps({ healthyCount: 9, failedCount: 1 }), [])
  assert.deepEqual(steps({ healthyCount: 9, membersCount: 9 }), ['note_success 0'])
  assert.deepEqual(steps({ membersCount: 0 }), ['note_success 0'])
  assert.deepEqual(steps({ healthyCount: 12, failedCount: 2, failuresAcceptedCount: 2 }), [
    'note_success 0',
  ])
})

test('D3 a share of members is not known before they were counted', () => {
  assert.deepEqual(plan(rolloutOf(two, {}, { healthyCount: 100 }), 10), [])
  const accepted = { membersCount: 10, healthyCount: 8, failedCount: 2, failuresAcceptedCount: 2 }
  assert.deepEqual(plan(rolloutOf(two, {}, accepted), 10), ['note_success 0'])
})

test('D3 without bake time one plan goes as far as it can', () => {
  const fast = { waves: [waveOf(10, { bakeSeconds: 0 }), waveOf(100, { bakeSeconds: 0 })] }
  const rollout = progress(rolloutOf(fast, closed), 0, { membersCount: 0 })
  assert.deepEqual(plan(rollout, 1), ['open_wave 0', 'note_success 0', 'open_wave 1'])
})

test('D3 what is paused stays as it is; a failure stops before a wave opens', () => {
  const done = { membersCount: 10, healthyCount: 10, successSince: startAt }
  assert.deepEqual(plan(rolloutOf(two, { state: 'paused' }, done), 1000), [])
  const failed = rolloutOf({ ...two, failuresMax: 0 }, {}, { ...done, failedCount: 1 })
  assert.deepEqual(plan(failed, 1000), ['stop'])
  assert.equal(run(failed, 1000).state, 'paused')
})

test('T10 a rollout whose release is withdrawn is aborted, paused or not', () => {
  for (const state of ['active', 'paused', 'finished', 'aborted'] as const) {
    const steps = planRollout(rolloutOf(two, { state }), startAt, { isReleaseSigned: false })
    const isOver = state === 'finished' || state === 'aborted'
    assert.deepEqual(steps, isOver ? [] : [{ kind: 'withdraw' }])
  }
})

test('D3 who belongs to which wave, and how many', () => {
  const rollout = rolloutOf({
    waves: [
      { ...waveOf(1), members: { kind: 'count', count: 5 } },
      { ...waveOf(1), members: { kind: 'tag', key: 'ring', value: 'canary' } },
      waveOf(50),
      waveOf(100),
    ],
  })
  const device = (index: number) => ({
    deviceId: `device_${index}`,
    platform: 'linux/amd64',
    hardware: null,
    tags: index < 3 ? { ring: 'canary' } : {},
    running: runs(1),
    update: null,
  })
  const count = (of: Rollout, changes: (index: number) => object = () => ({}), length = 100) => {
    const counter = createMemberCounter(of, releaseOf(2))
    for (let i = 0; i < length; i += 1) counter.add({ ...device(i), ...changes(i) })
    return counter.counts()
  }
  const half = Array.from({ length: 97 }, (_, i) => `device_${i + 3}`).filter(
    (id) => placeOf('rollout_a', id) < thresholdOf(50),
  ).length
  assert.deepEqual(count(rollout), [5, 3, half, 97 - half])
  // A fleet that has fewer devices than the count.
  assert.equal(count(rollout, undefined, 4)[0], 4)
  const arm = count(rollout, (i) => (i < 3 ? { platform: 'linux/arm64' } : {}))
  assert.equal(arm[1], 0)
  // Whoever has an update belongs to its wave, unless it was superseded.
  const offered = progress(rollout, 0, { offeredCount: 5 })
  const states = count(offered, (i) =>
    i < 5 ? { update: { wave: 0, state: i === 0 ? 'superseded' : 'committed' } } : {},
  )
  assert.deepEqual([states[0], states[1]], [4, 0])
  const back = count({ ...rollout, fromSha256: runs(2).sha256 }, (i) =>
    i < 10 ? { running: runs(2) } : {},
  )
  assert.equal(back[1]! + back[2]! + back[3]!, 10)
})
