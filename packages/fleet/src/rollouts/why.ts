/**
 * Why a device gets what it gets, for every state a device can be in: a stable code, its facts, and
 * one sentence that tells them.
 */
import { invariant } from '@seaworthy/std/refusal'
import type { Obstacle } from '../devices/assignment.ts'
import { isRunnable, obstacleOf } from '../devices/assignment.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { isSameRelease, newestRelease, reachedCounter } from '../releases/order.ts'
import type { Denial } from './admission.ts'
import { admitIdle, retryMs } from './admission.ts'
import { waveOf } from './waves.ts'
import type { FleetAnswer } from './decision.ts'
import { chooseNext, findRelease } from './decision.ts'
import type { Hearing } from './hearing.ts'
import { isSilent, silenceOf } from './hearing.ts'
import type { Values } from './outlook.ts'
import { nextWave, wavesOpenAt } from './outlook.ts'
import { nextPeriodAt, perMinuteNow, rateOpensMs } from './pace.ts'
import { percentOf, placeOf } from './place.ts'
import type { LastAttempt, Reason, RunningNames, WaveNumber, WhyCode } from './reasons.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { isOver, rolloutTime, updateIn } from './rollout.ts'
import { newFailuresCount, sumWaves } from './wave-counts.ts'
import { sayReason } from './sentences.ts'
import type { Situation } from './situation.ts'
import type { LostUpdate } from './update-states.ts'
import { hasEnded, isUnderWay, isWaitingForRestart } from './update-states.ts'
import { windowAt } from './windows.ts'
import { formatSeconds, formatWhen } from './words.ts'
import type { Zones } from './zones.ts'

export interface Why {
  /** Stable. */
  readonly code: WhyCode
  /** The facts that the sentence tells, and when the device was heard where that matters. */
  readonly values: Values
  /** One sentence with the facts; it begins with a small letter and has no full stop. */
  readonly sentence: string
  readonly rolloutId: string | null
  /** Index of the wave that takes the device in. */
  readonly wave: number | null
  /**
   * The share of the fleet, above 0 up to 100, from which a wave by percentage takes the device in.
   */
  readonly placePercent: number | null
  /**
   * The instant before which the answer does not change by itself; `null` where that is not known.
   */
  readonly earliestAt: Date | null
}

/** When the device was heard from last, and when anybody was. */
export interface Heard {
  /** `null`: never, since it was registered at `registeredAt`. */
  readonly at: Date | null
  readonly registeredAt: Date
  /** Whether it asks as often as its fleet is told to: some protocols leave that to the device. */
  readonly asksAsFleet: boolean
  readonly hearing: Hearing
}

interface Asked {
  readonly facts: CheckInFacts
  readonly rollout: Rollout
  /** The device's update in the rollout. */
  readonly update: Update | null
  readonly now: Date
  readonly zones: Zones
}

/** A reason, and the instant at which it ends by itself, where that is known. */
interface Found {
  readonly reason: Reason
  readonly endsAt?: Date | null
}

/**
 * Explains the answer to a device, over everything that could decide it, in the order of decision.
 * `timeZone` is an IANA name that exists, for times in the sentence.
 */
export function explain(
  facts: CheckInFacts,
  situation: Situation,
  timeZone: string,
  heard: Heard | null = null,
): Why {
  const { fleet, rollouts, now } = situation
  const choice = chooseNext(facts, situation)
  if (choice.kind === 'offer') {
    return explainRollout(facts, choice.from, situation, timeZone, heard)
  }
  const when = (at: Date) => formatWhen(at, now, timeZone)
  const ofNoWave = { wave: null, placePercent: null, earliestAt: null }
  if (choice.rolloutId !== null) {
    const { rolloutId } = choice
    const decider = rollouts.find(({ rollout }) => rollout.id === rolloutId)?.rollout
    invariant(decider !== undefined, 'a rollout that decides is one of the situation')
    if (choice.reason === 'not_newer' && runsNewest(facts, situation)) {
      const reason = { code: 'up_to_date', ...runningOf(facts, situation.releases) } as const
      return { ...tell(reason, when), rolloutId: null, ...ofNoWave }
    }
    if (choice.reason !== 'baseline_left') {
      return explainRollout(facts, decider, situation, timeZone, heard)
    }
    const { version } = decider
    const left = { code: choice.reason, version, baselineVersion: choice.baselineVersion } as const
    return { ...tell(left, when), rolloutId, ...ofNoWave }
  }
  const reason = reasonOfFleet(choice, facts, situation)
  const hearing = choice.release === null ? null : tellHeard(fleet, heard)
  return { ...tell(reason, when, hearing), rolloutId: null, ...ofNoWave }
}

/** What a rollout to an older release says matters to nobody whose device runs the newest. */
function runsNewest(facts: CheckInFacts, { fleet, releases }: Situation): boolean {
  const { running } = facts
  if (running === null) return false
  const newest = newestRelease(releases.filter((one) => isRunnable(one, facts, fleet)))
  return newest !== undefined && isSameRelease(newest, running)
}

/** Explains one rollout only, which may have ended. */
export function explainRollout(
  facts: CheckInFacts,
  rollout: Rollout,
  { fleet, releases, now, zones }: Omit<Situation, 'rollouts'>,
  timeZone: string,
  heard: Heard | null = null,
): Why {
  const update = updateIn(rollout, facts)
  const asked: Asked = { facts, rollout, update, now, zones }
  const when = (at: Date) => formatWhen(at, now, timeZone)
  const { reason, endsAt = null } = reasonOfRollout(asked, fleet, releases)
  const earliestAt = endsAt && inWindow(asked, endsAt)
  const opensAt = earliestAt?.getTime() === endsAt?.getTime() ? null : earliestAt
  const hearing = isWaiting(reason.code) ? tellSilence(asked, fleet, heard) : null
  const byPercent = rollout.policy.waves.some(({ members }) => members.kind === 'percent')
  const change = isWaiting(reason.code) ? rollout.policyChanges.at(-1) : undefined
  const told = tell(reason, when, hearing, opensAt)
  return {
    ...told,
    ...(change !== undefined && {
      values: { ...told.values, policyChangedAt: change.at },
      sentence: `${told.sentence}; somebody changed its policy at ${when(change.at)}`,
    }),
    rolloutId: rollout.id,
    wave: update?.wave ?? waveOf(rollout, facts),
    placePercent: byPercent ? placePercentOf(asked) : null,
    earliestAt,
  }
}

/** A reason in all its forms, with when its device was heard and when a window opens after it. */
function tell(
  reason: Reason,
  when: (at: Date) => string,
  hearing: Hearsay | null = null,
  windowOpensAt: Date | null = null,
): Pick<Why, 'code' | 'values' | 'sentence'> {
  const { code, ...values } = reason
  const opens = windowOpensAt === null ? '' : `; its window opens at ${when(windowOpensAt)}`
  const heard = hearing === null ? '' : sayHearsay(hearing, when)
  return {
    code,
    values: { ...values, ...(windowOpensAt && { windowOpensAt }), ...hearing },
    sentence: `${sayReason(reason, when)}${opens}${heard}`,
  }
}

/** What is known of a device that has yet to ask for its release. */
type Hearsay =
  | {
      readonly heardAt: Date | null
      /** `null`: as often as it likes. */
      readonly asksEverySeconds: number | null
    }
  | {
      /** When it was heard or registered. */
      readonly silentSince: Date
      readonly silentAfterSeconds: number
    }

function tellSilence(
  { rollout, now }: Asked,
  fleet: FleetPolicy,
  heard: Heard | null,
): Hearsay | null {
  if (heard === null) return null
  const at = heard.at ?? heard.registeredAt
  const silence = silenceOf(rollout.policy, fleet, heard.hearing, now)
  if (silence.afterMs === null || !isSilent(silence, at, now)) return tellHeard(fleet, heard)
  return { silentSince: at, silentAfterSeconds: silence.afterMs / 1000 }
}

function tellHeard({ pollSeconds }: FleetPolicy, heard: Heard | null): Hearsay | null {
  return heard && { heardAt: heard.at, asksEverySeconds: heard.asksAsFleet ? pollSeconds : null }
}

/** An offer waits for the device to ask: `; last heard 17:13 UTC, asks every 1 h`. */
function sayHearsay(hearing: Hearsay, when: (at: Date) => string): string {
  if ('silentSince' in hearing) {
    return `; it has not been heard from since ${when(hearing.silentSince)}, longer than ${formatSeconds(hearing.silentAfterSeconds)}, and a share of ended updates does not wait for it`
  }
  const { heardAt, asksEverySeconds } = hearing
  const last = heardAt === null ? 'never heard yet' : `last heard ${when(heardAt)}`
  return `; ${last}${asksEverySeconds === null ? '' : `, asks every ${formatSeconds(asksEverySeconds)}`}`
}

/** Whether it is still to be offered the release. */
function isWaiting(code: WhyCode): boolean {
  const waiting: readonly WhyCode[] = [
    'due',
    'wave_not_open',
    'not_started',
    'paused',
    'window_closed',
    'in_flight_max',
    'period_max',
    'rate',
    'safe_mode',
    'cancel_pending',
    'restart_not_allowed',
  ]
  return waiting.includes(code)
}

function reasonOfRollout(
  asked: Asked,
  fleet: FleetPolicy,
  releases: readonly ReleaseFacts[],
): Found {
  const { facts, rollout, update, now, zones } = asked
  const { version, product, channel } = rollout
  if (update !== null && isUnderWay(update)) {
    const { state, attempt, deadlineAt } = update
    const of = { version, ...waveIn(rollout, update.wave), deadlineAt, attempt }
    const attemptsMax = Math.max(attempt, rollout.policy.attempts.max)
    const since = state === 'offered' ? update.offeredAt : update.changedAt
    const isReady = state === 'installing' && isWaitingForRestart(update)
    return { reason: { code: state, ...of, attemptsMax, since, isReady } }
  }
  const ended = update !== null && hasEnded(update) ? update : null
  if (ended?.state === 'committed') {
    const wave = waveIn(rollout, ended.wave)
    return { reason: { code: 'committed', version, ...wave, since: ended.changedAt } }
  }
  const obstacle = obstacleOf(facts, fleet)
  if (obstacle !== null) return { reason: reasonOfObstacle(obstacle, facts, fleet) }
  const admission = admitIdle(rollout, facts, ended, now, zones)
  const isThere =
    admission.kind === 'refused' && ['already_running', 'not_newer'].includes(admission.reason)
  if (!isOver(rollout) && !isThere) {
    const release = findRelease(rollout, releases)
    if (release === null) {
      const of = { version, product, channel, isBaseline: false }
      return { reason: { code: 'release_withdrawn', ...of } }
    }
    if (!isRunnable(release, facts, fleet)) {
      return { reason: { code: 'no_release_for_platform', version, ...machineOf(facts) } }
    }
  }
  if (admission.kind === 'refused') return reasonOfDenial(asked, admission)
  return { reason: { code: 'due', version, ...waveIn(rollout, admission.wave) } }
}

function reasonOfDenial(asked: Asked, denial: Denial): Found {
  const { facts, rollout, now, zones } = asked
  const { policy, version, startAt, stopCode, stopReason, stopValues } = rollout
  const at = rolloutTime(rollout, now)
  const attemptsMax = policy.attempts.max
  const { reason: code } = denial
  switch (code) {
    case 'already_running':
    case 'finished':
    case 'cancel_pending':
    case 'restart_not_allowed':
    case 'not_asked':
      return { reason: { code, version } }
    case 'not_newer': {
      const last =
        denial.last === null
          ? ({ lastState: null, lastCode: null, lastEndedAt: null } as const)
          : lastAttempt(denial.last)
      const reached = Math.max(reachedCounter(facts), facts.floor)
      const { counter } = rollout
      return { reason: { code, version, counter, reachedCounter: reached, ...last } }
    }
    case 'aborted':
    case 'paused':
      return { reason: { code, version, stopCode, stopReason, ...stopValues } }
    case 'not_taking_part':
      return { reason: { code, version, ...whyNoPart(asked) } }
    case 'attempts_used_up':
      return { reason: { code, version, attemptsMax, ...lastAttempt(denial.last) } }
    case 'not_started':
      return { reason: { code, version, startAt }, endsAt: startAt }
    case 'retry_wait': {
      const { last } = denial
      const retryAt = new Date(retryMs(rollout, last))
      const attempt = last.attempt + 1
      const of = { attempt, attemptsMax, retryAt, ...lastAttempt(last) }
      return { reason: { code, ...of }, endsAt: retryAt }
    }
    case 'wave_not_open': {
      const opensAt = wavesOpenAt(rollout, denial.wave, now)
      const isNext = denial.wave === rollout.wavesOpenCount
      const turnAt = isNext ? null : opensAt && inWindow(asked, opensAt)
      const of = { ...nextWave(rollout, now), ...waveIn(rollout, denial.wave), turnAt }
      return { reason: { code, ...of }, endsAt: isNext ? opensAt : turnAt }
    }
    case 'safe_mode':
      return { reason: { code, failedCount: newFailuresCount(rollout) } }
    case 'window_closed': {
      const { timeZone, changesAt } = windowAt(denial.windows, facts.tags, at, zones)
      return { reason: { code, timeZone, opensAt: changesAt }, endsAt: changesAt }
    }
    case 'in_flight_max': {
      const inFlightCount = sumWaves(rollout, 'inFlightCount')
      return { reason: { code, inFlightCount, inFlightMax: denial.inFlightMax } }
    }
    case 'period_max': {
      const { updatesMax, seconds: periodSeconds } = denial.perPeriod
      const endsAt = nextPeriodAt(rollout, periodSeconds, at)
      return { reason: { code, updatesMax, periodSeconds, nextPeriodAt: endsAt }, endsAt }
    }
    case 'rate': {
      const opensAt = new Date(Math.ceil(rateOpensMs(rollout)))
      const perMinute = perMinuteNow(rollout, denial.rate)
      return { reason: { code, perMinute, opensAt }, endsAt: opensAt }
    }
  }
}

function whyNoPart(asked: Asked) {
  const { facts, rollout, update } = asked
  if (rollout.fromSha256 !== null && facts.running?.sha256 !== rollout.fromSha256) {
    return { because: 'runs_another_release' } as const
  }
  if (update !== null) return { because: 'left', ...waveIn(rollout, update.wave) } as const
  const percents = rollout.policy.waves.flatMap(({ members }) =>
    members.kind === 'percent' ? [members.percent] : [],
  )
  const lastPercent = percents.at(-1)
  if (lastPercent === undefined) return { because: 'no_wave' } as const
  return { because: 'place', placePercent: placePercentOf(asked), lastPercent } as const
}

function reasonOfFleet(
  answer: FleetAnswer,
  facts: CheckInFacts,
  { fleet, releases }: Situation,
): Reason {
  const { product, channel } = fleet
  switch (answer.reason) {
    case 'newest':
    case 'pinned':
    case 'baseline':
      return { code: answer.reason, version: answer.release.version, product, channel }
    case 'up_to_date':
      return { code: answer.reason, ...runningOf(facts, releases) }
    case 'not_newer':
      return { code: answer.reason, ...runningOf(facts, releases) }
    case 'no_release_for_platform':
      return { code: answer.reason, product, channel, ...machineOf(facts) }
    case 'pinned_version_not_published':
      return { code: answer.reason, version: answer.version, product, channel }
    case 'rolled_back_before':
      return { code: answer.reason, lastCode: facts.activity.code }
    case 'no_rollout':
      return { code: answer.reason, fleet: fleet.name }
    case 'release_withdrawn':
      return { code: answer.reason, version: answer.version, product, channel, isBaseline: true }
    case 'updates_disabled':
    case 'other_product':
      return reasonOfObstacle(answer.reason, facts, fleet)
  }
}

function reasonOfObstacle(code: Obstacle, { running }: CheckInFacts, fleet: FleetPolicy): Reason {
  const { name, product } = fleet
  return code === 'updates_disabled'
    ? { code, fleet: name }
    : { code, fleet: name, product, runningProduct: running?.product ?? 'nothing' }
}

/** The instant, or the window's next opening if it is closed then. */
function inWindow({ rollout, facts, zones }: Asked, at: Date): Date | null {
  const { windows } = rollout.policy
  if (windows === null) return at
  const state = windowAt(windows, facts.tags, rolloutTime(rollout, at), zones)
  return state.isOpen ? at : state.changesAt
}

function placePercentOf({ rollout, facts }: Asked): number {
  return percentOf(placeOf(rollout.id, facts.deviceId))
}

function waveIn(rollout: Rollout, index: number): WaveNumber {
  return { wave: index + 1, wavesCount: rollout.waves.length }
}

function lastAttempt({ state, code, endedAt }: LostUpdate): LastAttempt {
  return { lastState: state, lastCode: code, lastEndedAt: endedAt }
}

function runningOf(
  { running, committedCounter }: CheckInFacts,
  releases: readonly ReleaseFacts[],
): RunningNames {
  if (running === null) return { runningVersion: null, runningCounter: committedCounter }
  const known = releases.find((release) => isSameRelease(release, running))
  return { runningVersion: known?.version ?? null, runningCounter: running.counter }
}

function machineOf({ platform, hardware }: CheckInFacts) {
  return { platform, hardware }
}
