import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseAssignment } from '../devices/assignment.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import { decideUpdate, rankRollouts } from './decision.ts'
import {
  factsOf,
  fleetOf,
  releaseOf,
  rolloutOf,
  runs,
  secondsOn,
  updateOf,
  works,
} from './rollout.fixture.ts'
import type { CheckInFacts, Rollout } from './rollout.ts'
import { settleRollouts } from './settle.ts'
import type { Situation } from './situation.ts'
import { createZones } from './zones.ts'

const zones = createZones()
const now = secondsOn(60)
const releases = [1, 2, 3, 4].map((counter) => releaseOf(counter, { security: counter === 4 }))
const rolloutTo = (counter: number, changes: Partial<Rollout> = {}): Rollout => ({
  ...rolloutOf(),
  id: `rollout_${counter}`,
  version: `1.${counter}.0`,
  sha256: releaseOf(counter).sha256,
  counter,
  ...changes,
})
const emergency = (counter: number): Rollout => {
  const rollout = rolloutTo(counter)
  return { ...rollout, policy: { ...rollout.policy, isEmergency: true } }
}
const under = (counter: number, changes: Parameters<typeof updateOf>[0] = {}) =>
  updateOf({ rolloutId: `rollout_${counter}`, ...changes })

const situationOf = (
  rollouts: readonly Rollout[],
  fleet: Partial<FleetPolicy> = {},
  signed = releases,
): Situation => ({
  ...{ fleet: fleetOf(fleet), rollouts: rankRollouts(rollouts, signed), releases: signed },
  ...{ zones, now },
})

function decide(
  rollouts: readonly Rollout[],
  facts: Partial<CheckInFacts> = {},
  fleet: Partial<FleetPolicy> = {},
  signed = releases,
) {
  const decision = decideUpdate(factsOf(facts), situationOf(rollouts, fleet, signed))
  if (decision.kind === 'settle') return [decision.wish.kind, decision.wish.rolloutId]
  return [decision.release?.version ?? null, decision.reason]
}
const settle = (
  rollouts: readonly Rollout[],
  facts: Partial<CheckInFacts>,
  fleet: Partial<FleetPolicy> = {},
) => settleRollouts(situationOf(rollouts, fleet), [factsOf(facts)])

test('D2 a fleet that follows the newest release is decided as before, whatever rollouts say', () => {
  const fleet = fleetOf({ follow: 'newest' })
  const facts = factsOf()
  const { release, reason } = chooseAssignment(
    { ...facts, update: { state: 'idle' } },
    fleet,
    releases,
  )
  assert.deepEqual(decide([rolloutTo(2)], {}, { follow: 'newest' }), [release!.version, reason])
})

test('D3 emergencies first, then the highest counter, the first that admits', () => {
  assert.deepEqual(decide([rolloutTo(2), rolloutTo(3)]), ['grant', 'rollout_3'])
  const paused = rolloutTo(3, { state: 'paused' })
  assert.deepEqual(decide([rolloutTo(2), paused]), ['grant', 'rollout_2'])
  assert.deepEqual(decide([rolloutTo(4), emergency(3)]), ['grant', 'rollout_3'])
})

test('D3 the reason is that of the best rollout, after the baseline', () => {
  const paused = [rolloutTo(3, { state: 'paused' }), rolloutTo(2, { state: 'aborted' })]
  assert.deepEqual(decide(paused), [null, 'paused'])
  const baseline = { version: '1.2.0', sha256: releaseOf(2).sha256, counter: 2 }
  assert.deepEqual(decide(paused, {}, { baseline }), ['1.2.0', 'baseline'])
  assert.deepEqual(decide([], { running: runs(2), committedCounter: 2 }, { baseline }), [
    null,
    'up_to_date',
  ])
  assert.deepEqual(decide([]), [null, 'no_rollout'])
})

test('D7 fault: what a client in the middle of another release cannot be shown is not granted to it', () => {
  const reason = 'cancel_pending'
  const held = { heldBack: { reason, exceptSha256: null } } as const
  assert.deepEqual(decide([rolloutTo(2)], held), [null, reason])
  assert.deepEqual(settle([rolloutTo(2)], held).changes, [])
  // Nothing that ranks lower is granted either: it would take the place of what the device is to
  // get.
  assert.deepEqual(decide([rolloutTo(2), rolloutTo(3)], held), [null, reason])
  const own = { heldBack: { reason, exceptSha256: releaseOf(3).sha256 } } as const
  assert.deepEqual(decide([rolloutTo(2), rolloutTo(3)], own), ['grant', 'rollout_3'])
  // An emergency takes over once the client has stopped; what it has in hand stays under way until
  // then.
  const inHand = { exceptSha256: releaseOf(2).sha256, reason } as const
  const busy = { updates: [under(2)], heldBack: inHand }
  const both = [rolloutTo(2), emergency(4)]
  assert.deepEqual(decide(both, busy), [null, reason])
  assert.deepEqual(settle(both, busy).changes, [])
  assert.deepEqual(decide(both, { ...busy, heldBack: null }), ['grant', 'rollout_4'])
  // A device that another reason keeps from a release is told that reason; what it has begun goes
  // on.
  assert.deepEqual(decide([rolloutTo(2, { state: 'paused' })], held), [null, 'paused'])
  assert.deepEqual(decide([rolloutTo(2)], busy), ['1.2.0', 'rollout'])
})

test('D12 while a fleet goes back from its baseline nobody is offered that', () => {
  const back = rolloutTo(4, { fromSha256: releaseOf(3).sha256 })
  const baseline = { version: '1.3.0', sha256: releaseOf(3).sha256, counter: 3 }
  assert.deepEqual(decide([back], {}, { baseline }), [null, 'not_taking_part'])
  assert.deepEqual(decide([back], { running: runs(3) }, { baseline }), ['grant', 'rollout_4'])
})

test('T10 a release that is not signed with that digest and counter is neither offered nor kept', () => {
  const other = [releaseOf(2, { sha256: 'f'.repeat(64) })]
  assert.deepEqual(decide([rolloutTo(2)], {}, {}, other), [null, 'release_withdrawn'])
  assert.deepEqual(decide([rolloutTo(2)], { updates: [under(2)] }, {}, []), [
    null,
    'release_withdrawn',
  ])
})

test('T7 rollback: a rollout to an older release, or below the floor, offers nothing', () => {
  const nothing = [null, 'not_newer']
  const newer = { committedCounter: 3, updates: [under(2, { state: 'superseded', code: 'newer' })] }
  assert.deepEqual(decide([rolloutTo(2)], newer), nothing)
  assert.deepEqual(decide([rolloutTo(2, { wavesOpenCount: 0 })], { committedCounter: 3 }), nothing)
  assert.deepEqual(decide([rolloutTo(2)], { floor: 3 }), nothing)
  assert.deepEqual(decide([rolloutTo(2)], { floor: 3, updates: [under(2)] }), nothing)
})

test('D3 an update under way keeps its release, whatever opens, closes, pauses or ends meanwhile', () => {
  const updates = [under(2, { state: 'installing', hasStarted: true })]
  const facts = { updates, activity: works('installing', 2) }
  for (const state of ['active', 'paused', 'finished', 'aborted'] as const) {
    assert.deepEqual(decide([rolloutTo(3), rolloutTo(2, { state })], facts), ['1.2.0', 'rollout'])
  }
  const watching = {
    running: runs(2),
    updates: [under(2, { state: 'watching' as const, hasStarted: true })],
    activity: works('watching', 2),
  }
  assert.deepEqual(decide([rolloutTo(2)], watching), [null, 'under_way'])
})

test('D2 a fleet that is off offers nothing, and still hears how updates end', () => {
  const off = { updatesEnabled: false }
  assert.deepEqual(decide([rolloutTo(2)], {}, off), [null, 'updates_disabled'])
  const done = { running: runs(2), committedCounter: 2, updates: [under(2)] }
  assert.deepEqual(decide([rolloutTo(2)], done, off), ['advance', 'rollout_2'])
  const settled = settle(
    [rolloutTo(2, { waves: [{ ...rolloutOf().waves[0]!, offeredCount: 1, inFlightCount: 1 }] })],
    done,
    off,
  )
  assert.equal(settled.rollouts[0]!.waves[0]!.healthyCount, 1)
  assert.equal(settled.answers.get('device_a')!.reason, 'updates_disabled')
})

test('D11 an emergency overtakes what is offered or downloading, and waits for the rest', () => {
  const counted = (rollout: Rollout): Rollout => ({
    ...rollout,
    waves: [{ ...rollout.waves[0]!, offeredCount: 1, inFlightCount: 1 }],
  })
  for (const state of ['offered', 'downloading'] as const) {
    const facts = {
      updates: [under(3, { state, hasStarted: state !== 'offered' })],
      activity: state === 'offered' ? factsOf().activity : works(state, 3),
    }
    const settled = settle([counted(rolloutTo(3)), emergency(4)], facts)
    const changes = settled.changes.map(({ rolloutId, after }) => [
      rolloutId,
      after.state,
      after.code,
    ])
    assert.deepEqual(changes, [
      ['rollout_3', 'superseded', 'overtaken'],
      ['rollout_4', 'offered', null],
    ])
    assert.equal(settled.answers.get('device_a')!.release!.version, '1.4.0')
  }
  const installing = { updates: [under(3, { state: 'installing', hasStarted: true })] }
  assert.deepEqual(decide([rolloutTo(3), emergency(4)], installing), ['1.3.0', 'rollout'])
  // Neither a rollout that is no emergency nor a second emergency overtakes.
  assert.deepEqual(decide([rolloutTo(3), rolloutTo(4)], { updates: [under(3)] }), [
    '1.3.0',
    'rollout',
  ])
  assert.deepEqual(decide([emergency(3), emergency(4)], { updates: [under(3)] }), [
    '1.3.0',
    'rollout',
  ])
})

test('D3 when nothing can be settled the device is answered no more than it was granted before', () => {
  const meanwhile = (rollouts: Rollout[], facts: Partial<CheckInFacts>) => {
    const decision = decideUpdate(factsOf(facts), situationOf(rollouts))
    assert.equal(decision.kind, 'settle')
    return decision.kind === 'settle' ? (decision.answerMeanwhile.release?.version ?? null) : null
  }
  assert.equal(meanwhile([rolloutTo(2)], {}), null)
  const begun = { updates: [under(2)], activity: works('downloading', 2) }
  assert.equal(meanwhile([rolloutTo(2)], begun), '1.2.0')
  assert.equal(meanwhile([rolloutTo(3), emergency(4)], { updates: [under(3)] }), '1.3.0')
})

test('D2 D7 attack: a release that failed is offered again nowhere without end to a device that counts no attempts', () => {
  const { version, sha256, counter } = releaseOf(4)
  const failed = { activity: works('failed', 4, 'ddi_1') }
  const baseline = { version, sha256, counter }
  const ways = [{ follow: 'newest' }, { follow: 'newest', pinnedVersion: version }, { baseline }]
  for (const way of ways as Partial<FleetPolicy>[]) {
    const answer = decide([], { ...failed, countsAttempts: false }, way)
    assert.deepEqual(answer, [null, 'rolled_back_before'])
    // Our own agents count for themselves, and try what failed for a passing cause again.
    assert.equal(decide([], failed, way)[0], version)
    const other = { activity: works('failed', 3), countsAttempts: false }
    assert.equal(decide([], other, way)[0], version)
  }
  // A rollout counts: its policy says how often.
  const rollout = rolloutTo(4)
  const attempts = (max: number) => ({
    ...rollout,
    policy: { ...rollout.policy, attempts: { max, waitSeconds: 0 } },
  })
  const updates = [under(4, { state: 'failed', endedAt: secondsOn(1) })]
  const facts = { ...failed, updates, countsAttempts: false }
  assert.deepEqual(decide([attempts(2)], facts, { baseline }), ['grant', 'rollout_4'])
  assert.deepEqual(decide([attempts(1)], facts, { baseline }), [null, 'attempts_used_up'])
})
