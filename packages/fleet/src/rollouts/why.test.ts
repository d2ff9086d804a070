import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { admissionReasons } from './admission.ts'
import { rankRollouts } from './decision.ts'
import { judgeFailures } from './error-budget.ts'
import { describeNext } from './outlook.ts'
import type { WaveChanges } from './rollout.fixture.ts'
import {
  factsOf,
  fleetOf,
  gate,
  policyOf,
  progressOf,
  releaseOf,
  rolloutOf,
  runs,
  secondsOn,
  updateOf,
  works,
} from './rollout.fixture.ts'
import type { CheckInFacts, Rollout } from './rollout.ts'
import { updateStates } from './rollout.ts'
import type { Situation } from './situation.ts'
import { abort, pause, resume } from './transitions.ts'
import type { Heard, Why } from './why.ts'
import { explain, explainRollout } from './why.ts'
import { formatPercent, formatSeconds, formatWhen } from './words.ts'
import { createZones } from './zones.ts'

const zones = createZones()
const releases = [releaseOf(1), releaseOf(2), releaseOf(3)]
const berlin = 'Europe/Berlin'
/** 13:10 in Berlin; the rollout began at 13:00. */
const now = secondsOn(600)

interface Asked {
  facts?: Partial<CheckInFacts>
  fleet?: Partial<FleetPolicy>
  rollouts?: Rollout[]
  releases?: ReleaseFacts[]
}

function ask(asked: Asked, heard: Heard | null = null): Why {
  const signed = asked.releases ?? releases
  return explain(
    factsOf(asked.facts),
    {
      ...situationOf(asked.fleet),
      rollouts: rankRollouts(asked.rollouts ?? [rolloutOf()], signed),
      releases: signed,
    },
    berlin,
    heard,
  )
}

const situationOf = (fleet: Partial<FleetPolicy> = {}): Situation => ({
  ...{ fleet: fleetOf(fleet), rollouts: [], releases, zones, now },
})

const percents = (...list: number[]) =>
  list.map((percent) => ({
    members: { kind: 'percent' as const, percent },
    needsApproval: false,
    gate: { ...gate, bakeSeconds: 1800 },
  }))
/** The place of device_a in rollout_a is 99.32 %. */
const four = { waves: percents(10, 50, 99.5, 100) }
const night = {
  timeZone: berlin,
  fallbackTimeZone: 'UTC',
  spans: [{ days: ['mon' as const], from: '22:00', to: '23:00' }],
}
const running = (changes: Partial<Rollout['waves'][number]>, policy = {}) =>
  rolloutOf(policy, {}, changes)

const cases: [code: string, sentence: string, asked: Asked][] = [
  // The fleet
  [
    'updates_disabled',
    'nothing: updates of the fleet shops are switched off',
    { fleet: { updatesEnabled: false } },
  ],
  [
    'other_product',
    'nothing: it runs kiosk, and the fleet shops is of acme',
    { facts: { running: { ...runs(1), product: 'kiosk' } } },
  ],
  [
    'newest',
    'due: it is offered 1.3.0, the newest release of acme/stable, at its next check-in',
    { fleet: { follow: 'newest' } },
  ],
  [
    'pinned',
    'due: it is offered 1.2.0, which the fleet is held at, at its next check-in',
    { fleet: { follow: 'newest', pinnedVersion: '1.2.0' } },
  ],
  [
    'pinned_version_not_published',
    'nothing: the fleet is held at 9.9.9, which is not published on acme/stable',
    { fleet: { follow: 'newest', pinnedVersion: '9.9.9' } },
  ],
  [
    'up_to_date',
    'up to date: it runs 1.3.0',
    { fleet: { follow: 'newest' }, facts: { running: runs(3), committedCounter: 3 } },
  ],
  [
    'no_release_for_platform',
    'nothing: acme/stable has no release for linux/arm64 on till-3',
    { fleet: { follow: 'newest' }, facts: { platform: 'linux/arm64', hardware: 'till-3' } },
  ],
  [
    'not_newer',
    'nothing: it has reached the release with counter 7, and what the fleet offers is not newer',
    { fleet: { follow: 'newest' }, facts: { running: runs(7), committedCounter: 7 } },
  ],
  [
    'rolled_back_before',
    'nothing: it has rolled back from what the fleet offers (health) and is not offered that again',
    { fleet: { follow: 'newest' }, facts: { activity: works('rolled_back', 3, 'health') } },
  ],
  [
    'no_rollout',
    'nothing: the fleet shops follows rollouts, and there is none and no baseline',
    { rollouts: [] },
  ],
  [
    'baseline',
    'due: no rollout serves it now, so it is offered 1.3.0, the baseline of the fleet, at its next check-in',
    {
      rollouts: [],
      fleet: { baseline: { version: '1.3.0', sha256: releaseOf(3).sha256, counter: 3 } },
    },
  ],
  [
    'release_withdrawn',
    "nothing: the fleet's baseline 1.3.0 is not in the signed metadata of acme/stable",
    {
      rollouts: [],
      releases: [releaseOf(1)],
      fleet: { baseline: { version: '1.3.0', sha256: releaseOf(3).sha256, counter: 3 } },
    },
  ],
  [
    'release_withdrawn',
    'nothing: release 1.2.0 of the rollout is not in the signed metadata of acme/stable',
    { releases: [releaseOf(1), releaseOf(2, { sha256: 'f'.repeat(64) })] },
  ],
  [
    'no_release_for_platform',
    'nothing: release 1.2.0 is not for linux/arm64',
    { facts: { platform: 'linux/arm64' } },
  ],
  // Its update
  [
    'offered',
    'under way: it was offered 1.2.0 at 13:00 CET and has not begun (attempt 1 of 1, wave 1 of 1); its time is up at 15:00 CET',
    { facts: { updates: [updateOf()] }, rollouts: [running({ inFlightCount: 1 })] },
  ],
  [
    'downloading',
    'under way: it downloads 1.2.0 since 13:01 CET (attempt 2 of 3, wave 1 of 1); its time is up at 15:00 CET',
    {
      facts: {
        updates: [updateOf({ state: 'downloading', attempt: 2, changedAt: secondsOn(60) })],
      },
      rollouts: [rolloutOf({ attempts: { max: 3, waitSeconds: 0 } })],
    },
  ],
  [
    'installing',
    'under way: it installs 1.2.0 since 13:00 CET (attempt 1 of 1, wave 1 of 1); its time is up at 15:00 CET',
    { facts: { updates: [updateOf({ state: 'installing' })] } },
  ],
  [
    'installing',
    'under way: it has made 1.2.0 ready and waits for permission to restart since 13:00 CET (attempt 1 of 1, wave 1 of 1)',
    { facts: { updates: [updateOf({ state: 'installing', code: 'waiting_for_restart' })] } },
  ],
  [
    'restarting',
    'under way: it restarts into 1.2.0 since 13:00 CET (attempt 1 of 1, wave 1 of 1); its time is up at 15:00 CET',
    { facts: { updates: [updateOf({ state: 'restarting' })] } },
  ],
  [
    'watching',
    'under way: it runs 1.2.0 since 13:00 CET and watches its health (attempt 1 of 1, wave 1 of 1); its time is up at 15:00 CET',
    { facts: { updates: [updateOf({ state: 'watching' })] } },
  ],
  [
    'committed',
    'healthy: it runs 1.2.0 since 13:05 CET (wave 1 of 1)',
    {
      facts: {
        running: runs(2),
        committedCounter: 2,
        updates: [updateOf({ state: 'committed', changedAt: secondsOn(300) })],
      },
    },
  ],
  [
    'not_newer',
    'nothing: it has reached counter 3, and 1.2.0 has 2; that is no verdict on this release, so the rollout counts it neither as healthy nor as failed',
    {
      facts: {
        committedCounter: 3,
        updates: [updateOf({ state: 'superseded', code: 'newer', endedAt: secondsOn(0) })],
      },
    },
  ],
  [
    'not_newer',
    'nothing: it has reached counter 3, and 1.2.0 has 2; that does not undo that its last attempt rolled back (health)',
    {
      facts: {
        committedCounter: 3,
        updates: [updateOf({ state: 'rolled_back', code: 'health', endedAt: secondsOn(0) })],
      },
    },
  ],
  [
    'attempts_used_up',
    'nothing further: it has used up its only attempt at 1.2.0; the last rolled back (health) at 13:05 CET',
    {
      facts: {
        updates: [updateOf({ state: 'rolled_back', code: 'health', endedAt: secondsOn(300) })],
      },
    },
  ],
  [
    'attempts_used_up',
    'nothing further: it has used up its 2 attempts at 1.2.0; the last timed out at 13:05 CET',
    {
      facts: {
        updates: [
          updateOf({
            state: 'timed_out',
            code: 'timeout',
            attempt: 2,
            endedAt: secondsOn(300),
          }),
        ],
      },
      rollouts: [rolloutOf({ attempts: { max: 2, waitSeconds: 0 } })],
    },
  ],
  [
    'retry_wait',
    'not yet: attempt 2 of 3 may follow from 14:05 CET on; the last failed (no_space)',
    {
      facts: {
        updates: [updateOf({ state: 'failed', code: 'no_space', endedAt: secondsOn(300) })],
      },
      rollouts: [rolloutOf({ attempts: { max: 3, waitSeconds: 3600 } })],
    },
  ],
  [
    'due',
    'due: wave 1 of 1 is open and takes it in; it is offered 1.2.0 at its next check-in',
    { facts: { updates: [updateOf({ state: 'superseded', code: 'overtaken' })] } },
  ],
  // Why it is not offered
  [
    'already_running',
    'up to date: it runs 1.2.0 already',
    { facts: { running: runs(2), committedCounter: 2 } },
  ],
  [
    'not_newer',
    'nothing: it has reached counter 3, and 1.2.0 has 2',
    {
      facts: { running: runs(3), committedCounter: 3 },
      releases: [...releases, releaseOf(4)],
    },
  ],
  [
    'up_to_date',
    'up to date: it runs 1.3.0',
    {
      facts: { running: runs(3), committedCounter: 3 },
      rollouts: [rolloutOf({}, { state: 'paused' })],
    },
  ],
  [
    'aborted',
    "nothing: the rollout of 1.2.0 was aborted (a person's reason: wrong fleet)",
    { rollouts: [abort(rolloutOf(), 'wrong fleet', now)] },
  ],
  [
    'finished',
    'nothing: the rollout of 1.2.0 has finished without it',
    { rollouts: [rolloutOf({}, { state: 'finished' })] },
  ],
  [
    'not_taking_part',
    'nothing: its place is at 99.32 %, and the waves of the rollout of 1.2.0 reach 50 %',
    { rollouts: [rolloutOf({ waves: percents(10, 50) })] },
  ],
  [
    'not_taking_part',
    'nothing: no wave of the rollout of 1.2.0 takes it in',
    {
      rollouts: [
        rolloutOf({
          waves: [{ ...percents(1)[0]!, members: { kind: 'tag', key: 'ring', value: '0' } }],
        }),
      ],
    },
  ],
  [
    'not_taking_part',
    'nothing: only devices take part that run the release which 1.2.0 goes back from, and this one does not',
    { rollouts: [rolloutOf({}, { fromSha256: 'e'.repeat(64) })] },
  ],
  [
    'paused',
    'not yet: the rollout of 1.2.0 is paused (a person did it and gave no reason)',
    { rollouts: [pause(rolloutOf(), null, now)] },
  ],
  [
    'not_started',
    'not yet: the rollout of 1.2.0 starts at Wed 25 Nov 09:00 CET',
    { rollouts: [rolloutOf({}, { startAt: new Date('2026-11-25T08:00:00Z') })] },
  ],
  [
    'wave_not_open',
    'not yet: wave 3 of 4 opens when 95 % of wave 2 have been healthy for 30 min; now 91 %, earliest 13:40 CET',
    {
      rollouts: [
        rolloutOf(four, {
          wavesOpenCount: 2,
          waves: [0, 1, 2, 3].map((wave) => ({
            ...progressOf(rolloutOf(four).waves[wave]!, {
              membersCount: 100,
              healthyCount: wave === 1 ? 91 : 0,
            }),
          })),
        }),
      ],
    },
  ],
  [
    'wave_not_open',
    "not yet: it belongs to wave 3 of 4; first wave 2 of 4 opens when 95 % of wave 1 have been healthy for 30 min; now 97 % since 13:00 CET, earliest 13:30 CET; it is the device's turn at 14:00 CET at the earliest",
    {
      rollouts: [
        rolloutOf(four, {}, { membersCount: 100, healthyCount: 97, successSince: secondsOn(0) }),
      ],
    },
  ],
  [
    'wave_not_open',
    'not yet: wave 2 of 2 opens when a person has approved it',
    {
      rollouts: [
        rolloutOf(
          {
            waves: percents(10, 100).map((wave, i) => ({
              ...wave,
              needsApproval: i === 1,
              gate: { ...gate, bakeSeconds: 60 },
            })),
          },
          {},
          { membersCount: 10, healthyCount: 10, successSince: secondsOn(0) },
        ),
      ],
    },
  ],
  [
    'safe_mode',
    'not yet: in safe mode one device goes first, and it is not healthy yet',
    { rollouts: [running({ inFlightCount: 1 }, { safeMode: true })] },
  ],
  [
    'safe_mode',
    'not yet: in safe mode the first failure stops, and 1 device failed',
    { rollouts: [running({ failedCount: 1 }, { safeMode: true })] },
  ],
  [
    'window_closed',
    'not yet: the window in Europe/Berlin is closed and opens at 22:00 CET',
    { rollouts: [rolloutOf({ windows: night })] },
  ],
  [
    'in_flight_max',
    'not yet: 10 of at most 10 updates are under way',
    { rollouts: [running({ inFlightCount: 10 }, { inFlightMax: 10 })] },
  ],
  [
    'period_max',
    'not yet: all 5 updates of this 1 h were offered, and the next begins at 14:00 CET',
    {
      rollouts: [
        rolloutOf({ perPeriod: { updatesMax: 5, seconds: 3600 } }, { periodOfferedCount: 5 }),
      ],
    },
  ],
  [
    'rate',
    'not yet: at 0.5 updates a minute the next may be offered at 13:11 CET',
    {
      rollouts: [
        rolloutOf(
          { rate: { kind: 'constant', perMinute: 0.5 } },
          { rateNextMs: secondsOn(660).getTime() },
        ),
      ],
    },
  ],
  [
    'cancel_pending',
    'not yet: its client has another release in hand, and 1.2.0 can be shown to it only when it has said that it stopped, or when its time to say so is over',
    { facts: { heldBack: { reason: 'cancel_pending', exceptSha256: null } } },
  ],
  [
    'restart_not_allowed',
    'not yet: the rule of the fleet for restarts does not let it restart now, and its client would restart into 1.2.0 by itself',
    { facts: { heldBack: { reason: 'restart_not_allowed', exceptSha256: null } } },
  ],
  [
    'not_asked',
    'due: it is offered 1.2.0 when it next asks for one',
    { facts: { heldBack: { reason: 'not_asked', exceptSha256: null } } },
  ],
]

test('D5 why: one sentence with the facts for every state of a device', () => {
  const seen = new Set<string>()
  for (const [code, sentence, asked] of cases) {
    const why = ask(asked)
    assert.deepEqual([why.code, why.sentence], [code, sentence])
    seen.add(code)
  }
  // `under_way` is told by the state of its update; failures by what follows from them.
  const others = ['under_way']
  const unseen = admissionReasons.filter((code) => !seen.has(code) && !others.includes(code))
  assert.deepEqual(unseen, [])
  const states = updateStates.filter((state) => !seen.has(state))
  assert.deepEqual(states, ['rolled_back', 'failed', 'timed_out', 'superseded'])
})

test('D5 why: every figure, version and time of a sentence stands among the values beside it', () => {
  const heard = {
    at: secondsOn(-600),
    registeredAt: secondsOn(-3600),
    asksAsFleet: true,
    hearing: { heardAt: now, gaps: [] },
  }
  for (const [, , asked] of cases) {
    const { code, values, sentence } = ask(asked, heard)
    const known = Object.values(values).flatMap((value) => {
      if (value instanceof Date) return [formatWhen(value, now, berlin)]
      const forms = typeof value === 'number' ? [formatPercent(value), formatSeconds(value)] : []
      return [String(value), ...forms]
    })
    // The gate of which wave is waited for, and a health code, stand among other words.
    const rest = known
      .toSorted((a, b) => b.length - a.length)
      .reduce((text, form) => (/\d/.test(form) ? text.replaceAll(form, '') : text), sentence)
    assert.doesNotMatch(rest, /\d/, `${code}: ${sentence} ${JSON.stringify(values)}`)
  }
})

test('D3 why: a stop by failures keeps its figures beside its sentence', () => {
  const failing = rolloutOf({ failuresMax: 1 }, {}, { failedCount: 3, membersCount: 9 })
  const stopped = judgeFailures(failing, now)!
  const stop = { failedCount: 3, failuresMax: 1 }
  assert.deepEqual([stopped.stopCode, stopped.stopValues], ['error_budget', stop])
  const { code, values } = describeNext(stopped, now)
  assert.equal(code, 'paused')
  assert.deepEqual(values, {
    ...stop,
    stopCode: 'error_budget',
    stopReason: '3 devices failed, and the error budget allows 1',
  })
  const { values: beside } = ask({ rollouts: [stopped] })
  assert.deepEqual(beside, { version: '1.2.0', ...values })
  assert.equal(resume(stopped, now).stopValues, null)
})

test('D5 what a rollout waits for stands beside its sentence as a code and values', () => {
  const { code, values } = describeNext(rolloutOf(four), now)
  const gateOfFirst = {
    gateWave: 1,
    successPercentMin: 95,
    successOf: 'members',
    bakeSeconds: 1800,
  }
  assert.equal(code, 'gate_not_passed')
  assert.deepEqual(values, {
    ...{ nextWave: 2, wavesCount: 4, nextAt: secondsOn(2400), needsApproval: false },
    ...gateOfFirst,
    standing: 'being_counted',
  })
})

test('D4 why: while a fleet goes back from its baseline nobody is offered that', () => {
  const back = rolloutOf(
    {},
    { counter: 4, version: '1.1.0-again', fromSha256: releaseOf(3).sha256 },
  )
  const why = ask({
    rollouts: [back],
    releases: [...releases, releaseOf(4, { version: '1.1.0-again', sha256: back.sha256 })],
    fleet: { baseline: { version: '1.3.0', sha256: releaseOf(3).sha256, counter: 3 } },
  })
  assert.equal(why.code, 'not_taking_part')
})

test('D5 why: places, waves and the earliest instant, where that is known', () => {
  const closed = ask({ rollouts: [rolloutOf(four)] })
  assert.equal(closed.wave, 2)
  assert.ok(Math.abs(closed.placePercent! - 99.32) < 0.01)
  const at = (asked: Asked) => ask(asked).earliestAt?.toISOString().slice(11, 16)
  assert.equal(at({ rollouts: [rolloutOf({ windows: night })] }), '21:00')
  assert.equal(at({ rollouts: [pause(rolloutOf(), null, now)] }), undefined)
  // The wave could open at 13:40 in Berlin, and the window does at 22:00.
  const both = rolloutOf({ waves: percents(10, 100), windows: night }, {}, { membersCount: 10 })
  assert.equal(at({ rollouts: [both] }), '21:00')
})

test('D5 why: of one rollout alone, also one that is over', () => {
  const over = abort(rolloutOf(), null, now)
  const update = updateOf({ state: 'superseded', code: 'aborted', endedAt: now })
  const facts = factsOf({ updates: [update] })
  const why = explainRollout(facts, over, { ...situationOf(), releases: [] }, 'UTC')
  assert.equal(why.code, 'aborted')
  assert.equal(why.rolloutId, 'rollout_a')
})

test('D5 what a rollout waits for, in one sentence', () => {
  const next = (rollout: Rollout) => describeNext(rollout, now, berlin).sentence
  const closed = { wavesOpenCount: 0 }
  assert.equal(
    next(rolloutOf(four, { ...closed, startAt: secondsOn(3600) })),
    'Wave 1 of 4 opens at 14:00 CET.',
  )
  assert.equal(next(rolloutOf(four, closed)), 'Wave 1 of 4 opens within seconds.')
  const approved = { waves: [{ ...percents(100)[0]!, needsApproval: true }] }
  assert.equal(
    next(rolloutOf(approved, closed)),
    'Wave 1 of 1 opens when a person has approved it.',
  )
  assert.equal(
    next(rolloutOf(approved, { ...closed, startAt: secondsOn(3600) })),
    'Wave 1 of 1 opens when a person has approved it, not before 14:00 CET.',
  )
  assert.equal(
    next(rolloutOf(four)),
    'Wave 2 of 4 opens when 95 % of wave 1 have been healthy for 30 min; its devices are being counted, earliest 13:40 CET.',
  )
  const ofEnded = {
    waves: [
      { ...percents(100)[0]!, gate: { ...gate, successOf: 'ended' as const, sampleMin: 10 } },
    ],
  }
  assert.equal(
    next(rolloutOf(ofEnded, {}, { healthyCount: 3 })),
    "The rollout finishes when 95 % of wave 1's ended updates are healthy; now 3 of at least 10 have ended, earliest 13:10 CET.",
  )
  assert.equal(
    next(
      rolloutOf({}, { state: 'paused', stopCode: 'error_budget', stopReason: '3 devices failed' }),
    ),
    'Paused: 3 devices failed.',
  )
  assert.equal(
    next(rolloutOf(policyOf(), { state: 'finished', endedAt: secondsOn(60) })),
    'Finished at 13:01 CET.',
  )
})

test('D5 instants and durations in words', () => {
  const summer = new Date('2026-07-01T12:19:01Z')
  const before = new Date(summer.getTime() - 1)
  const after = new Date(summer.getTime() + 1)
  assert.equal(formatWhen(summer, before, berlin), '14:20 CEST', 'nothing happens before it')
  assert.equal(formatWhen(summer, after, berlin), '14:19 CEST', 'it has happened by then')
  assert.equal(formatWhen(summer, summer, berlin), '14:19 CEST')
  assert.equal(formatWhen(summer, summer, 'America/New_York'), '08:19 EDT')
  assert.equal(formatWhen(summer, summer, 'Asia/Kolkata'), '17:49 IST')
  assert.equal(formatWhen(summer, summer, 'UTC'), '12:19 UTC')
  assert.equal(formatWhen(summer, now, berlin), 'Wed 1 Jul 14:19 CEST')
  assert.equal(formatWhen(new Date('2027-01-01T00:00:00Z'), now, 'UTC'), 'Fri 1 Jan 2027 00:00 UTC')
  const spans = [0, 45, 1800, 5400, 86_400, 90_061].map(formatSeconds)
  assert.deepEqual(spans, ['0 s', '45 s', '30 min', '1 h 30 min', '1 d', '1 d 1 h 1 min 1 s'])
})

test('D5 why: what waits for the device to ask says when it was heard and how often it asks', () => {
  const heard = {
    at: secondsOn(-600),
    registeredAt: secondsOn(-3600),
    asksAsFleet: true,
    hearing: { heardAt: now, gaps: [] },
  }
  const due = rolloutOf({ waves: percents(100) }, { wavesOpenCount: 1 })
  const hourly = situationOf({ pollSeconds: 3600 })
  const say = (known: typeof heard | (Omit<typeof heard, 'at'> & { at: null })) =>
    explainRollout(factsOf(), due, hourly, 'UTC', known).sentence
  assert.match(say(heard), /at its next check-in; last heard 11:50 UTC, asks every 1 h$/)
  assert.match(say({ ...heard, at: null }), /; never heard yet, asks every 1 h$/)
  assert.match(say({ ...heard, asksAsFleet: false }), /; last heard 11:50 UTC$/)
  const newest = explain(
    factsOf(),
    situationOf({ follow: 'newest', pollSeconds: 60 }),
    'UTC',
    heard,
  ).sentence
  assert.match(newest, /at its next check-in; last heard 11:50 UTC, asks every 1 min$/)
})

test('D5 why: the earliest instant stands in the sentence, also where a window opens after it', () => {
  const starts = { startAt: secondsOn(930) }
  for (const policy of [policyOf(), policyOf({ windows: night })]) {
    const { sentence, earliestAt } = explainRollout(
      factsOf(),
      rolloutOf(policy, starts),
      situationOf(),
      'UTC',
    )
    assert.ok(sentence.includes(formatWhen(earliestAt!, now, 'UTC')), sentence)
  }
})

test('D5 why: a device that is silent is told so where gates do not wait for it, and what a wave knows of it', () => {
  const rollout = rolloutOf(four, {}, { waitingCount: 0, silentCount: 1 })
  const say = (heardAt: Date, of = rollout) =>
    explainRollout(factsOf(), of, situationOf(), 'UTC', {
      at: heardAt,
      registeredAt: heardAt,
      asksAsFleet: true,
      hearing,
    }).sentence
  const hearing = { heardAt: now, gaps: [] }
  const silence =
    '; it has not been heard from since Sat 21 Nov 12:00 UTC, longer than 1 d, and a share of ended updates does not wait for it'
  assert.ok(say(secondsOn(-2 * 86_400)).endsWith(silence), say(secondsOn(-2 * 86_400)))
  assert.ok(!say(secondsOn(-3600)).includes('heard from since'))
  const cutOff = explainRollout(factsOf(), rollout, situationOf(), 'UTC', {
    at: secondsOn(-2 * 86_400),
    registeredAt: secondsOn(-2 * 86_400),
    asksAsFleet: true,
    hearing: { heardAt: secondsOn(-86_400), gaps: [] },
  }).sentence
  assert.ok(!cutOff.includes('heard from since'), 'nobody was heard')
  const never = rolloutOf({ ...four, silentAfterSeconds: null })
  assert.ok(!say(secondsOn(-2 * 86_400), never).includes('heard from since'))
  const ofEnded = percents(1, 100).map((wave) => ({
    ...wave,
    gate: { ...wave.gate, successOf: 'ended' as const, sampleMin: 10 },
  }))
  const next = (wave: WaveChanges) =>
    describeNext(rolloutOf({ waves: ofEnded }, {}, wave), now).sentence
  assert.match(
    next({ waitingCount: 0, silentCount: 4 }),
    /; nothing is known of the release, because none of its 4 devices has been heard from lately, /,
  )
  assert.match(
    next({ waitingCount: 1, silentCount: 1, healthyCount: 2 }),
    /; now 2 of at least 3 have ended, and 1 silent device is not waited for, /,
  )
  assert.match(
    next({ waitingCount: 0, silentCount: 2, healthyCount: 2 }),
    /; now 100 %, and 2 silent devices are not waited for, /,
  )
})
