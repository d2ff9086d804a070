import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alreadyThere } from './already-there.ts'
import { recordOffer } from './offers.ts'
import {
  factsOf,
  gate,
  rolloutOf,
  runs,
  secondsOn,
  startAt,
  updateOf,
  works,
} from './rollout.fixture.ts'
import type { CheckInFacts, Rollout, Update, UpdateState } from './rollout.ts'
import { updateStates } from './rollout.ts'
import { canBeSuperseded, counterOf, isUnderWay, updateTransitions } from './update-states.ts'
import { advanceUpdate, moveCounters, supersedeUpdate, timeOutUpdate } from './updates.ts'

const now = secondsOn(60)
const rollout = rolloutOf()
const underWay = updateStates.filter((state) => isUnderWay({ state }))

function advance(update: Partial<Update>, facts: Partial<CheckInFacts>, of: Rollout = rollout) {
  const after = advanceUpdate(updateOf(update), of, factsOf(facts), now)
  return after && [after.state, after.code]
}

test('D4 whatever state an update under way is in, each report leads to one next state', () => {
  const reports: [Partial<CheckInFacts>, UpdateState, string | null][] = [
    [{ activity: works('downloading') }, 'downloading', null],
    [{ activity: works('installing') }, 'installing', null],
    [{ activity: works('restarting') }, 'restarting', null],
    [{ activity: works('watching'), running: runs(2) }, 'watching', null],
    [{ activity: works('committed'), running: runs(2), committedCounter: 2 }, 'committed', null],
    [{ running: runs(2) }, 'committed', null],
    [{ running: runs(3), committedCounter: 3 }, 'superseded', 'newer'],
    [{ activity: works('rolled_back', 2, 'health'), sequence: 6 }, 'rolled_back', 'health'],
    [{ activity: works('failed', 2, 'no_space'), sequence: 6 }, 'failed', 'no_space'],
  ]
  for (const state of underWay) {
    for (const [facts, next, code] of reports) {
      const expected = state === next ? null : [next, code]
      const hasStarted = state !== 'offered'
      assert.deepEqual(advance({ state, hasStarted }, facts), expected, `${state} → ${next}`)
    }
  }
})

test('D4 an end is an end, whatever a device reports', () => {
  for (const state of updateStates.filter((s) => !isUnderWay({ state: s }))) {
    assert.equal(advance({ state, endedAt: startAt }, { activity: works('downloading') }), null)
    assert.equal(timeOutUpdate(updateOf({ state }), rollout, secondsOn(1e6)), null)
    assert.equal(supersedeUpdate(updateOf({ state }), rollout, 'overtaken', now), null)
  }
})

test('D4 what a device does for another release changes nothing', () => {
  for (const state of ['downloading', 'watching', 'failed', 'rolled_back'] as const) {
    assert.equal(advance({}, { activity: works(state, 3), sequence: 9 }), null)
  }
  assert.equal(advance({}, {}), null)
})

test('D8 a failure told by a report of an earlier attempt does not count', () => {
  const failed = (said: number) => ({ activity: works('failed', 2, 'no_space', said) })
  const attempt = { attempt: 2, offeredSequence: 5 }
  assert.equal(advance(attempt, failed(5)), null)
  assert.deepEqual(advance(attempt, { ...failed(6), sequence: 6 }), ['failed', 'no_space'])
  // Neither work that was told meanwhile nor a newer statement about something else makes an old
  // failure one of this attempt.
  const started = { ...attempt, hasStarted: true, state: 'downloading' as const }
  assert.equal(advance(started, failed(5)), null)
  assert.equal(advance(started, { ...failed(5), sequence: 9 }), null)
})

test('D3 an update times out at its deadline, unless the report says how it ended', () => {
  const late = { deadlineAt: secondsOn(60) }
  assert.deepEqual(advance(late, {}), ['timed_out', 'timeout'])
  assert.deepEqual(advance(late, { activity: works('installing') }), ['timed_out', 'timeout'])
  assert.deepEqual(advance(late, { running: runs(2) }), ['committed', null])
  assert.equal(advance({ deadlineAt: secondsOn(61) }, {}), null)
  assert.equal(timeOutUpdate(updateOf({ deadlineAt: secondsOn(61) }), rollout, now), null)
  assert.equal(timeOutUpdate(updateOf(late), rollout, now)?.state, 'timed_out')
  // The rollout's time counts, not that of a replica whose clock is behind.
  const ahead = rolloutOf({}, { clockAt: secondsOn(90) })
  assert.equal(timeOutUpdate(updateOf(late), ahead, startAt)?.endedAt, ahead.clockAt)
})

test('D13 a device that waits for permission to restart does not run out of time while it says so', () => {
  const waits = factsOf({ activity: works('installing', 2, 'waiting_for_restart') })
  const ready = advanceUpdate(
    updateOf({ state: 'downloading', hasStarted: true }),
    rollout,
    waits,
    now,
  )!
  assert.deepEqual([ready.state, ready.code], ['installing', 'waiting_for_restart'])
  assert.deepEqual(ready.deadlineAt, updateOf().deadlineAt)
  // Its time is 7200 s: polled every hour, it is put off each time.
  assert.equal(advanceUpdate(ready, rollout, waits, secondsOn(1800)), null)
  const later = advanceUpdate(ready, rollout, waits, secondsOn(3600))!
  assert.deepEqual([later.deadlineAt, later.changedAt], [secondsOn(10_800), now])
  assert.equal(timeOutUpdate(later, rollout, secondsOn(10_799)), null)
  assert.equal(timeOutUpdate(later, rollout, secondsOn(10_800))?.state, 'timed_out')
  const goes = factsOf({ activity: works('restarting') })
  const gone = advanceUpdate(later, rollout, goes, secondsOn(4000))!
  assert.deepEqual([gone.state, gone.code], ['restarting', null])
  // Nothing of it runs: an abort or an emergency may still take it back.
  const aborted = rolloutOf({}, { state: 'aborted' })
  assert.equal(advanceUpdate(ready, aborted, waits, now)?.state, 'superseded')
  assert.ok(canBeSuperseded(ready))
  assert.ok(!canBeSuperseded(gone))
})

test('D3 once a rollout is aborted, what has not begun to install ends, the rest goes on', () => {
  const aborted = rolloutOf({}, { state: 'aborted' })
  const activity = (state: CheckInFacts['activity']['state']) => ({ activity: works(state) })
  assert.deepEqual(advance({}, {}, aborted), ['superseded', 'aborted'])
  assert.deepEqual(advance({}, activity('downloading'), aborted), ['superseded', 'aborted'])
  assert.deepEqual(advance({}, activity('installing'), aborted), ['installing', null])
  assert.deepEqual(
    advance({ state: 'watching', hasStarted: true }, { running: runs(2) }, aborted),
    ['committed', null],
  )
})

test('D5 counters move with every legal change of state, and no other is possible', () => {
  for (const from of updateStates) {
    for (const to of updateStates) {
      const before = updateOf({ state: from, endedAt: startAt })
      const after = updateOf({ state: to, changedAt: now, endedAt: now })
      const counted = rolloutOf({}, {}, { offeredCount: 1, [counterOf(from)]: 1 })
      const move = () => moveCounters(counted, before, after)
      if (from !== to && !updateTransitions[from].includes(to)) {
        assert.throws(move, /invariant broken/, `${from} → ${to}`)
        continue
      }
      const isMove = (from === 'superseded') !== (to === 'superseded')
      const again = isMove ? { movedSinceCount: 1 } : {}
      const expected = rolloutOf({}, {}, { offeredCount: 1, [counterOf(to)]: 1, ...again })
      assert.deepEqual(move().waves, expected.waves, `${from} → ${to}`)
    }
  }
})

test('D3 fault: a wave whose only device leaves without a verdict is not without devices until it was counted again', () => {
  const counted = rolloutOf({}, {}, { inFlightCount: 1, waitingCount: 0, silentCount: 0 })
  const left = supersedeUpdate(updateOf(), counted, 'device_moved', now)!
  const [wave] = moveCounters(counted, updateOf(), left).waves
  assert.deepEqual([wave!.waitingCount, wave!.movedSinceCount], [1, 1])
})

test('D4 a next attempt takes an accepted failure back, and its new failure is a new one', () => {
  const accepted = rolloutOf(
    { attempts: { max: 2, waitSeconds: 0 } },
    { failuresAcceptedAt: startAt, clockAt: secondsOn(1) },
    { offeredCount: 1, failedCount: 1, failuresAcceptedCount: 1 },
  )
  const failed = updateOf({ state: 'failed', endedAt: startAt })
  const facts = factsOf({ updates: [failed] })
  const { rollout: retried, update } = recordOffer(accepted, facts, 0, now)
  assert.deepEqual([update.attempt, update.state], [2, 'offered'])
  const [wave] = retried.waves
  assert.deepEqual([wave!.offeredCount, wave!.inFlightCount], [1, 1])
  assert.deepEqual([wave!.failedCount, wave!.failuresAcceptedCount], [0, 0])
  const again = timeOutUpdate(update, retried, secondsOn(1e5))!
  const [after] = moveCounters(retried, update, again).waves
  assert.deepEqual([after!.failedCount, after!.failuresAcceptedCount], [1, 0])
})

test('D3 fault: a newer release is no verdict on an older one, and erases no failure of it', () => {
  for (const gone of [
    { running: runs(3), committedCounter: 3 },
    { running: runs(3) },
    { committedCounter: 3 },
  ]) {
    assert.equal(alreadyThere(rollout, factsOf(gone), now), null, 'without an update')
    for (const state of updateStates) {
      const update = updateOf({ state, endedAt: isUnderWay({ state }) ? null : startAt })
      const facts = factsOf({ ...gone, updates: [update] })
      assert.equal(alreadyThere(rollout, facts, now), null, state)
      const after = advanceUpdate(update, rollout, facts, now)
      if (!isUnderWay(update)) assert.equal(after, null, state)
      else assert.deepEqual([after?.state, after?.code], ['superseded', 'newer'], state)
    }
  }
  // Only that very release, seen running, takes a failure back.
  const there = { running: runs(2), committedCounter: 2, updates: [updateOf({ state: 'failed' })] }
  assert.equal(alreadyThere(rollout, factsOf(there), now)?.state, 'committed')
  const counted = rolloutOf({}, {}, { inFlightCount: 1 })
  const wrong = updateOf({ state: 'committed', code: 'newer' })
  assert.throws(() => moveCounters(counted, updateOf(), wrong), /invariant broken/)
})

test('D5 a member of an open wave that runs the release already counts as healthy', () => {
  const there = factsOf({ running: runs(2), committedCounter: 2 })
  const found = alreadyThere(rollout, there, now)!
  assert.deepEqual([found.state, found.code, found.attempt], ['committed', 'already_running', 1])
  const has = (update: Partial<Update>) => factsOf({ ...there, updates: [updateOf(update)] })
  assert.equal(alreadyThere(rollout, has({ state: 'timed_out' }), now)?.state, 'committed')
  const nobody: [string, Rollout, CheckInFacts][] = [
    ['runs another', rollout, factsOf()],
    ['is counted', rollout, has({ state: 'committed' })],
    ['is under way', rollout, has({ state: 'watching' })],
    ['is still watched', rollout, factsOf({ running: runs(2), activity: works('watching') })],
    ['wave not open', rolloutOf({}, { wavesOpenCount: 0 }), there],
    ['way back', rolloutOf({}, { fromSha256: runs(1).sha256 }), there],
    ['over', rolloutOf({}, { state: 'finished' }), there],
    [
      'by count alone',
      rolloutOf({ waves: [{ members: { kind: 'count', count: 5 }, needsApproval: false, gate }] }),
      there,
    ],
  ]
  for (const [why, of, facts] of nobody) assert.equal(alreadyThere(of, facts, now), null, why)
})
