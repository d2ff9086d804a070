/** Counting the devices that belong to each wave: what a gate's share of members is of. */
import { isRunnable } from '../devices/assignment.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { waveOf } from './admission.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'

/** One device of the fleet, with its update in the rollout if there is one. */
export type MemberFacts = Pick<
  CheckInFacts,
  'deviceId' | 'platform' | 'hardware' | 'tags' | 'running'
> & { readonly update: Pick<Update, 'wave' | 'state'> | null }

export interface MemberCounter {
  /** Once for each device of the fleet. */
  add(device: MemberFacts): void
  /** Members by wave. */
  counts(): number[]
}

/**
 * A device with an update belongs to its wave, unless that was superseded; of the others those that could run the
 * release and take part. A wave by count has those that it was offered to, and room for as many more of the fleet's
 * devices as its count leaves.
 */
export function createMemberCounter(rollout: Rollout, release: ReleaseFacts): MemberCounter {
  const { waves } = rollout.policy
  const counted = waves.map(() => 0)
  let othersCount = 0
  return {
    add(device) {
      if (device.update !== null) {
        if (device.update.state !== 'superseded') counted[device.update.wave]! += 1
        return
      }
      if (rollout.fromSha256 !== null && device.running?.sha256 !== rollout.fromSha256) return
      if (!isRunnable(release, device, rollout)) return
      othersCount += 1
      const wave = waveOf(rollout, device, 'without-counts')
      if (wave !== null) counted[wave]! += 1
    },
    counts() {
      let left = othersCount
      return waves.map(({ members }, wave) => {
        if (members.kind !== 'count') return counted[wave]!
        const room = Math.max(0, members.count - rollout.waves[wave]!.offeredCount)
        const taken = Math.min(room, left)
        left -= taken
        // Devices may have been offered it since the rollout was read.
        return Math.min(members.count, counted[wave]! + taken)
      })
    },
  }
}
