import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waveOf as waveOfDevice } from './waves.ts'
import { createMemberCounter } from './members.ts'
import { describeNext } from './outlook.ts'
import { placeOf, thresholdOf } from './place.ts'
import { applyStep, isCountMissing, planRollout, successOf } from './planner.ts'
import type { WaveChanges } from './rollout.fixture.ts'
import {
  factsOf,
  gate,
  progressOf,
  releaseOf,
  rolloutOf,
  runs,
  secondsOn,
  startAt,
} from './rollout.fixture.ts'
import type { Gate, Rollout, RolloutPolicy, Wave } from './rollout.ts'
import { approveWave } from './transitions.ts'

const signed = { isReleaseSigned: true, isCountCurrent: true }
/** Some device was heard all the time, and one that was not heard for a day is silent. */
const oneDay = { afterMs: 86_400_000, since: new Date(0) }
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
const progress = (rollout: Rollout, wave: number, changes: WaveChanges): Rollout => ({
  ...rollout,
  waves: rollout.waves.with(wave, progressOf(rollout.waves[wave]!, changes)),
})

test('D3 a rollout from its start to its end', () => {
  const begun = rolloutOf(two, closed)
  assert.deepEqual(plan({ ...begun, startAt: secondsOn(5) }, 4), [])
  let rollout = run(begun, 5)
  assert.equal(rollout.wavesOpenCount, 1)
  rollout = progress(rollout, 0, { membersCount: 100, healthyCount: 94 })
  assert.deepEqual(plan(rollout, 10), [])
  rollout = run(progress(rollout, 0, { membersCount: 100, healthyCount: 95 }), 20)
  assert.deepEqual(rollout.waves[0]!.successSince, secondsOn(20))
  assert.deepEqual(plan(rollout, 79), [])
  // The condition breaks and holds again: the bake begins anew.
  rollout = run(progress(rollout, 0, { membersCount: 100, healthyCount: 94 }), 79)
  assert.equal(rollout.waves[0]!.successSince, null)
  rollout = run(progress(rollout, 0, { membersCount: 100, healthyCount: 96 }), 85)
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
  const steps = (wave: WaveChanges) => plan(rolloutOf(ofEnded, {}, wave), 10)
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
    const steps = planRollout(rolloutOf(two, { state }), startAt, {
      ...signed,
      isReleaseSigned: false,
    })
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
    committedCounter: 1,
    floor: 1,
    activity: { state: 'idle' as const },
    heardAt: startAt,
    update: null,
  })
  const count = (of: Rollout, changes: (index: number) => object = () => ({}), length = 100) => {
    const counter = createMemberCounter(of, releaseOf(2), oneDay, startAt)
    for (let i = 0; i < length; i += 1) counter.add({ ...device(i), ...changes(i) })
    return counter.counts().waves.map(({ waiting }) => waiting)
  }
  const half = Array.from({ length: 97 }, (_, i) => `device_${i + 3}`).filter(
    (id) => placeOf('rollout_a', id) < thresholdOf(50),
  ).length
  assert.deepEqual(count(rollout), [5, 3, half, 97 - half])
  // A fleet that has fewer devices than the count.
  assert.equal(count(rollout, undefined, 4)[0], 4)
  const arm = count(rollout, (i) => (i < 3 ? { platform: 'linux/arm64' } : {}))
  assert.equal(arm[1], 0)
  // A device that has gone beyond the release waits for nothing.
  const beyond = count(rollout, (i) => (i < 3 ? { committedCounter: 3 } : {}))
  assert.deepEqual([beyond[0], beyond[1]], [5, 0])
  // A device that has an update waits no longer, unless it was superseded.
  const offered = progress(rollout, 0, { offeredCount: 5, supersededCount: 1 })
  const states = count(offered, (i) =>
    i < 5 ? { update: { wave: 0, state: i === 0 ? 'superseded' : 'committed', code: null } } : {},
  )
  assert.deepEqual([states[0], states[1]], [1, 0])
  // A device that once said that it was beyond the release is not waited for any more.
  const canaries = (code: string) =>
    count(rollout, (i) => (i === 0 ? { update: { wave: 1, state: 'superseded', code } } : {}))[1]
  assert.deepEqual([canaries('overtaken'), canaries('newer')], [3, 2])
  const back = count({ ...rollout, fromSha256: runs(2).sha256 }, (i) =>
    i < 10 ? { running: runs(2) } : {},
  )
  assert.equal(back[1]! + back[2]! + back[3]!, 10)
})

const ended: Partial<Gate> = { bakeSeconds: 0, successOf: 'ended', sampleMin: 10 }
const thenAll = (
  members: Wave['members'],
  changes: Partial<Gate> = {},
): Partial<RolloutPolicy> => ({
  waves: [{ ...waveOf(1, { ...ended, ...changes }), members }, waveOf(100, ended)],
})
const canaries = { kind: 'tag', key: 'ring', value: 'canary' } as const

test('D3 fault: devices that are off hold up no wave of 1, 4 or 12, and none opens of which nothing is known', () => {
  for (const [members, silent] of [
    [4, 1],
    [4, 3],
    [12, 1],
    [12, 5],
    [12, 11],
  ] as const) {
    const heard = members - silent
    const after = (wave: WaveChanges) =>
      plan(rolloutOf(thenAll(canaries), {}, { waitingCount: 0, silentCount: silent, ...wave }), 9)
    assert.deepEqual(after({ healthyCount: heard }), ['note_success 0', 'open_wave 1'])
    if (heard > 1 && heard < 11) {
      assert.deepEqual(after({ healthyCount: heard - 1, inFlightCount: 1 }), [])
      assert.deepEqual(after({ healthyCount: heard - 1, waitingCount: 1 }), [])
    }
  }
  // All of it is silent: nothing is known, however small the share that is asked for.
  for (const silentCount of [1, 4, 12]) {
    for (const successOf of ['ended', 'members'] as const) {
      const gates = { successOf, successPercentMin: 0 }
      const wave = { waitingCount: 0, silentCount }
      assert.deepEqual(plan(rolloutOf(thenAll(canaries, gates), {}, wave), 9), [])
    }
  }
  // A wave of one that is heard is that one's verdict.
  const one = (wave: WaveChanges) =>
    plan(rolloutOf(thenAll(canaries), {}, { membersCount: 1, ...wave }), 9)
  assert.deepEqual(one({}), [])
  assert.deepEqual(one({ healthyCount: 1 }), ['note_success 0', 'open_wave 1'])
  assert.deepEqual(one({ failedCount: 1 }), [])
  // A share of members counts each of them, silent or not.
  const ofMembers = thenAll(canaries, { successOf: 'members' })
  assert.deepEqual(
    plan(rolloutOf(ofMembers, {}, { waitingCount: 0, silentCount: 1, healthyCount: 3 }), 9),
    [],
  )
})

test('D3 attack: a wave by tag that lost all its devices opens nothing until a person approves it', () => {
  const policy = thenAll(canaries)
  const emptied = rolloutOf(policy, {}, { waitingCount: 0, silentCount: 0 })
  const baked = run(emptied, 9)
  assert.equal(baked.wavesOpenCount, 1)
  assert.equal(
    describeNext(baked, secondsOn(9)).sentence,
    'Wave 2 of 2 opens when a person has approved it, because no device with the tag of wave 1 takes part.',
  )
  const approved = approveWave(baked, 1, 'person_b', secondsOn(10))
  assert.deepEqual(plan(approved, 10), ['open_wave 1'])
  // Devices that left without a verdict are no evidence; a verdict that is there stays one.
  const left = { waitingCount: 0, silentCount: 0, supersededCount: 3 }
  assert.deepEqual(plan(rolloutOf(policy, {}, left), 9), ['note_success 0'])
  assert.deepEqual(plan(rolloutOf(policy, {}, { ...left, healthyCount: 1 }), 9), [
    'note_success 0',
    'open_wave 1',
  ])
  // Once a device has the tag, the wave is judged by it, and nobody is asked.
  const tagged = progress(baked, 0, { membersCount: 1 })
  assert.deepEqual(plan(tagged, 10), ['lose_success 0'])
  assert.throws(() => approveWave(tagged, 1, 'person_b', secondsOn(10)), /waits for no approval/)
  // The last wave opens nothing.
  const [only] = policy.waves!
  const single = rolloutOf({ waves: [only!] }, {}, { waitingCount: 0, silentCount: 0 })
  assert.deepEqual(plan(single, 9), ['note_success 0', 'finish'])
})

test('D3 fault: healthy devices that left the fleet open no gate for those under way', () => {
  const ofMembers = thenAll({ kind: 'percent', percent: 50 }, { successOf: 'members' })
  // Five were offered it: three are healthy and gone, and the two that are left have not ended.
  const left = { healthyCount: 3, inFlightCount: 2, waitingCount: 0, silentCount: 0 }
  assert.deepEqual(plan(rolloutOf(ofMembers, {}, left), 9), [])
  assert.equal(successOf(rolloutOf(ofMembers, {}, left), 0).percent, 60)
  assert.deepEqual(
    plan(rolloutOf(thenAll({ kind: 'percent', percent: 50 }), {}, left), 9),
    [],
    'nor is all of the wave said to have ended',
  )
})

test('D3 fault: whoever was offered it since the last count is counted once, and never in favour of the gate', () => {
  const ofMembers = thenAll({ kind: 'percent', percent: 50 }, { successOf: 'members' })
  const stale = rolloutOf(
    ofMembers,
    {},
    { healthyCount: 3, waitingCount: 3, silentCount: 0, movedSinceCount: 3 },
  )
  assert.deepEqual(plan(stale, 9), [])
  assert.equal(isCountMissing(stale), true)
  const counted = progress(stale, 0, { healthyCount: 3, waitingCount: 0, movedSinceCount: 0 })
  assert.deepEqual(plan(counted, 9), ['note_success 0', 'open_wave 1'])
  assert.equal(isCountMissing(counted), false)
})

test('D3 counters that contradict each other open nothing, and the rollout says so', () => {
  const done = { membersCount: 10, healthyCount: 10, successSince: startAt }
  for (const wrong of [
    { offeredCount: 2 },
    { inFlightCount: -1 },
    { failuresAcceptedCount: 1 },
    { silentCount: -1 },
  ]) {
    const made = rolloutOf(two, {}, done)
    const rollout = { ...made, waves: made.waves.with(0, { ...made.waves[0]!, ...wrong }) }
    assert.deepEqual(plan(rollout, 1000), [], JSON.stringify(wrong))
    assert.match(describeNext(rollout, startAt).sentence, /counters contradict each other/)
  }
  const rollout = rolloutOf(two, {}, { ...done, offeredCount: 2 })
  assert.deepEqual(planRollout(rollout, startAt, { ...signed, isReleaseSigned: false }), [
    { kind: 'withdraw' },
  ])
})

test('D3 fault: a share of the fleet takes in at least one device that is heard from', () => {
  const rollout = rolloutOf({ waves: [waveOf(0.001), waveOf(0.01), waveOf(100)] })
  const device = (index: number, changes: object = {}) => ({
    ...factsOf({ deviceId: `device_${index}` }),
    heardAt: startAt,
    update: null,
    ...changes,
  })
  const count = (changes: (index: number) => object = () => ({}), of = rollout) => {
    const counter = createMemberCounter(of, releaseOf(2), oneDay, secondsOn(90_000))
    for (let i = 0; i < 97; i += 1)
      counter.add(device(i, { heardAt: secondsOn(90_000), ...changes(i) }))
    return counter.counts()
  }
  const byPlace = Array.from({ length: 97 }, (_, i) => i).toSorted(
    (a, b) => placeOf('rollout_a', `device_${a}`) - placeOf('rollout_a', `device_${b}`),
  )
  const [first = 0, second = 0] = byPlace
  const all = count()
  assert.deepEqual(
    all.waves.map(({ waiting }) => waiting),
    [1, 0, 96],
  )
  assert.equal(all.firstPlace, placeOf('rollout_a', `device_${first}`))
  const waves = (index: number, firstPlace: number | null) =>
    waveOfDevice({ ...rollout, firstPlace }, factsOf({ deviceId: `device_${index}` }))
  assert.deepEqual([waves(first, null), waves(first, all.firstPlace)], [2, 0])
  assert.equal(waves(second, all.firstPlace), 2)
  // A device that is off is passed over, and does not hold up the wave.
  const passed = count((i) => (i === first ? { heardAt: startAt } : {}))
  assert.equal(passed.firstPlace, placeOf('rollout_a', `device_${second}`))
  assert.deepEqual([passed.waves[0], passed.waves[2]!.silent], [{ waiting: 1, silent: 0 }, 1])
  // A device that takes part already remains the first.
  const update = { wave: 0, state: 'committed' as const }
  const going = count((i) => (i === first ? { heardAt: startAt, update } : {}))
  assert.equal(going.firstPlace, all.firstPlace)
  assert.deepEqual(going.waves[0], { waiting: 0, silent: 0 })
  // A tag or a count takes it before: then the share has the next one.
  const tagged = rolloutOf({
    waves: [
      { ...waveOf(1), members: { kind: 'tag', key: 'ring', value: 'canary' } },
      waveOf(0.001),
      waveOf(100),
    ],
  })
  const canary = count((i) => (i === first ? { tags: { ring: 'canary' } } : {}), tagged)
  assert.equal(canary.firstPlace, passed.firstPlace)
  assert.deepEqual(
    canary.waves.map(({ waiting }) => waiting),
    [1, 1, 95],
  )
  const taken = count((i) => (i === first ? { update } : {}), tagged)
  assert.equal(taken.firstPlace, passed.firstPlace)
  // Nobody at all, or nobody that is heard from.
  const silent = count(() => ({ heardAt: startAt }))
  assert.equal(silent.firstPlace, null)
  assert.deepEqual(
    silent.waves.map((wave) => wave.silent),
    [1, 0, 96],
  )
  assert.equal(count(() => ({ platform: 'linux/riscv64' })).firstPlace, null)
})

test('D3 fault: a share of the fleet that takes in nobody by its size does not pass while all devices are silent', () => {
  const rollout = rolloutOf({ waves: [waveOf(0.000001), waveOf(100)] })
  const open = (of: Rollout) => {
    const counter = createMemberCounter(of, releaseOf(2), oneDay, secondsOn(90_000))
    for (let i = 0; i < 12; i += 1) {
      counter.add({ ...factsOf({ deviceId: `device_${i}` }), heardAt: startAt, update: null })
    }
    const { waves } = counter.counts()
    return {
      ...of,
      wavesOpenCount: 1,
      waves: of.waves.map((wave, i) => ({
        ...wave,
        waitingCount: waves[i]!.waiting,
        silentCount: waves[i]!.silent,
      })),
    }
  }
  const counted = open(rollout)
  assert.deepEqual(planRollout(counted, secondsOn(90_000), signed), [])
  assert.match(
    describeNext(counted, secondsOn(90_000)).sentence,
    /nothing is known of the release, because none of its 1 device has been heard/,
  )
})

test('D3 a wave by count waits for those that are heard from, and without any of them nothing is known', () => {
  const rollout = rolloutOf({
    waves: [{ ...waveOf(1), members: { kind: 'count', count: 5 } }, waveOf(100)],
  })
  const count = (heard: number, silent: number) => {
    const counter = createMemberCounter(rollout, releaseOf(2), oneDay, secondsOn(90_000))
    for (let i = 0; i < heard + silent; i += 1) {
      const heardAt = i < heard ? secondsOn(90_000) : startAt
      counter.add({ ...factsOf({ deviceId: `device_${i}` }), heardAt, update: null })
    }
    return counter.counts().waves[0]
  }
  assert.deepEqual(count(9, 9), { waiting: 5, silent: 0 })
  assert.deepEqual(count(3, 1), { waiting: 3, silent: 1 })
  assert.deepEqual(count(0, 9), { waiting: 0, silent: 5 })
})

test('D3 members that cannot be offered the release are not waited for', () => {
  const rollout = rolloutOf()
  const counter = createMemberCounter(rollout, releaseOf(2), oneDay, startAt)
  for (const changes of [
    { floor: 3 },
    { running: { ...runs(1), product: 'other' } },
    { platform: 'linux/arm64' },
  ]) {
    counter.add({ ...factsOf(changes), heardAt: startAt, update: null })
  }
  assert.deepEqual(counter.counts(), { firstPlace: null, waves: [{ waiting: 0, silent: 0 }] })
})
