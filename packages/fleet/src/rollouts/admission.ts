/**
 * Whether a rollout may be offered to a device now: one rule, for the snapshot in memory and for
 * the row under lock.
 */
import { periodLeftCount, rateOpensMs } from './pace.ts'
import { placeOf, thresholdOf } from './place.ts'
import type { CheckInFacts, HeldBack, Rollout } from './rollout.ts'
import { newFailuresCount, rolloutTime, sumWaves, updateIn } from './rollout-time.ts'
import { isUnderWay } from './update-states.ts'
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

export type Admission =
  | { readonly kind: 'admitted'; readonly wave: number }
  | {
      readonly kind: 'refused'
      readonly reason: AdmissionReason
      /** The wave that takes the device in; `null` where none does or it was not looked for. */
      readonly wave: number | null
    }

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
  const { policy } = rollout
  const update = updateIn(rollout, facts)
  if (update !== null && isUnderWay(update)) return refused('under_way', update.wave)
  if (update?.state === 'committed' || hasReached(rollout, facts)) {
    return refused('already_running', update?.wave ?? null)
  }
  if (isOutOfReach(rollout, facts)) return refused('not_newer', null)
  if (rollout.state === 'aborted') return refused('aborted', null)
  if (rollout.state === 'finished') return refused('finished', null)
  if (rollout.fromSha256 !== null && facts.running?.sha256 !== rollout.fromSha256) {
    return refused('not_taking_part', null)
  }
  const wave = update?.wave ?? waveOf(rollout, facts)
  if (wave === null) return refused('not_taking_part', null)
  const hasFailed = update !== null && update.state !== 'superseded'
  if (update !== null && !hasFailed && roomOf(rollout, wave) === 0) {
    return refused('not_taking_part', wave)
  }
  if (hasFailed && update.attempt >= policy.attempts.max) {
    return refused('attempts_used_up', wave)
  }
  if (rollout.state === 'paused') return refused('paused', wave)
  const at = rolloutTime(rollout, now)
  if (at.getTime() < rollout.startAt.getTime()) return refused('not_started', wave)
  if (hasFailed && at.getTime() < retryMs(rollout, update)) return refused('retry_wait', wave)
  if (wave >= rollout.wavesOpenCount) return refused('wave_not_open', wave)
  if (policy.safeMode && !isSafe(rollout)) return refused('safe_mode', wave)
  if (policy.windows !== null && !isWindowOpen(policy.windows, facts.tags, at, zones)) {
    return refused('window_closed', wave)
  }
  if (policy.inFlightMax !== null && sumWaves(rollout, 'inFlightCount') >= policy.inFlightMax) {
    return refused('in_flight_max', wave)
  }
  if (periodLeftCount(rollout, at) <= 0) return refused('period_max', wave)
  if (at.getTime() < rateOpensMs(rollout)) return refused('rate', wave)
  if (isHeldBack(rollout, facts)) return refused(facts.heldBack.reason, wave)
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
 * The first wave that takes the device in, or `null`. A wave by count takes devices in until its
 * count is used up, and none where `without-counts` is asked for.
 */
export function waveOf(
  rollout: Rollout,
  device: Pick<CheckInFacts, 'deviceId' | 'tags'>,
  waves: 'all' | 'without-counts' = 'all',
): number | null {
  let place: number | null = null
  const { length } = rollout.policy.waves
  for (let index = 0; index < length; index += 1) {
    const { members } = rollout.policy.waves[index]!
    if (members.kind === 'percent') {
      place ??= placeOf(rollout.id, device.deviceId)
      if (place < thresholdOf(members.percent) || isFirst(rollout, place)) return index
    } else if (members.kind === 'tag') {
      if (device.tags[members.key] === members.value) return index
    } else if (waves === 'all' && roomOf(rollout, index) > 0) {
      return index
    }
  }
  return null
}

/**
 * How many more devices the wave takes in. A device that left it without a verdict makes room for
 * another.
 */
export function roomOf(rollout: Rollout, wave: number): number {
  const { members } = rollout.policy.waves[wave]!
  if (members.kind !== 'count') return Infinity
  const { offeredCount, supersededCount } = rollout.waves[wave]!
  return Math.max(0, members.count - (offeredCount - supersededCount))
}

/**
 * Whether every share of the fleet takes the place in, however small, so that no wave by percentage
 * is left without a device.
 */
function isFirst({ firstPlace }: Rollout, place: number): boolean {
  return place === firstPlace
}

/**
 * The earliest instant, in milliseconds since 1970, at which an attempt may follow a failed one.
 */
export function retryMs(rollout: Rollout, update: { endedAt: Date | null }): number {
  return (update.endedAt?.getTime() ?? 0) + rollout.policy.attempts.waitSeconds * 1000
}

/** Whether there is no new failure, and a device is healthy or none is under way. */
function isSafe(rollout: Rollout): boolean {
  if (newFailuresCount(rollout) > 0) return false
  return sumWaves(rollout, 'healthyCount') > 0 || sumWaves(rollout, 'inFlightCount') === 0
}

function refused(reason: AdmissionReason, wave: number | null): Admission {
  return { kind: 'refused', reason, wave }
}
