/** One sentence for each reason, made of its facts alone. */
import { unreachable } from '@seaworthy/std/refusal'
import { sayOutlook, sayStop, sayWave } from './outlook.ts'
import type { Channel, LastAttempt, MachineNames, Reason, RunningNames } from './reasons.ts'
import { formatDevices, formatPercent, formatSeconds } from './words.ts'

/** The sentence begins with a small letter and has no full stop. */
export function sayReason(reason: Reason, when: (at: Date) => string): string {
  switch (reason.code) {
    case 'offered':
      return `under way: it was offered ${reason.version} at ${when(reason.since)} and has not begun ${sayProgress(reason, when)}`
    case 'downloading':
      return `under way: it downloads ${reason.version} since ${when(reason.since)} ${sayProgress(reason, when)}`
    case 'installing':
      return reason.isReady
        ? `under way: it has made ${reason.version} ready and waits for permission to restart since ${when(reason.since)} (${sayAttempt(reason)})`
        : `under way: it installs ${reason.version} since ${when(reason.since)} ${sayProgress(reason, when)}`
    case 'restarting':
      return `under way: it restarts into ${reason.version} since ${when(reason.since)} ${sayProgress(reason, when)}`
    case 'watching':
      return `under way: it runs ${reason.version} since ${when(reason.since)} and watches its health ${sayProgress(reason, when)}`
    case 'committed':
      return `healthy: it runs ${reason.version} since ${when(reason.since)} (${sayWave(reason)})`
    case 'updates_disabled':
      return `nothing: updates of the fleet ${reason.fleet} are switched off`
    case 'other_product':
      return `nothing: it runs ${reason.runningProduct}, and the fleet ${reason.fleet} is of ${reason.product}`
    case 'newest':
      return `due: it is offered ${reason.version}, the newest release of ${sayChannel(reason)}, at its next check-in`
    case 'pinned':
      return `due: it is offered ${reason.version}, which the fleet is held at, at its next check-in`
    case 'baseline':
      return `due: no rollout serves it now, so it is offered ${reason.version}, the baseline of the fleet, at its next check-in`
    case 'up_to_date':
      return `up to date: it runs ${sayRunning(reason)}`
    case 'pinned_version_not_published':
      return `nothing: the fleet is held at ${reason.version}, which is not published on ${sayChannel(reason)}`
    case 'rolled_back_before':
      return `nothing: it has rolled back from what the fleet offers (${reason.lastCode ?? 'no code given'}) and is not offered that again`
    case 'no_rollout':
      return `nothing: the fleet ${reason.fleet} follows rollouts, and there is none and no baseline`
    case 'baseline_left':
      return `nothing: the fleet is going back from its baseline ${reason.baselineVersion} to ${reason.version}`
    case 'no_release_for_platform':
      return 'version' in reason
        ? `nothing: release ${reason.version} is not for ${sayMachine(reason)}`
        : `nothing: ${sayChannel(reason)} has no release for ${sayMachine(reason)}`
    case 'release_withdrawn':
      return reason.isBaseline
        ? `nothing: the fleet's baseline ${reason.version} is not in the signed metadata of ${sayChannel(reason)}`
        : `nothing: release ${reason.version} of the rollout is not in the signed metadata of ${sayChannel(reason)}`
    case 'not_newer':
      return 'version' in reason
        ? `nothing: it has reached counter ${reason.reachedCounter}, and ${reason.version} has ${reason.counter}${sayVerdict(reason)}`
        : `nothing: it has reached ${sayRunning(reason)}, and what the fleet offers is not newer`
    case 'due':
      return `due: ${sayWave(reason)} is open and takes it in; it is offered ${reason.version} at its next check-in`
    case 'already_running':
      return `up to date: it runs ${reason.version} already`
    case 'aborted':
      return `nothing: the rollout of ${reason.version} was aborted (${sayStop(reason)})`
    case 'finished':
      return `nothing: the rollout of ${reason.version} has finished without it`
    case 'not_taking_part':
      return `nothing: ${sayWhyNoPart(reason)}`
    case 'attempts_used_up': {
      const { attemptsMax, lastEndedAt } = reason
      const used = attemptsMax === 1 ? 'only attempt' : `${attemptsMax} attempts`
      const at = lastEndedAt === null ? '' : ` at ${when(lastEndedAt)}`
      return `nothing further: it has used up its ${used} at ${reason.version}; the last ${sayEnd(reason)}${at}`
    }
    case 'paused':
      return `not yet: the rollout of ${reason.version} is paused (${sayStop(reason)})`
    case 'not_started':
      return `not yet: the rollout of ${reason.version} starts at ${when(reason.startAt)}`
    case 'retry_wait':
      return `not yet: attempt ${reason.attempt} of ${reason.attemptsMax} may follow from ${when(reason.retryAt)} on; the last ${sayEnd(reason)}`
    case 'wave_not_open': {
      const clause = sayOutlook(reason, when)
      if (reason.wave === reason.nextWave) return `not yet: ${clause}`
      const turn =
        reason.turnAt === null
          ? ''
          : `; it is the device's turn at ${when(reason.turnAt)} at the earliest`
      return `not yet: it belongs to ${sayWave(reason)}; first ${clause}${turn}`
    }
    case 'safe_mode':
      return reason.failedCount > 0
        ? `not yet: in safe mode the first failure stops, and ${formatDevices(reason.failedCount)} failed`
        : `not yet: in safe mode one device goes first, and it is not healthy yet`
    case 'window_closed': {
      const { opensAt } = reason
      const opens =
        opensAt === null ? 'does not open within two weeks' : `opens at ${when(opensAt)}`
      return `not yet: the window in ${reason.timeZone} is closed and ${opens}`
    }
    case 'in_flight_max':
      return `not yet: ${reason.inFlightCount} of at most ${reason.inFlightMax} updates are under way`
    case 'period_max':
      return `not yet: all ${reason.updatesMax} updates of this ${formatSeconds(reason.periodSeconds)} were offered, and the next begins at ${when(reason.nextPeriodAt)}`
    case 'rate':
      return `not yet: at ${Math.round(reason.perMinute * 100) / 100} updates a minute the next may be offered at ${when(reason.opensAt)}`
    case 'cancel_pending':
      return `not yet: its client has another release in hand, and ${reason.version} can be shown to it only when it has said that it stopped, or when its time to say so is over`
    case 'restart_not_allowed':
      return `not yet: the rule of the fleet for restarts does not let it restart now, and its client would restart into ${reason.version} by itself`
    case 'not_asked':
      return `due: it is offered ${reason.version} when it next asks for one`
    default:
      return unreachable(reason)
  }
}

type UnderWay = Reason<'offered'>

function sayProgress(reason: Omit<UnderWay, 'code'>, when: (at: Date) => string): string {
  return `(${sayAttempt(reason)}); its time is up at ${when(reason.deadlineAt)}`
}

function sayAttempt(reason: Omit<UnderWay, 'code'>): string {
  return `attempt ${reason.attempt} of ${reason.attemptsMax}, ${sayWave(reason)}`
}

function sayChannel({ product, channel }: Channel): string {
  return `${product}/${channel}`
}

function sayMachine({ platform, hardware }: MachineNames): string {
  return hardware === null ? platform : `${platform} on ${hardware}`
}

/** `1.3.0`, or the counter where the release is not listed. */
function sayRunning({ runningVersion, runningCounter }: RunningNames): string {
  if (runningVersion !== null) return runningVersion
  return runningCounter === 0 ? 'no release' : `the release with counter ${runningCounter}`
}

function sayWhyNoPart(reason: Reason<'not_taking_part'>): string {
  const { version } = reason
  switch (reason.because) {
    case 'runs_another_release':
      return `only devices take part that run the release which ${version} goes back from, and this one does not`
    case 'left':
      return `it left ${sayWave(reason)}, and another device has taken its place there`
    case 'no_wave':
      return `no wave of the rollout of ${version} takes it in`
    case 'place':
      return `its place is at ${formatPercent(reason.placePercent)}, and the waves of the rollout of ${version} reach ${formatPercent(reason.lastPercent)}`
    default:
      return unreachable(reason)
  }
}

/** How a rollout counts a device that has gone beyond its release. */
function sayVerdict(last: LastAttempt | { readonly lastState: null }): string {
  if (last.lastState === null) return ''
  return last.lastState === 'superseded'
    ? '; that is no verdict on this release, so the rollout counts it neither as healthy nor as failed'
    : `; that does not undo that its last attempt ${sayEnd(last)}`
}

function sayEnd({ lastState, lastCode }: LastAttempt): string {
  const code = lastCode === null ? '' : ` (${lastCode})`
  switch (lastState) {
    case 'rolled_back':
      return `rolled back${code}`
    case 'timed_out':
      return 'timed out'
    case 'superseded':
      return `was superseded${code}`
    case 'failed':
      return `failed${code}`
    default:
      return unreachable(lastState)
  }
}
