import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdmissionReason } from './admission.ts'
import { admissionReasons, admitDevice } from './admission.ts'
import { perMinuteNow } from './pace.ts'
import { factsOf, gate, rolloutOf, runs, secondsOn, startAt, updateOf } from './rollout.fixture.ts'
import type { CheckInFacts, Rollout, RolloutPolicy } from './rollout.ts'
import { createZones } from './zones.ts'

const zones = createZones()
const now = secondsOn(60)
const admit = (rollout: Rollout, facts: CheckInFacts = factsOf(), at = now) => {
  const admission = admitDevice(rollout, facts, at, zones)
  return admission.kind === 'admitted' ? admission.wave : admission.reason
}

test('D3 where several reasons hold, the first by rank is the answer', () => {
  const failed = updateOf({ state: 'failed', endedAt: now })
  const never = {
    timeZone: 'UTC',
    fallbackTimeZone: 'UTC',
    spans: [{ days: ['sun' as const], from: '01:00', to: '02:00' }],
  }
  const spoilers: [
    AdmissionReason,
    (world: { policy: RolloutPolicy; rollout: Rollout; facts: CheckInFacts }) => object,
  ][] = [
    ['under_way', ({ facts }) => ({ facts: { ...facts, updates: [updateOf()] } })],
    ['already_running', ({ facts }) => ({ facts: { ...facts, running: runs(2) } })],
    ['not_newer', ({ facts }) => ({ facts: { ...facts, floor: 9 } })],
    ['aborted', ({ rollout }) => ({ rollout: { ...rollout, state: 'aborted' } })],
    ['not_taking_part', ({ rollout }) => ({ rollout: { ...rollout, fromSha256: 'e'.repeat(64) } })],
    [
      'attempts_used_up',
      ({ facts }) => ({ facts: { ...facts, updates: [{ ...failed, attempt: 9 }] } }),
    ],
    ['paused', ({ rollout }) => ({ rollout: { ...rollout, state: 'paused' } })],
    ['not_started', ({ rollout }) => ({ rollout: { ...rollout, startAt: secondsOn(900) } })],
    ['retry_wait', ({ facts }) => ({ facts: { ...facts, updates: [failed] } })],
    ['wave_not_open', ({ rollout }) => ({ rollout: { ...rollout, wavesOpenCount: 0 } })],
    ['safe_mode', ({ policy }) => ({ policy: { ...policy, safeMode: true } })],
    ['window_closed', ({ policy }) => ({ policy: { ...policy, windows: never } })],
    ['in_flight_max', ({ policy }) => ({ policy: { ...policy, inFlightMax: 1 } })],
    [
      'period_max',
      ({ policy }) => ({ policy: { ...policy, perPeriod: { updatesMax: 1, seconds: 1e6 } } }),
    ],
    ['rate', ({ policy }) => ({ policy: { ...policy, rate: { kind: 'constant', perMinute: 1 } } })],
    ...(['cancel_pending', 'restart_not_allowed', 'not_asked'] as const).map(
      (reason): (typeof spoilers)[number] => [
        reason,
        ({ facts }) => ({ facts: { ...facts, heldBack: { reason, exceptSha256: null } } }),
      ],
    ),
  ]
  // Reasons are added from the last by rank to the first: each hides those added before it.
  let world = {
    policy: { ...rolloutOf().policy, attempts: { max: 5, waitSeconds: 300 } },
    rollout: rolloutOf(
      {},
      { periodOfferedCount: 1, rateNextMs: secondsOn(90).getTime() },
      { offeredCount: 1, inFlightCount: 1 },
    ),
    facts: factsOf(),
  }
  assert.equal(admit({ ...world.rollout, policy: world.policy }, world.facts), 0)
  for (const [reason, spoil] of spoilers.toReversed()) {
    world = { ...world, ...spoil(world) }
    assert.equal(admit({ ...world.rollout, policy: world.policy }, world.facts), reason)
  }
  const tested = new Set(spoilers.map(([reason]) => reason))
  assert.deepEqual(
    admissionReasons.filter((reason) => !tested.has(reason)),
    ['finished'],
  )
  assert.equal(admit(rolloutOf({}, { state: 'finished' })), 'finished')
})

test('D3 the first wave that takes a device in is its wave, and its update keeps it', () => {
  const wave = (members: RolloutPolicy['waves'][number]['members']) => ({
    members,
    needsApproval: false,
    gate,
  })
  const policy = {
    waves: [
      wave({ kind: 'tag', key: 'ring', value: 'canary' }),
      wave({ kind: 'count', count: 2 }),
      wave({ kind: 'percent', percent: 100 }),
    ],
  }
  const open = rolloutOf(policy, { wavesOpenCount: 3 })
  assert.equal(admit(open, factsOf({ tags: { ring: 'canary' } })), 0)
  assert.equal(admit(open), 1)
  const used = { ...open, waves: open.waves.with(1, { ...open.waves[1]!, offeredCount: 2 }) }
  assert.equal(admit(used), 2)
  const before = updateOf({ wave: 1, state: 'superseded', endedAt: startAt })
  const mine = factsOf({ updates: [before] })
  const left = { ...used.waves[1]!, supersededCount: 1 }
  assert.equal(admit({ ...used, waves: used.waves.with(1, left) }, mine), 1)
  // A device that left without a verdict makes room for another.
  assert.equal(admit({ ...used, waves: used.waves.with(1, left) }), 1)
  assert.equal(admit(used, mine), 'not_taking_part')
  // A tag of that name that nobody set is no tag.
  const inherited = rolloutOf({ waves: [wave({ kind: 'tag', key: 'constructor', value: 'x' })] })
  assert.equal(admit(inherited), 'not_taking_part')
})

test('D3 limits hold in the time of the rollout, not in that of a replica whose clock is behind', () => {
  const rollout = rolloutOf(
    { perPeriod: { updatesMax: 1, seconds: 3600 } },
    { clockAt: secondsOn(3700), periodIndex: 1, periodOfferedCount: 1 },
  )
  assert.equal(admit(rollout, factsOf(), secondsOn(10)), 'period_max')
  assert.equal(admit(rollout, factsOf(), secondsOn(7200)), 0)
})

test('D3 an exponential rate grows with healthy devices up to its limit', () => {
  const rate = {
    kind: 'exponential',
    perMinute: 10,
    factor: 2,
    everyHealthy: 100,
    perMinuteMax: 50,
  } as const
  const at = (healthyCount: number) => perMinuteNow(rolloutOf({ rate }, {}, { healthyCount }), rate)
  assert.deepEqual([0, 99, 100, 200, 300, 1e6].map(at), [10, 10, 20, 40, 50, 50])
})
