/**
 * The meaning of a policy in sentences: before a rollout is made, by `rollout show`, and in
 * requests for approval.
 */
import { formatDuration } from '@seaworthy/std/time'
import { missedPollsMin } from '../devices/presence.ts'
import { silentAfterOf } from './hearing.ts'
import { reachesAll } from './policy.ts'
import type {
  Gate,
  Rate,
  RolloutPolicy,
  WaveMembers,
  Weekday,
  Windows,
  WindowSpan,
} from './rollout.ts'
import { weekdays } from './rollout.ts'

/**
 * The known facts about the fleet: the number of its devices turns percentages into rough numbers.
 */
export interface KnownFleet {
  readonly devicesCount?: number | undefined
  readonly pollSeconds: number
}

/** Describes the policy, one line per statement. */
export function describePolicy(policy: RolloutPolicy, fleet?: KnownFleet): string[] {
  return [
    'Waves',
    ...describeWaves(policy, fleet?.devicesCount).map((line) => `  ${line}`),
    ...describeGates(policy, fleet),
    ...describeLimits(policy),
    ...describeFailures(policy),
  ]
}

/** `10%`, `count 50`, `tag canary=yes`. */
export function describeMembers(members: WaveMembers): string {
  switch (members.kind) {
    case 'percent':
      return `${members.percent}%`
    case 'count':
      return `count ${members.count}`
    case 'tag':
      return `tag ${members.key}=${members.value}`
  }
}

/** `rate 30/min`, `rate 10/min, x2 after every 100 healthy, at most 1000/min`. */
export function describeRate(rate: Rate): string {
  if (rate.kind === 'constant') return formatRate(rate.perMinute)
  return `${formatRate(rate.perMinute)}, times ${rate.factor} after every ${formatCount(rate.everyHealthy, 'healthy device')}, at most ${formatRate(rate.perMinuteMax)}`
}

function formatRate(perMinute: number): string {
  if (perMinute >= 1) return `${trimmed(perMinute)} a minute`
  return `${trimmed(perMinute * 60)} an hour`
}

function trimmed(value: number): string {
  return String(Math.round(value * 1000) / 1000)
}

function describeWaves(policy: RolloutPolicy, devicesCount: number | undefined): string[] {
  const { waves } = policy
  const lines = waves.map(({ members, needsApproval }, i) => {
    const who = describeWave(members, i, devicesCount)
    return `${i + 1}  ${who}${needsApproval ? ', once a person has approved it' : ''}`
  })
  if (!reachesAll(policy)) {
    lines.push('Devices outside these waves keep what they run; the fleet gets no new baseline.')
  }
  return lines
}

function describeWave(members: WaveMembers, index: number, devicesCount: number | undefined) {
  switch (members.kind) {
    case 'percent': {
      const { percent } = members
      if (percent === 100) {
        return `the whole fleet${devicesCount === undefined ? '' : `, ${formatCount(devicesCount, 'device')}`}`
      }
      return `${index === 0 ? '' : 'up to '}${percent} % of the fleet${aboutDevices(percent, devicesCount)}`
    }
    case 'count':
      return `${index === 0 ? 'the' : 'further'} ${formatCount(members.count, 'device')}: the first that ask`
    case 'tag':
      return `devices with the tag ${members.key}=${members.value}`
  }
}

/**
 * The id that the rollout will get decides which devices are drawn, so only their approximate
 * number is known; it is at least one.
 */
function aboutDevices(percent: number, devicesCount: number | undefined): string {
  if (devicesCount === undefined) return ''
  if (devicesCount === 0) return ', which has no device'
  const count = Math.max(1, Math.round((percent / 100) * devicesCount))
  return `, about ${formatCount(count, 'device')}, at least one`
}

function describeGates(policy: RolloutPolicy, fleet: KnownFleet | undefined): string[] {
  const { waves, onFailure } = policy
  const gates = waves.map(({ gate }) => gate)
  return [
    ...describeRuns(
      gates,
      describeSuccess,
      (name, isOne) => `${name} ${isOne ? 'passes' : 'pass'}`,
    ),
    ...describeRuns(
      gates,
      ({ failurePercentMax: max }) =>
        max === null
          ? 'no share of failures stops it.'
          : `more than ${max} % failures among the updates that have ended ${verb(onFailure)} the rollout.`,
      (name) => `${name}:`,
    ),
    ...describeRuns(
      gates,
      ({ sampleMin }) =>
        `such a share counts once ${formatCount(sampleMin, 'update')} or all of the wave have ended.`,
      (name) => `${name}:`,
    ),
    describeSilence(policy, fleet),
    ...describeRuns(gates, describeLimbo, (name) => `Note on ${name.toLowerCase()}:`, true),
  ]
}

/** Describes which devices the gates wait for. */
function describeSilence(policy: RolloutPolicy, fleet: KnownFleet | undefined): string {
  const { waves, silentAfterSeconds } = policy
  const isOfMembers = waves.every(({ gate }) => gate.successOf === 'members')
  if (silentAfterSeconds === null)
    return 'Each wave waits for all of its devices, heard from or not.'
  const after = silentAfterOf(policy, fleet ?? { pollSeconds: 0 }) ?? silentAfterSeconds
  const polls = `${missedPollsMin} polls of the fleet`
  const span =
    fleet === undefined
      ? `${seconds(silentAfterSeconds)}, or ${polls} if that is longer,`
      : `${seconds(after)}${after === silentAfterSeconds ? '' : ` (${polls}, which is longer than ${seconds(silentAfterSeconds)})`}`
  return isOfMembers
    ? `A device not heard from for ${span} counts as a member all the same.`
    : `A device not heard from for ${span} is not waited for; a wave opens only when at least one device of the wave before has ended.`
}

/**
 * Describes the shares of failures that are too high to pass and too low to stop, which would leave
 * a wave open until a person decides. The text is empty where there are none.
 */
function describeLimbo({ successPercentMin, failurePercentMax }: Gate): string {
  const passes = Math.round((100 - successPercentMin) * 1e6) / 1e6
  if (failurePercentMax === null) {
    return passes < 100
      ? `with more than ${passes} % failures it neither passes nor stops the rollout, until a person pauses and resumes it.`
      : ''
  }
  return failurePercentMax > passes
    ? `with more than ${passes} % and up to ${failurePercentMax} % failures it neither passes nor stops the rollout, until a person pauses and resumes it.`
    : ''
}

function describeSuccess({ bakeSeconds, successOf, successPercentMin }: Gate): string {
  const of = successOf === 'members' ? 'its members' : 'its updates that have ended'
  const share = `${successPercentMin} % of ${of} are healthy`
  return bakeSeconds === 0
    ? `as soon as ${share}.`
    : `once ${share} for ${seconds(bakeSeconds)} without a break.`
}

/** Consecutive waves with the same description share a line. */
function describeRuns(
  gates: readonly Gate[],
  say: (gate: Gate) => string,
  begin: (name: string, isOne: boolean) => string,
  canBeEmpty = false,
): string[] {
  const said = gates.map(say)
  const lines: string[] = []
  for (let first = 0; first < said.length;) {
    let last = first
    while (said[last + 1] === said[first]) last++
    const isOne = first === last || (first === 0 && last === said.length - 1)
    if (!canBeEmpty || said[first] !== '') {
      lines.push(`${begin(nameOfWaves(first, last, said.length), isOne)} ${said[first]!}`)
    }
    first = last + 1
  }
  return lines
}

function nameOfWaves(first: number, last: number, count: number): string {
  if (first === 0 && last === count - 1) return count === 1 ? 'The wave' : 'Each wave'
  if (first === last) return `Wave ${first + 1}`
  return `Waves ${first + 1} ${last === first + 1 ? 'and' : 'to'} ${last + 1}`
}

function verb(onFailure: RolloutPolicy['onFailure']): string {
  return onFailure === 'pause' ? 'pauses' : 'aborts'
}

function seconds(count: number): string {
  return formatDuration(count * 1000)
}

function describeLimits({ inFlightMax, perPeriod, rate, windows }: RolloutPolicy): string[] {
  const lines = [
    inFlightMax === null
      ? undefined
      : `At most ${formatCount(inFlightMax, 'update')} at the same time.`,
    perPeriod === null
      ? undefined
      : `At most ${formatCount(perPeriod.updatesMax, 'update')} offered in each ${seconds(perPeriod.seconds)} from the start.`,
    rate === null ? undefined : `Offers are spread evenly: ${describeRate(rate)}.`,
    windows === null
      ? undefined
      : `Offered only ${describeWindows(windows)}; what has begun goes on.`,
  ].filter((line) => line !== undefined)
  return lines.length === 0
    ? ['No speed limit: every member of an open wave that asks gets it.']
    : lines
}

function describeFailures(policy: RolloutPolicy): string[] {
  const { attempts, failuresMax, onFailure } = policy
  return [
    `An update that has not ended ${seconds(policy.timeoutSeconds)} after its offer has timed out: a failure.`,
    attempts.max === 1
      ? 'A device whose update failed is not tried again.'
      : `A device is tried up to ${attempts.max} times, the next try ${attempts.waitSeconds === 0 ? 'at once' : `${seconds(attempts.waitSeconds)} after a failure`}.`,
    ...(policy.safeMode
      ? [
          `Safe mode: one device at a time until the first is healthy, and the first failure ${verb(onFailure)} it.`,
        ]
      : []),
    ...(failuresMax === null
      ? []
      : [
          `More than ${formatCount(failuresMax, 'failed device')} over all waves ${verb(onFailure)} the rollout.`,
        ]),
    ...(policy.isEmergency
      ? [
          'Emergency: it overtakes the other rollouts of the fleet. Only for a release signed as a security release.',
        ]
      : []),
  ]
}

/** `mon-fri 22:00-04:00 and sat,sun 00:00-24:00, time of Europe/Berlin`. */
export function describeWindows({ spans, timeZone, fallbackTimeZone }: Windows): string {
  const zone =
    timeZone === 'device'
      ? `in the time zone of each device (tag time-zone, else ${fallbackTimeZone})`
      : `time of ${timeZone}`
  return `${spans.map(formatSpanOfDays).join(' and ')}, ${zone}`
}

function formatSpanOfDays({ days, from, to }: WindowSpan): string {
  return `${formatDays(days)} ${from}-${to === '00:00' ? '24:00' : to}`
}

/** Writes runs of three or more days as a range. */
function formatDays(days: readonly Weekday[]): string {
  if (days.length === weekdays.length) return 'every day'
  const parts: string[] = []
  for (let at = 0; at < weekdays.length;) {
    if (!days.includes(weekdays[at]!)) {
      at++
      continue
    }
    let end = at
    while (end + 1 < weekdays.length && days.includes(weekdays[end + 1]!)) end++
    if (end - at >= 2) parts.push(`${weekdays[at]!}-${weekdays[end]!}`)
    else for (const day of weekdays.slice(at, end + 1)) parts.push(day)
    at = end + 1
  }
  return parts.join(',')
}

function formatCount(count: number, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`
}
