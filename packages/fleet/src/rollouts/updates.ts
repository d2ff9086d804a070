/** One device's update in one rollout: a state machine driven by what the device reports. */
import { invariant } from '@seaworthy/std/refusal'
import { isNewer, isSameRelease, standingOf } from '../releases/order.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { rolloutTime } from './rollout.ts'
import type { UpdateEnd } from './update-ends.ts'
import { isToldFailure } from './update-ends.ts'
import {
  canBeSuperseded,
  counterOf,
  isUnderWay,
  isWaitingForRestart,
  isWork,
  updateTransitions,
} from './update-states.ts'

/** Whether the device runs the rollout's release and is done with it. */
export function hasReached(rollout: Rollout, facts: CheckInFacts): boolean {
  const { running } = facts
  return (
    running !== null &&
    running.product === rollout.product &&
    isSameRelease(running, rollout) &&
    (!isNewer(rollout, { counter: facts.committedCounter }) || !isBusy(rollout, facts))
  )
}

/**
 * Whether the device has gone beyond the rollout's release, which says nothing about that release.
 */
function hasPassed(
  rollout: Pick<Rollout, 'product' | 'counter'>,
  facts: Pick<Progress, 'committedCounter' | 'running' | 'activity'>,
): boolean {
  if (isNewer({ counter: facts.committedCounter }, rollout)) return true
  const { running } = facts
  return (
    running !== null &&
    running.product === rollout.product &&
    isNewer(running, rollout) &&
    !isWork(facts.activity.state)
  )
}

type Progress = Pick<CheckInFacts, 'committedCounter' | 'floor' | 'running'> & {
  readonly activity: Pick<CheckInFacts['activity'], 'state'>
}

/** Whether the device would refuse the rollout's release as not newer, whatever comes. */
export function isOutOfReach(
  rollout: Pick<Rollout, 'product' | 'counter' | 'sha256'>,
  facts: Progress,
): boolean {
  const { running } = facts
  // A device at work on a newer release may yet fall back to what it has committed.
  const mayFallBack = running !== null && isNewer(running, rollout) && isWork(facts.activity.state)
  const settled = mayFallBack ? { ...facts, running: null } : facts
  return hasPassed(rollout, facts) || standingOf(rollout, settled) === 'not_newer'
}

/**
 * What the update has become by this report; `null` when nothing has changed. While the device says
 * that it waits for permission to restart, its time does not run out. A failure is of an earlier
 * attempt unless the device has signed it after the report on which the update was offered.
 */
export function advanceUpdate(
  update: Update,
  rollout: Rollout,
  facts: CheckInFacts,
  now: Date,
): Update | null {
  if (!isUnderWay(update)) return null
  const at = rolloutTime(rollout, now)
  if (hasReached(rollout, facts)) return endUpdate(update, 'committed', null, at)
  if (hasPassed(rollout, facts)) return endUpdate(update, 'superseded', 'newer', at)
  const { activity } = facts
  const { state, code } = activity
  const isOurs = activity.sha256 === rollout.sha256
  if (isOurs && isToldFailure(activity) && activity.saidSequence > update.offeredSequence) {
    return endUpdate(update, activity.state, code, at)
  }
  const isAtWork = isOurs && isWork(state)
  const isWaiting = isAtWork && isWaitingForRestart(activity)
  const next = {
    state: isAtWork ? state : update.state,
    code: isWaiting ? code : isAtWork ? null : update.code,
  }
  if (rollout.state === 'aborted' && canBeSuperseded(next)) {
    return endUpdate(update, 'superseded', 'aborted', at)
  }
  const deadlineAt = isWaiting ? extendDeadline(update, rollout, at) : update.deadlineAt
  if (at.getTime() >= deadlineAt.getTime()) {
    return endUpdate(update, 'timed_out', 'timeout', at)
  }
  if (next.state === update.state && next.code === update.code) {
    return deadlineAt === update.deadlineAt ? null : { ...update, deadlineAt }
  }
  return { ...update, ...next, hasStarted: true, changedAt: at, deadlineAt }
}

/**
 * Waiting is no fault of the release: a device that says that it waits gets its whole time again,
 * though not at each report but once more than a quarter of it has passed.
 */
function extendDeadline(update: Update, rollout: Rollout, at: Date): Date {
  const timeoutMs = rollout.policy.timeoutSeconds * 1000
  const isSoon = update.deadlineAt.getTime() - at.getTime() < timeoutMs * 0.75
  return isSoon ? new Date(at.getTime() + timeoutMs) : update.deadlineAt
}

/** The update timed out; `null` before its deadline or when it has ended. */
export function timeOutUpdate(update: Update, rollout: Rollout, now: Date): Update | null {
  const at = rolloutTime(rollout, now)
  if (!isUnderWay(update) || at.getTime() < update.deadlineAt.getTime()) return null
  return endUpdate(update, 'timed_out', 'timeout', at)
}

/** Ends the update without a verdict; `null` when it has ended already. */
export function supersedeUpdate(
  update: Update,
  rollout: Rollout,
  code: SupersedeCode,
  now: Date,
): Update | null {
  if (!isUnderWay(update)) return null
  return endUpdate(update, 'superseded', code, rolloutTime(rollout, now))
}

export type SupersedeCode =
  | 'overtaken'
  | 'aborted'
  | 'release_withdrawn'
  | 'device_removed'
  | 'device_moved'
  | 'newer'

/** The rollout with its counters as they are once `after` stands where `before` stood. */
export function moveCounters(rollout: Rollout, before: Update | null, after: Update): Rollout {
  invariant(
    before === null || before.wave === after.wave,
    'an update counts in the same wave for ever',
  )
  invariant(
    after.state !== 'committed' || after.code !== 'newer',
    'a newer release is no verdict on this one',
  )
  const progress = rollout.waves[after.wave]
  invariant(progress !== undefined, 'an update counts in a wave of its rollout')
  const counts = { ...progress }
  const [waited, waits] = [isWaitingFor(before), isWaitingFor(after)]
  if (waited !== waits) counts.movedSinceCount += 1
  // The device may be counted as waiting already, or have left.
  if (!waited && waits && counts.waitingCount !== null) counts.waitingCount += 1
  if (before === null) {
    counts.offeredCount += 1
  } else {
    invariant(
      before.state === after.state || updateTransitions[before.state].includes(after.state),
      `an update does not go from ${before.state} to ${after.state}`,
    )
    counts[counterOf(before.state)] -= 1
    if (isAcceptedFailure(rollout, before)) counts.failuresAcceptedCount -= 1
  }
  counts[counterOf(after.state)] += 1
  if (isAcceptedFailure(rollout, after)) counts.failuresAcceptedCount += 1
  return {
    ...rollout,
    waves: rollout.waves.with(after.wave, counts),
    clockAt: rolloutTime(rollout, after.changedAt),
    revision: rollout.revision + 1,
  }
}

/** Whether a device with such an update is counted among those that wait for their offer. */
function isWaitingFor(update: Pick<Update, 'state'> | null): boolean {
  return update === null || update.state === 'superseded'
}

/** Whether the update is a failure that a person has seen and accepted by resuming. */
function isAcceptedFailure(rollout: Rollout, update: Update): boolean {
  return (
    counterOf(update.state) === 'failedCount' &&
    update.endedAt !== null &&
    rollout.failuresAcceptedAt !== null &&
    update.endedAt.getTime() <= rollout.failuresAcceptedAt.getTime()
  )
}

function endUpdate(update: Update, state: UpdateEnd, code: string | null, at: Date): Update {
  return { ...update, state, code, changedAt: at, endedAt: at }
}

/** Whether the device is at work on this release: it may run already, but is still watched. */
function isBusy(rollout: Rollout, facts: CheckInFacts): boolean {
  return isWork(facts.activity.state) && facts.activity.sha256 === rollout.sha256
}
