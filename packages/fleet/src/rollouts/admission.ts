/**
 * Whether a rollout may be offered to a device now: one rule, for the snapshot in memory and for
 * the row under lock.
 */
import { periodLeftCount, rateOpensMs } from './pace.ts'
import { roomOf, waveOf } from './waves.ts'
import type { CheckInFacts, HeldBack, Rate, Rollout, RolloutPolicy, Windows } from './rollout.ts'
import { rolloutTime, updateIn } from './rollout.ts'
import { newFailuresCount, sumWaves } from './wave-counts.ts'
import type { EndedUpdate, LostUpdate } from './update-states.ts'
import { hasEnded, isGivenUp } from './update-states.ts'
import { hasReached, isOutOfReach } from './updates.ts'
import { isWindowOpen } from './windows.ts'
import type { Zones } from './zones.ts'

/** The reasons by rank: where several hold, the first is the answer. */
export const admissionReasons = [
  'already_running',
  'not_newer',
  'under_way',
  'aborted',
  'finished',
  'not_taking_part',
  'attempts_used_up',
  'paused',
  'not_started',
  'retry_wait',
  'wave_not_open',
  'safe_mode',
  'window_closed',
  'in_flight_max',
  'period_max',
  'rate',
  // The last three are the answer only when everything else would admit the device.
  'cancel_pending',
  'restart_not_allowed',
  'not_asked',
] as const
export type AdmissionReason = (typeof admissionReasons)[number]

/** Why the rollout is not offered, with what the reason is about. */
export type Denial =
  | { readonly reason: 'not_newer'; readonly last: LostUpdate | null }
  | { readonly reason: 'attempts_used_up' | 'retry_wait'; readonly last: LostUpdate }
  | { readonly reason: 'wave_not_open'; readonly wave: number }
  | { readonly reason: 'window_closed'; readonly windows: Windows }
  | { readonly reason: 'in_flight_max'; readonly inFlightMax: number }
  | { readonly reason: 'period_max'; readonly perPeriod: NonNullable<RolloutPolicy['perPeriod']> }
  | { readonly reason: 'rate'; readonly rate: Rate }
  | { readonly reason: 'already_running' | 'aborted' | 'finished' | 'not_taking_part' }
  | { readonly reason: 'paused' | 'not_started' | 'safe_mode' | HeldBack['reason'] }

type Admitted = { readonly kind: 'admitted'; readonly wave: number }
type Refused<Reason> = { readonly kind: 'refused' } & Reason
export type Admission = Admitted | Refused<Denial | { readonly reason: 'under_way' }>

/**
 * Whether the rollout may be offered to the device now. The decision asks first whether the release
 * is for the device's platform and hardware, and whether it is still signed; neither is asked here.
 * The same rollout, facts and time give the same answer on every replica.
 */
export function admitDevice(
  rollout: Rollout,
  facts: CheckInFacts,
  now: Date,
  zones: Zones,
): Admission {
  const update = updateIn(rollout, facts)
  return update === null || hasEnded(update)
    ? admitIdle(rollout, facts, update, now, zones)
    : { kind: 'refused', reason: 'under_way' }
}

/** The same for a device whose update in the rollout, if it has one, has ended. */
export function admitIdle(
  rollout: Rollout,
  facts: CheckInFacts,
  update: EndedUpdate | null,
  now: Date,
  zones: Zones,
): Admitted | Refused<Denial> {
  const { policy } = rollout
  if (update?.state === 'committed' || hasReached(rollout, facts)) return refused('already_running')
  if (isOutOfReach(rollout, facts)) return { kind: 'refused', reason: 'not_newer', last: update }
  if (rollout.state === 'aborted') return refused('aborted')
  if (rollout.state === 'finished') return refused('finished')
  if (rollout.fromSha256 !== null && facts.running?.sha256 !== rollout.fromSha256) {
    return refused('not_taking_part')
  }
  const wave = update?.wave ?? waveOf(rollout, facts)
  if (wave === null) return refused('not_taking_part')
  const failed = update === null || isGivenUp(update) ? null : update
  if (update?.state === 'superseded' && roomOf(rollout, wave) === 0) {
    return refused('not_taking_part')
  }
  if (failed !== null && failed.attempt >= policy.attempts.max) {
    return { kind: 'refused', reason: 'attempts_used_up', last: failed }
  }
  if (rollout.state === 'paused') return refused('paused')
  const at = rolloutTime(rollout, now)
  if (at.getTime() < rollout.startAt.getTime()) return refused('not_started')
  if (failed !== null && at.getTime() < retryMs(rollout, failed)) {
    return { kind: 'refused', reason: 'retry_wait', last: failed }
  }
  if (wave >= rollout.wavesOpenCount) return { kind: 'refused', reason: 'wave_not_open', wave }
  if (policy.safeMode && !isSafe(rollout)) return refused('safe_mode')
  const { windows, inFlightMax, perPeriod, rate } = policy
  if (windows !== null && !isWindowOpen(windows, facts.tags, at, zones)) {
    return { kind: 'refused', reason: 'window_closed', windows }
  }
  if (inFlightMax !== null && sumWaves(rollout, 'inFlightCount') >= inFlightMax) {
    return { kind: 'refused', reason: 'in_flight_max', inFlightMax }
  }
  if (perPeriod !== null && periodLeftCount(rollout, at) <= 0) {
    return { kind: 'refused', reason: 'period_max', perPeriod }
  }
  if (rate !== null && at.getTime() < rateOpensMs(rollout)) {
    return { kind: 'refused', reason: 'rate', rate }
  }
  if (isHeldBack(rollout, facts)) return refused(facts.heldBack.reason)
  return { kind: 'admitted', wave }
}

/** Whether the rollout's release could not be shown to the device now. */
function isHeldBack(
  rollout: Pick<Rollout, 'sha256'>,
  facts: CheckInFacts,
): facts is CheckInFacts & { readonly heldBack: HeldBack } {
  return facts.heldBack !== null && facts.heldBack.exceptSha256 !== rollout.sha256
}

/**
 * The earliest instant, in milliseconds since 1970, at which an attempt may follow one that ended
 * without the release running.
 */
export function retryMs(rollout: Rollout, update: Pick<LostUpdate, 'endedAt'>): number {
  return (update.endedAt?.getTime() ?? 0) + rollout.policy.attempts.waitSeconds * 1000
}

/** Whether there is no new failure, and a device is healthy or none is under way. */
function isSafe(rollout: Rollout): boolean {
  if (newFailuresCount(rollout) > 0) return false
  return sumWaves(rollout, 'healthyCount') > 0 || sumWaves(rollout, 'inFlightCount') === 0
}

function refused<Reason extends AdmissionReason>(reason: Reason): Refused<{ reason: Reason }> {
  return { kind: 'refused', reason }
}
