/** Which wave takes a device in. */
import { placeOf, thresholdOf } from './place.ts'
import type { CheckInFacts, Rollout } from './rollout.ts'

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
