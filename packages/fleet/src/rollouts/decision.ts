/**
 * What a check-in is answered (D2, D3, D11). For a fleet that follows rollouts, the order is: an
 * update under way keeps its release; then the first rollout that admits the device, emergencies
 * first and the highest counter first; then the fleet's baseline; then nothing, with the reason of
 * the best rollout.
 */
import type { AssignmentDecision, Obstacle } from '../devices/assignment.ts'
import { chooseAssignment, isRunnable, obstacleOf } from '../devices/assignment.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { isSameRelease, newestFirst, standingOf } from '../releases/order.ts'
import type { AdmissionReason } from './admission.ts'
import { admitDevice } from './admission.ts'
import { alreadyThere } from './already-there.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { updateIn } from './rollout.ts'
import type { FleetRollout, Situation } from './situation.ts'
import { canBeSuperseded, isUnderWay } from './update-states.ts'
import { advanceUpdate } from './updates.ts'

/** What the fleet itself answers, and why, where no rollout decided. */
type FleetDecision =
  | AssignmentDecision
  | { readonly release: ReleaseFacts; readonly reason: 'baseline' }
  | { readonly release: null; readonly reason: 'no_rollout' }
  | { readonly release: null; readonly reason: 'release_withdrawn'; readonly version: string }

/** Why a rollout answers with nothing. */
type RolloutReason = AdmissionReason | 'no_release_for_platform' | 'release_withdrawn'

export type FleetAnswer = FleetDecision & {
  readonly rolloutId: null
  readonly attempt?: undefined
}

type RolloutDecision =
  | { readonly release: ReleaseFacts; readonly reason: 'rollout' }
  | { readonly release: null; readonly reason: RolloutReason }
  | { readonly release: null; readonly reason: 'baseline_left'; readonly baselineVersion: string }

export type RolloutAnswer = RolloutDecision & {
  /** The rollout that decided. */
  readonly rolloutId: string
  /**
   * The attempt of the device's update in that rollout; a device that failed an earlier one tries
   * again.
   */
  readonly attempt?: number
}

export type Answer = FleetAnswer | RolloutAnswer

/** What must be settled under the lock of the fleet's rollouts before the device is answered. */
export interface Wish {
  readonly kind: 'advance' | 'already' | 'grant'
  readonly rolloutId: string
}

export type Decision =
  | ({ readonly kind: 'answer' } & Answer)
  | {
      readonly kind: 'settle'
      readonly wish: Wish
      /** The answer when nothing can be settled: never more than the device was granted before. */
      readonly answerMeanwhile: Answer
    }

/** What `decideUpdate` and `settleRollouts` answer, or the offer that is to be recorded first. */
export type Choice =
  | ({ readonly kind: 'answer' } & Answer)
  | {
      readonly kind: 'offer'
      readonly from: Rollout
      readonly release: ReleaseFacts
      readonly wave: number
      /** The device's update in another rollout, which this offer overtakes. */
      readonly overtakes: Update | null
    }

/**
 * The fleet's rollouts in the order of decision; called once for a snapshot, not for each check-in.
 */
export function rankRollouts(
  rollouts: readonly Rollout[],
  releases: readonly ReleaseFacts[],
): FleetRollout[] {
  return rollouts
    .toSorted(
      (a, b) =>
        Number(b.policy.isEmergency) - Number(a.policy.isEmergency) ||
        newestFirst(a, b) ||
        (a.id < b.id ? -1 : 1),
    )
    .map((rollout) => ({ rollout, release: findRelease(rollout, releases) }))
}

/**
 * The rollout's release as the signed metadata has it now, with its sha256 and counter (T10), or
 * `null`.
 */
export function findRelease(
  rollout: Rollout,
  releases: readonly ReleaseFacts[],
): ReleaseFacts | null {
  for (const release of releases) {
    if (
      isSameRelease(release, rollout) &&
      release.version === rollout.version &&
      release.channel === rollout.channel &&
      release.product === rollout.product
    ) {
      return release
    }
  }
  return null
}

/** Decides one check-in from memory; everything that is handed in may be stale. */
export function decideUpdate(facts: CheckInFacts, situation: Situation): Decision {
  const { fleet, rollouts, releases, now } = situation
  if (fleet.follow === 'newest') return { kind: 'answer', ...chooseNewest(facts, fleet, releases) }
  for (const { rollout } of rollouts) {
    const update = updateIn(rollout, facts)
    if (update !== null && advanceUpdate(update, rollout, facts, now) !== null) {
      return settle('advance', rollout, facts, situation)
    }
    if (alreadyThere(rollout, facts, now) !== null) {
      return settle('already', rollout, facts, situation)
    }
  }
  const choice = chooseNext(facts, situation)
  if (choice.kind === 'answer') return choice
  return settle('grant', choice.from, facts, situation)
}

/** The order of decision over what is known; shared by the snapshot and the authority. */
export function chooseNext(facts: CheckInFacts, situation: Situation): Choice {
  const { fleet, rollouts, releases, now, zones } = situation
  if (fleet.follow === 'newest') return { kind: 'answer', ...chooseNewest(facts, fleet, releases) }
  const obstacle = obstacleOf(facts, fleet)
  if (obstacle !== null) return nothingOf(obstacle)
  const current = findCurrent(facts, rollouts)
  let best: Choice | null = null
  for (const from of rollouts) {
    const { rollout, release } = from
    if (current?.from === from) return keepOn(facts, fleet, current)
    if (current !== null && !overtakes(rollout, current)) continue
    if (release === null) {
      best ??= nothing('release_withdrawn', rollout.id)
      continue
    }
    if (!isRunnable(release, facts, fleet)) {
      best ??= nothing('no_release_for_platform', rollout.id)
      continue
    }
    const admission = admitDevice(rollout, facts, now, zones)
    if (admission.kind === 'admitted') {
      const { wave } = admission
      return { kind: 'offer', from: rollout, release, wave, overtakes: current?.update ?? null }
    }
    // The device would be offered this release if it could be shown: nothing else takes its place.
    if (admission.reason === facts.heldBack?.reason) return nothing(admission.reason, rollout.id)
    best ??= nothing(admission.reason, rollout.id)
  }
  const baseline = chooseBaseline(facts, situation)
  if (baseline.release !== null) return { kind: 'answer', ...baseline }
  return best ?? { kind: 'answer', ...baseline }
}

type Kept = { readonly kind: 'answer' } & RolloutAnswer

/** What a device with an update under way is answered: its release again, until it runs it. */
function keepOn(
  facts: CheckInFacts,
  fleet: FleetPolicy,
  { from: { rollout, release }, update: { attempt } }: Current,
): Kept {
  if (release === null) return nothing('release_withdrawn', rollout.id)
  if (!isRunnable(release, facts, fleet)) return nothing('no_release_for_platform', rollout.id)
  const standing = standingOf(release, facts)
  if (standing === 'running') return nothing('under_way', rollout.id)
  if (standing === 'not_newer') return nothing('not_newer', rollout.id)
  return { kind: 'answer', release, reason: 'rollout', rolloutId: rollout.id, attempt }
}

/** The baseline, or why this device does not get it. */
function chooseBaseline(facts: CheckInFacts, { fleet, rollouts, releases }: Situation): Answer {
  const { baseline } = fleet
  if (baseline === null) return { release: null, reason: 'no_rollout', rolloutId: null }
  const { sha256, version } = baseline
  const left = rollouts.find(({ rollout }) => isGoingBackFrom(rollout, sha256))
  if (left !== undefined) {
    const { id: rolloutId } = left.rollout
    return { release: null, reason: 'baseline_left', baselineVersion: version, rolloutId }
  }
  const release = releases.find((r) => r.version === version && r.sha256 === sha256)
  if (release === undefined) {
    return { release: null, reason: 'release_withdrawn', version, rolloutId: null }
  }
  const answer = chooseNewest(facts, { ...fleet, pinnedVersion: null }, [release])
  if (answer.release === null) return answer
  return { release: answer.release, reason: 'baseline', rolloutId: null }
}

function isGoingBackFrom(rollout: Rollout, sha256: string): boolean {
  return rollout.fromSha256 === sha256 && (rollout.state === 'active' || rollout.state === 'paused')
}

/**
 * Where nobody counts attempts, a failed update counts as rolled back: otherwise it would be
 * offered again for ever.
 */
function chooseNewest(
  facts: CheckInFacts,
  fleet: FleetPolicy,
  releases: readonly ReleaseFacts[],
): FleetAnswer {
  const { activity, running, committedCounter, floor, platform, hardware } = facts
  const isOver = activity.state === 'failed' && !facts.countsAttempts
  const state = isOver ? 'rolled_back' : activity.state
  const update = { state, sha256: activity.sha256 ?? undefined }
  const report = { running, committedCounter, floor, update, platform, hardware }
  return { ...chooseAssignment(report, fleet, releases), rolloutId: null }
}

interface Current {
  readonly from: FleetRollout
  readonly update: Update
}

/** The device's update under way, in the first of the rollouts that has one. */
function findCurrent(facts: CheckInFacts, rollouts: readonly FleetRollout[]): Current | null {
  if (facts.updates.length === 0) return null
  for (const from of rollouts) {
    const update = updateIn(from.rollout, facts)
    if (update !== null && isUnderWay(update)) return { from, update }
  }
  return null
}

function overtakes(rollout: Rollout, current: Current): boolean {
  return (
    rollout.policy.isEmergency &&
    !current.from.rollout.policy.isEmergency &&
    canBeSuperseded(current.update)
  )
}

function settle(
  kind: Wish['kind'],
  rollout: Rollout,
  facts: CheckInFacts,
  { fleet, rollouts }: Situation,
): Decision {
  const current = findCurrent(facts, rollouts)
  const answerMeanwhile: Answer =
    current === null || !fleet.updatesEnabled || rollout.state === 'aborted'
      ? { release: null, reason: 'under_way', rolloutId: rollout.id }
      : keepOn(facts, fleet, current)
  return { kind: 'settle', wish: { kind, rolloutId: rollout.id }, answerMeanwhile }
}

function nothing(reason: RolloutReason, rolloutId: string): Kept {
  return { kind: 'answer', release: null, reason, rolloutId }
}

function nothingOf(reason: Obstacle): Choice {
  return { kind: 'answer', release: null, reason, rolloutId: null }
}
