import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Refusal } from '@seaworthy/std/refusal'
import { checkPolicy, policyDefaults, reachesAll } from './policy.ts'
import { checkRebootPolicy, mayRestart } from './reboot.ts'
import { gate, policyOf, startAt } from './rollout.fixture.ts'
import type { RolloutPolicy, WaveMembers, Windows } from './rollout.ts'
import { createZones } from './zones.ts'

const zones = createZones()
const waves = (...members: WaveMembers[]) =>
  members.map((m) => ({ members: m, needsApproval: false, gate }))
const percent = (value: number): WaveMembers => ({ kind: 'percent', percent: value })
const windows: Windows = {
  timeZone: 'Europe/Berlin',
  fallbackTimeZone: 'UTC',
  spans: [{ days: ['mon'], from: '22:00', to: '04:00' }],
}
const gated = (changes: object) => ({
  waves: [{ ...waves(percent(100))[0]!, gate: { ...gate, ...changes } }],
})

test('D3 a policy that makes no sense is refused with the field and the way out', () => {
  const bad: [Partial<RolloutPolicy>, string][] = [
    [{ waves: [] }, 'waves: 0 is not a whole number from 1 to 50'],
    [{ waves: waves(...Array.from({ length: 51 }, (_, i) => percent(i + 1))) }, 'waves: 51 is not'],
    [{ waves: waves(percent(0)) }, 'waves[0].members.percent: 0 is not above 0'],
    [{ waves: waves(percent(101)) }, 'waves[0].members.percent: 101 is not'],
    [{ waves: waves(percent(Number.NaN)) }, 'waves[0].members.percent: NaN is not'],
    [
      { waves: waves(percent(50), percent(50)) },
      'waves[1].members.percent: percentages are cumulative: 50 % must be more than the 50 % before it',
    ],
    [
      { waves: waves(percent(100), { kind: 'count', count: 5 }) },
      'waves[1]: no device is left after the wave of 100 %: move this wave before it or leave it out',
    ],
    [{ waves: waves({ kind: 'count', count: 0 }) }, 'waves[0].members.count: 0 is not'],
    [{ waves: waves({ kind: 'tag', key: '', value: 'x' }) }, 'waves[0].members.key: name the tag'],
    [gated({ bakeSeconds: -1 }), 'waves[0].gate.bakeSeconds: -1'],
    [
      gated({ successPercentMin: 101 }),
      'waves[0].gate.successPercentMin: 101 is not from 0 to 100',
    ],
    [gated({ failurePercentMax: -1 }), 'waves[0].gate.failurePercentMax: -1'],
    [gated({ sampleMin: 0 }), 'waves[0].gate.sampleMin: 0'],
    [{ inFlightMax: 0 }, 'inFlightMax: 0 is not a whole number of at least 1'],
    [{ perPeriod: { updatesMax: 0, seconds: 60 } }, 'perPeriod.updatesMax: 0'],
    [{ perPeriod: { updatesMax: 1, seconds: 0 } }, 'perPeriod.seconds: 0'],
    [{ rate: { kind: 'constant', perMinute: 0 } }, 'rate.perMinute: 0 is not'],
    [
      { rate: { kind: 'constant', perMinute: 60_001 } },
      'rate.perMinute: 60001 is not from 0.001 to 60000: leave the rate out for no limit',
    ],
    [
      { rate: { kind: 'exponential', perMinute: 10, factor: 2, everyHealthy: 1, perMinuteMax: 5 } },
      'rate.perMinuteMax: it is below the 10 that the rate begins with',
    ],
    [
      {
        rate: { kind: 'exponential', perMinute: 1, factor: 0.5, everyHealthy: 1, perMinuteMax: 5 },
      },
      'rate.factor: 0.5 is not from 1 to 100',
    ],
    [
      { windows: { ...windows, timeZone: 'Europe/Atlantis' } },
      'windows.timeZone: Europe/Atlantis is no',
    ],
    [
      { windows: { ...windows, fallbackTimeZone: '+01:00' } },
      'windows.fallbackTimeZone: +01:00 is no',
    ],
    [{ windows: { ...windows, spans: [] } }, 'windows.spans: no span would mean never'],
    [
      { windows: { ...windows, spans: [{ days: [], from: '00:00', to: '01:00' }] } },
      'windows.spans[0].days: name at least one day',
    ],
    [
      { windows: { ...windows, spans: [{ days: ['mon'], from: '24:00', to: '01:00' }] } },
      'windows.spans[0].from: 24:00 is no time of day',
    ],
    [{ timeoutSeconds: 59 }, 'timeoutSeconds: 59 is not a whole number from 60 to 2592000'],
    [{ failuresMax: -1 }, 'failuresMax: -1'],
    [
      { attempts: { max: 11, waitSeconds: 0 } },
      'attempts.max: 11 is not a whole number from 1 to 10',
    ],
    [{ attempts: { max: 1, waitSeconds: 0.5 } }, 'attempts.waitSeconds: 0.5'],
  ]
  for (const [changes, message] of bad) {
    assert.throws(
      () => checkPolicy(policyOf(changes), zones),
      (error: Refusal) =>
        error.code === 'rollout_policy_invalid' && error.message.startsWith(message),
      message,
    )
  }
})

test('D3 the defaults are allowed, and a rollout that does not reach all sets no baseline', () => {
  checkPolicy(policyDefaults, zones)
  checkPolicy(policyOf({ windows: { ...windows, timeZone: 'device' } }), zones)
  assert.ok(reachesAll(policyDefaults))
  const part = policyOf({ waves: waves({ kind: 'tag', key: 'ring', value: '1' }, percent(50)) })
  checkPolicy(part, zones)
  assert.ok(!reachesAll(part))
})

test('D13 who may restart: each strategy, holder or not, window open or not', () => {
  const open: Windows = { ...windows, spans: [{ days: ['mon'], from: '00:00', to: '00:00' }] }
  const coordinated = { strategy: 'coordinated', slots: 2, ttlSeconds: 3600 } as const
  const cases: [Parameters<typeof mayRestart>[0], number, boolean, string][] = [
    [{ strategy: 'immediate' }, 9, false, 'allowed'],
    [{ strategy: 'off' }, 0, false, 'off'],
    [{ strategy: 'off' }, 1, true, 'off'],
    [{ strategy: 'window', windows: open }, 9, false, 'allowed'],
    [{ strategy: 'window', windows }, 0, false, 'window_closed'],
    [coordinated, 1, false, 'allowed'],
    [coordinated, 2, false, 'slots_taken'],
    // A device that has begun may go on, even when slots were taken away or the window has closed.
    [coordinated, 5, true, 'held'],
    [{ ...coordinated, windows }, 0, false, 'window_closed'],
    [{ ...coordinated, windows }, 1, true, 'held'],
    [{ ...coordinated, windows: open }, 2, false, 'slots_taken'],
  ]
  for (const [policy, holders, isHolder, reason] of cases) {
    const answer = mayRestart(policy, holders, isHolder, {}, startAt, zones)
    const allowed = reason === 'allowed' || reason === 'held'
    assert.deepEqual(answer, { allowed, reason }, JSON.stringify(policy))
  }
  const refuses = (policy: Parameters<typeof checkRebootPolicy>[0], message: RegExp) =>
    assert.throws(() => checkRebootPolicy(policy, zones), message)
  refuses({ ...coordinated, slots: 0 }, /^Refusal: reboot\.slots: 0/)
  refuses({ ...coordinated, ttlSeconds: 5 }, /reboot\.ttlSeconds: 5/)
  refuses({ strategy: 'window', windows: { ...windows, spans: [] } }, /reboot\.windows\.spans/)
  for (const policy of [coordinated, { strategy: 'off' }, { strategy: 'immediate' }] as const) {
    checkRebootPolicy(policy, zones)
  }
})
