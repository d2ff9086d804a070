import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Refusal } from '@seaworthy/std/refusal'
import type { RolloutRefusal } from './refusals.ts'
import { policyOf, releaseOf, rolloutOf, secondsOn, startAt } from './rollout.fixture.ts'
import type { Rollout, RolloutState } from './rollout.ts'
import { abort, approveWave, createRollout, pause, resume, withdraw } from './transitions.ts'

const now = secondsOn(60)
const refuses = (code: RolloutRefusal) => (error: Refusal) => error.code === code
const waiting = policyOf({ waves: [{ ...policyOf().waves[0]!, needsApproval: true }] })
const inState = (state: RolloutState): Rollout =>
  rolloutOf(waiting, { state, endedAt: state === 'active' || state === 'paused' ? null : startAt })

test('D3 every state and action: what it becomes, or what is refused', () => {
  const actions = {
    pause: (rollout: Rollout) => pause(rollout, 'stop', now),
    resume: (rollout: Rollout) => resume(rollout, now),
    abort: (rollout: Rollout) => abort(rollout, 'stop', now),
    withdraw: (rollout: Rollout) => withdraw(rollout, now),
    approve: (rollout: Rollout) => approveWave(rollout, 0, 'person_b', now),
  }
  const table: Record<keyof typeof actions, Record<RolloutState, string>> = {
    pause: {
      active: 'paused',
      paused: 'rollout_not_active',
      finished: 'rollout_ended',
      aborted: 'rollout_ended',
    },
    resume: {
      active: 'rollout_not_paused',
      paused: 'active',
      finished: 'rollout_ended',
      aborted: 'rollout_ended',
    },
    abort: {
      active: 'aborted',
      paused: 'aborted',
      finished: 'rollout_ended',
      aborted: 'rollout_ended',
    },
    withdraw: {
      active: 'aborted',
      paused: 'aborted',
      finished: 'rollout_ended',
      aborted: 'rollout_ended',
    },
    approve: {
      active: 'active',
      paused: 'paused',
      finished: 'rollout_ended',
      aborted: 'rollout_ended',
    },
  }
  for (const [name, act] of Object.entries(actions)) {
    for (const [state, expected] of Object.entries(table[name as keyof typeof actions])) {
      const before = inState(state as RolloutState)
      const run = () => act(before)
      if (expected.includes('_')) {
        assert.throws(run, refuses(expected as RolloutRefusal), `${name} ${state}`)
        continue
      }
      const after = run()
      assert.equal(after.state, expected, `${name} ${state}`)
      assert.equal(after.revision, before.revision + 1)
      assert.equal(after.endedAt === null, after.state !== 'aborted')
    }
  }
})

test('D3 who stopped it and why is kept until somebody resumes', () => {
  const paused = pause(rolloutOf(), 'support is asleep', now)
  assert.deepEqual([paused.stopCode, paused.stopReason], ['by_person', 'support is asleep'])
  const resumed = resume(paused, now)
  assert.deepEqual([resumed.stopCode, resumed.stopReason], [null, null])
  const gone = withdraw(rolloutOf(), now)
  assert.equal(gone.stopCode, 'release_withdrawn')
  assert.match(gone.stopReason!, /^release 1\.2\.0 is no longer in the signed metadata/)
})

test('D4 resuming accepts the failures so far, and a bake begins anew', () => {
  const failed = { failedCount: 3, failuresAcceptedCount: 1, successSince: startAt }
  const resumed = resume(rolloutOf({}, { state: 'paused' }, failed), now)
  const [wave] = resumed.waves
  assert.deepEqual([wave!.failuresAcceptedCount, wave!.successSince], [3, null])
  assert.equal(resumed.failuresAcceptedAt, now)
  assert.ok(resumed.clockAt.getTime() > now.getTime(), 'no later failure ends at that instant')
})

test('D3 a wave is approved once, where it waits', () => {
  const rollout = inState('active')
  const approved = approveWave(rollout, 0, 'person_b', now)
  assert.deepEqual(
    [approved.waves[0]!.approvedAt, approved.waves[0]!.approvedBy],
    [now, 'person_b'],
  )
  assert.throws(() => approveWave(approved, 0, 'person_c', now), refuses('wave_approved_already'))
  assert.throws(() => approveWave(rollout, 7, 'person_b', now), refuses('wave_needs_no_approval'))
  assert.throws(
    () => approveWave(rolloutOf(), 0, 'person_b', now),
    refuses('wave_needs_no_approval'),
  )
})

const wanted = {
  id: 'rollout_n',
  fleet: 'shops',
  release: releaseOf(3),
  policy: policyOf(),
  createdBy: 'person_a',
  startAt: null,
  wayBackOf: null,
  now,
}

test('D11 an emergency needs a release that is signed as a security release', () => {
  const policy = policyOf({ isEmergency: true })
  assert.throws(() => createRollout({ ...wanted, policy }), refuses('release_not_security'))
  assert.ok(createRollout({ ...wanted, policy, release: releaseOf(3, { security: true }) }))
})

test('D12 a way back is a newer release of the same fleet, for devices that run the bad one', () => {
  const bad = rolloutOf()
  const back = createRollout({ ...wanted, wayBackOf: bad })
  assert.deepEqual([back.fromSha256, back.wayBackOf], [bad.sha256, bad.id])
  const impossible = refuses('way_back_not_possible')
  for (const other of [{ counter: 3 }, { counter: 9 }, { fleet: 'kiosks' }, { product: 'kiosk' }]) {
    assert.throws(() => createRollout({ ...wanted, wayBackOf: { ...bad, ...other } }), impossible)
  }
  const again = releaseOf(3, { sha256: bad.sha256 })
  assert.throws(() => createRollout({ ...wanted, release: again, wayBackOf: bad }), impossible)
})

test('D3 a rollout starts now at the earliest', () => {
  assert.deepEqual(createRollout({ ...wanted, startAt }).startAt, now)
  assert.deepEqual(createRollout({ ...wanted, startAt: secondsOn(600) }).startAt, secondsOn(600))
  assert.deepEqual(createRollout(wanted).startAt, now)
})
