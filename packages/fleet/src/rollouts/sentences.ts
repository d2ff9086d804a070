/**
 * One sentence for each state of an update, and for each reason for which a rollout is not offered.
 */
import { unreachable } from '@seaworthy/std/refusal'
import { reachedCounter } from '../releases/order.ts'
import type { AdmissionReason } from './admission.ts'
import { retryMs, waveOf } from './admission.ts'
import { nameWave, nextWave, stopWords, wavesOpenAt } from './next-wave.ts'
import { nextPeriodAt, perMinuteNow, rateOpensMs } from './pace.ts'
import { percentOf, placeOf } from './place.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { newFailuresCount, rolloutTime, sumWaves } from './rollout-time.ts'
import { counterOf, isWaitingForRestart } from './update-states.ts'
import { windowAt } from './windows.ts'
import { formatDevices, formatPercent, formatSpan, formatWhen } from './words.ts'
import type { Zones } from './zones.ts'

export interface Asked {
  readonly facts: CheckInFacts
  readonly rollout: Rollout
  /** The device's update in the rollout. */
  readonly update: Update | null
  readonly now: Date
  readonly zones: Zones
  readonly timeZone: string
}

/** The sentence for an update under way or committed. */
export function sayUpdate({ rollout, now, timeZone }: Asked, update: Update): string {
  const { version } = rollout
  const when = (at: Date) => formatWhen(at, now, timeZone)
  const attempt = `attempt ${update.attempt} of ${Math.max(update.attempt, rollout.policy.attempts.max)}, ${nameWave(rollout, update.wave)}`
  const since = `since ${when(update.changedAt)}`
  const until = `its time is up at ${when(update.deadlineAt)}`
  switch (update.state) {
    case 'offered':
      return `under way: it was offered ${version} at ${when(update.offeredAt)} and has not begun (${attempt}); ${until}`
    case 'downloading':
      return `under way: it downloads ${version} ${since} (${attempt}); ${until}`
    case 'installing':
      if (isWaitingForRestart(update)) {
        return `under way: it has made ${version} ready and waits for leave to restart ${since} (${attempt})`
      }
      return `under way: it installs ${version} ${since} (${attempt}); ${until}`
    case 'restarting':
      return `under way: it restarts into ${version} ${since} (${attempt}); ${until}`
    case 'watching':
      return `under way: it runs ${version} ${since} and watches its health (${attempt}); ${until}`
    case 'committed':
      return `healthy: it runs ${version} ${since} (${nameWave(rollout, update.wave)})`
    case 'rolled_back':
    case 'failed':
    case 'timed_out':
    case 'superseded':
      return `${endWords(update)} at ${when(update.endedAt ?? update.changedAt)} (${attempt})`
    default:
      return unreachable(update.state)
  }
}

/** Why the rollout is not offered to the device. */
export function sayAdmission(
  asked: Asked,
  reason: AdmissionReason,
): { sentence: string; earliestAt: Date | null } {
  const { facts, rollout, update, now, zones, timeZone } = asked
  const { policy, version } = rollout
  const when = (at: Date) => formatWhen(at, now, timeZone)
  const at = rolloutTime(rollout, now)
  const wave = update?.wave ?? waveOf(rollout, facts)
  const say = (sentence: string, earliestAt: Date | null = null) =>
    sayFrom(asked, sentence, earliestAt)
  switch (reason) {
    case 'already_running':
      return say(`up to date: it runs ${version} already`)
    case 'not_newer':
      return say(
        `nothing: it has reached counter ${Math.max(reachedCounter(facts), facts.floor)}, and ${version} has ${rollout.counter}${sayWithoutVerdict(update)}`,
      )
    case 'under_way':
      return say('under way')
    case 'aborted':
      return say(`nothing: the rollout of ${version} was aborted (${stopWords(rollout)})`)
    case 'finished':
      return say(`nothing: the rollout of ${version} has finished without it`)
    case 'not_taking_part':
      return say(sayNotTakingPart(asked))
    case 'attempts_used_up':
      return say(
        `nothing further: it has used up its ${policy.attempts.max === 1 ? 'only attempt' : `${policy.attempts.max} attempts`} at ${version}; the last ${endWords(update)}${update?.endedAt ? ` at ${when(update.endedAt)}` : ''}`,
      )
    case 'paused':
      return say(`not yet: the rollout of ${version} is paused (${stopWords(rollout)})`)
    case 'not_started':
      return say(
        `not yet: the rollout of ${version} starts at ${when(rollout.startAt)}`,
        rollout.startAt,
      )
    case 'retry_wait': {
      const retryAt = new Date(retryMs(rollout, update ?? { endedAt: null }))
      return say(
        `not yet: attempt ${(update?.attempt ?? 0) + 1} of ${policy.attempts.max} may follow from ${when(retryAt)} on; the last ${endWords(update)}`,
        retryAt,
      )
    }
    case 'wave_not_open':
      return sayWaveNotOpen(asked, wave ?? 0)
    case 'safe_mode': {
      const failed = newFailuresCount(rollout)
      return say(
        failed > 0
          ? `not yet: in safe mode the first failure stops, and ${formatDevices(failed)} failed`
          : `not yet: in safe mode one device goes first, and it is not healthy yet`,
      )
    }
    case 'window_closed': {
      if (policy.windows === null) return say('not yet: the window is closed')
      const state = windowAt(policy.windows, facts.tags, at, zones)
      return state.changesAt === null
        ? say(
            `not yet: the window in ${state.timeZone} is closed and does not open within two weeks`,
          )
        : say(
            `not yet: the window in ${state.timeZone} is closed and opens at ${when(state.changesAt)}`,
            state.changesAt,
          )
    }
    case 'in_flight_max':
      return say(
        `not yet: ${sumWaves(rollout, 'inFlightCount')} of at most ${policy.inFlightMax} updates are under way`,
      )
    case 'period_max': {
      const nextAt = nextPeriodAt(rollout, at)
      return say(
        `not yet: all ${policy.perPeriod?.updatesMax} updates of this ${formatSpan(policy.perPeriod?.seconds ?? 0)} were offered${nextAt === null ? '' : `, and the next begins at ${when(nextAt)}`}`,
        nextAt,
      )
    }
    case 'rate': {
      const opensAt = new Date(Math.ceil(rateOpensMs(rollout)))
      const perMinute = policy.rate === null ? 0 : perMinuteNow(rollout, policy.rate)
      return say(
        `not yet: at ${Math.round(perMinute * 100) / 100} updates a minute the next may be offered at ${when(opensAt)}`,
        opensAt,
      )
    }
    case 'cancel_pending':
      return say(
        `not yet: its client has another release in hand, and ${version} can be shown to it only when it has said that it stopped, or when its time to say so is over`,
      )
    case 'restart_not_allowed':
      return say(
        `not yet: the rule of the fleet for restarts does not let it restart now, and its client would restart into ${version} by itself`,
      )
    case 'not_asked':
      return say(`due: it is offered ${version} when it next asks for one`)
    default:
      return unreachable(reason)
  }
}

/**
 * The sentence and the earliest instant; where the window opens only after `at`, the sentence says
 * when.
 */
function sayFrom(
  asked: Asked,
  sentence: string,
  at: Date | null,
): { sentence: string; earliestAt: Date | null } {
  const earliestAt = at && inWindow(asked, at)
  if (earliestAt === null || earliestAt.getTime() === at?.getTime()) return { sentence, earliestAt }
  const when = formatWhen(earliestAt, asked.now, asked.timeZone)
  return { sentence: `${sentence}; its window opens at ${when}`, earliestAt }
}

function sayWaveNotOpen(asked: Asked, wave: number): { sentence: string; earliestAt: Date | null } {
  const { rollout, now, timeZone } = asked
  const { clause } = nextWave(rollout, now, timeZone)
  const opensAt = wavesOpenAt(rollout, wave, now)
  if (wave === rollout.wavesOpenCount) return sayFrom(asked, `not yet: ${clause}`, opensAt)
  const earliestAt = opensAt && inWindow(asked, opensAt)
  const after =
    earliestAt === null
      ? ''
      : `; it is the device's turn at ${formatWhen(earliestAt, now, timeZone)} at the earliest`
  return {
    sentence: `not yet: it belongs to ${nameWave(rollout, wave)}; first ${clause}${after}`,
    earliestAt,
  }
}

function sayNotTakingPart({ facts, rollout, update }: Asked): string {
  if (rollout.fromSha256 !== null && facts.running?.sha256 !== rollout.fromSha256) {
    return `nothing: only devices take part that run the release which ${rollout.version} goes back from, and this one does not`
  }
  if (update !== null) {
    return `nothing: it left ${nameWave(rollout, update.wave)}, and another device has taken its place there`
  }
  const percents = rollout.policy.waves.flatMap(({ members }) =>
    members.kind === 'percent' ? [members.percent] : [],
  )
  const last = percents.at(-1)
  if (last === undefined) return `nothing: no wave of the rollout of ${rollout.version} takes it in`
  const place = formatPercent(percentOf(placeOf(rollout.id, facts.deviceId)))
  return `nothing: its place is at ${place}, and the waves of the rollout of ${rollout.version} reach ${formatPercent(last)}`
}

/** The instant, or the window's next opening if it is closed then. */
function inWindow({ rollout, facts, zones }: Asked, at: Date): Date | null {
  const { windows } = rollout.policy
  if (windows === null) return at
  const state = windowAt(windows, facts.tags, rolloutTime(rollout, at), zones)
  return state.isOpen ? at : state.changesAt
}

/** How a rollout counts a device that has gone beyond its release. */
function sayWithoutVerdict(update: Update | null): string {
  if (update === null) return ''
  return counterOf(update.state) === 'failedCount'
    ? `; that does not undo that its last attempt ${endWords(update)}`
    : '; that is no verdict on this release, so the rollout counts it neither as healthy nor as failed'
}

function endWords(update: Update | null): string {
  if (update === null) return 'ended'
  const code = update.code === null ? '' : ` (${update.code})`
  switch (update.state) {
    case 'rolled_back':
      return `rolled back${code}`
    case 'timed_out':
      return 'timed out'
    case 'superseded':
      return `was superseded${code}`
    case 'failed':
      return `failed${code}`
    case 'offered':
    case 'downloading':
    case 'installing':
    case 'restarting':
    case 'watching':
    case 'committed':
      return update.state
    default:
      return unreachable(update.state)
  }
}
