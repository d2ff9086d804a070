/** What a rollout's policy may say, and its defaults. */
import { Refusal } from '@seaworthy/std/refusal'
import { silentSecondsDefault } from '../devices/presence.ts'
import type { RolloutRefusal } from './refusals.ts'
import type { Gate, Rate, RolloutPolicy, WaveMembers, Windows } from './rollout.ts'
import { weekdays } from './rollout.ts'
import type { Zones } from './zones.ts'

const minuteSeconds = 60
const daySeconds = 24 * 60 * minuteSeconds
const wavesMax = 50
const attemptsMax = 10
const timeoutSecondsMax = 30 * daySeconds
const silentAfterSecondsMax = 90 * daySeconds
const bakeSecondsMax = 90 * daySeconds
/** One in 16 hours to one a millisecond. */
const perMinuteLimits = { min: 0.001, max: 60_000 }
const spansMax = 50

const gateDefaults: Gate = {
  bakeSeconds: 30 * minuteSeconds,
  successPercentMin: 95,
  successOf: 'ended',
  failurePercentMax: 5,
  sampleMin: 10,
}

/**
 * A careful rollout: four waves, a stop at more than 5 % of failures, two hours for each device.
 */
export const policyDefaults: RolloutPolicy = {
  waves: [1, 10, 50, 100].map((percent) => ({
    members: { kind: 'percent', percent },
    needsApproval: false,
    gate: gateDefaults,
  })),
  inFlightMax: null,
  perPeriod: null,
  rate: null,
  windows: null,
  timeoutSeconds: 2 * 60 * minuteSeconds,
  silentAfterSeconds: silentSecondsDefault,
  safeMode: false,
  failuresMax: null,
  onFailure: 'pause',
  attempts: { max: 1, waitSeconds: 0 },
  isEmergency: false,
}

/**
 * Throws `rollout_policy_invalid` with the field and how to correct it. A rollout whose last wave
 * does not reach 100 % is allowed: it ends there and sets no baseline (`reachesAll`).
 */
export function checkPolicy(policy: RolloutPolicy, zones: Zones): void {
  checkCount('waves', policy.waves.length, 1, wavesMax)
  policy.waves.forEach(({ members, gate }, index) => {
    checkMembers(`waves[${index}].members`, members)
    checkGate(`waves[${index}].gate`, gate)
  })
  checkPercentsRise(policy)
  if (policy.inFlightMax !== null) checkCount('inFlightMax', policy.inFlightMax, 1)
  if (policy.perPeriod !== null) {
    checkCount('perPeriod.updatesMax', policy.perPeriod.updatesMax, 1)
    checkCount('perPeriod.seconds', policy.perPeriod.seconds, 1, 30 * daySeconds)
  }
  if (policy.rate !== null) checkRate(policy.rate)
  if (policy.windows !== null) checkWindows('windows', policy.windows, zones)
  checkCount('timeoutSeconds', policy.timeoutSeconds, minuteSeconds, timeoutSecondsMax)
  if (policy.silentAfterSeconds !== null) {
    checkCount(
      'silentAfterSeconds',
      policy.silentAfterSeconds,
      minuteSeconds,
      silentAfterSecondsMax,
    )
  }
  if (policy.failuresMax !== null) checkCount('failuresMax', policy.failuresMax, 0)
  checkCount('attempts.max', policy.attempts.max, 1, attemptsMax)
  checkCount('attempts.waitSeconds', policy.attempts.waitSeconds, 0, 30 * daySeconds)
}

/**
 * Whether the last wave takes in every device; only then does its release become the fleet's
 * baseline in the end.
 */
export function reachesAll(policy: RolloutPolicy): boolean {
  const last = policy.waves.at(-1)
  return last?.members.kind === 'percent' && last.members.percent === 100
}

/** Throws `rollout_policy_invalid`; `field` names it in the message. */
export function checkWindows(field: string, windows: Windows, zones: Zones): void {
  if (windows.timeZone !== 'device') checkZone(`${field}.timeZone`, windows.timeZone, zones)
  checkZone(`${field}.fallbackTimeZone`, windows.fallbackTimeZone, zones)
  if (windows.spans.length === 0) {
    throw invalid(`${field}.spans`, 'no span would mean never: leave the windows out for any time')
  }
  checkCount(`${field}.spans`, windows.spans.length, 1, spansMax)
  windows.spans.forEach(({ days, from, to }, index) => {
    const at = `${field}.spans[${index}]`
    if (days.length === 0) throw invalid(`${at}.days`, 'name at least one day, such as mon')
    for (const day of days) {
      if (!weekdays.includes(day)) throw invalid(`${at}.days`, `${day} is none of mon … sun`)
    }
    for (const [name, time] of Object.entries({ from, to })) {
      if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(time)) {
        throw invalid(`${at}.${name}`, `${time} is no time of day from 00:00 to 23:59`)
      }
    }
  })
}

/** A whole number within the limits. Throws `rollout_policy_invalid`. */
export function checkCount(field: string, value: number, min: number, max?: number): void {
  if (Number.isSafeInteger(value) && value >= min && (max === undefined || value <= max)) return
  const limits = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`
  throw invalid(field, `${value} is not a whole number ${limits}`)
}

function checkMembers(field: string, members: WaveMembers): void {
  switch (members.kind) {
    case 'percent':
      if (!(members.percent > 0 && members.percent <= 100)) {
        throw invalid(`${field}.percent`, `${members.percent} is not above 0 and at most 100`)
      }
      return
    case 'count':
      return checkCount(`${field}.count`, members.count, 1)
    case 'tag':
      if (members.key === '') throw invalid(`${field}.key`, 'name the tag')
      return
    default:
      throw invalid(`${field}.kind`, 'a wave is by percent, count or tag')
  }
}

function checkPercentsRise(policy: RolloutPolicy): void {
  let reached = 0
  policy.waves.forEach(({ members }, index) => {
    if (members.kind !== 'percent') return
    if (members.percent <= reached) {
      throw invalid(
        `waves[${index}].members.percent`,
        `percentages are cumulative: ${members.percent} % must be more than the ${reached} % before it`,
      )
    }
    reached = members.percent
  })
  const all = policy.waves.findIndex(
    (w) => w.members.kind === 'percent' && w.members.percent === 100,
  )
  if (all !== -1 && all < policy.waves.length - 1) {
    throw invalid(
      `waves[${all + 1}]`,
      'no device is left after the wave of 100 %: move this wave before it or leave it out',
    )
  }
}

function checkGate(field: string, gate: Gate): void {
  checkCount(`${field}.bakeSeconds`, gate.bakeSeconds, 0, bakeSecondsMax)
  checkPercent(`${field}.successPercentMin`, gate.successPercentMin)
  if (gate.failurePercentMax !== null) {
    checkPercent(`${field}.failurePercentMax`, gate.failurePercentMax)
  }
  if (gate.successOf !== 'members' && gate.successOf !== 'ended') {
    throw invalid(`${field}.successOf`, 'a share is of members or of ended')
  }
  checkCount(`${field}.sampleMin`, gate.sampleMin, 1)
}

function checkPercent(field: string, percent: number): void {
  if (percent >= 0 && percent <= 100) return
  throw invalid(field, `${percent} is not from 0 to 100`)
}

function checkRate(rate: Rate): void {
  checkPerMinute('rate.perMinute', rate.perMinute)
  if (rate.kind === 'constant') return
  checkPerMinute('rate.perMinuteMax', rate.perMinuteMax)
  if (rate.perMinuteMax < rate.perMinute) {
    throw invalid(
      'rate.perMinuteMax',
      `it is below the ${rate.perMinute} that the rate begins with`,
    )
  }
  if (!(rate.factor >= 1 && rate.factor <= 100)) {
    throw invalid('rate.factor', `${rate.factor} is not from 1 to 100`)
  }
  checkCount('rate.everyHealthy', rate.everyHealthy, 1)
}

function checkPerMinute(field: string, perMinute: number): void {
  const { min, max } = perMinuteLimits
  if (perMinute >= min && perMinute <= max) return
  throw invalid(field, `${perMinute} is not from ${min} to ${max}: leave the rate out for no limit`)
}

function checkZone(field: string, zone: string, zones: Zones): void {
  if (zones.isZone(zone)) return
  throw invalid(field, `${zone} is not a known time zone: use a name such as Europe/Berlin`)
}

function invalid(field: string, wayOut: string): Refusal<RolloutRefusal> {
  return new Refusal<RolloutRefusal>('rollout_policy_invalid', `${field}: ${wayOut}`)
}
