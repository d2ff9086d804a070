/**
 * Counts the devices that wait in each wave; with those that have an update, they are the set over
 * which gates are judged.
 */
import { isRunnable } from '../devices/assignment.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { roomOf, waveOf } from './admission.ts'
import type { Silence } from './hearing.ts'
import { isSilent } from './hearing.ts'
import { placeOf } from './place.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { isGivenUp } from './update-states.ts'
import { isOutOfReach } from './updates.ts'

/** One device of the fleet, with its update in the rollout if there is one. */
export type MemberFacts = Pick<
  CheckInFacts,
  'deviceId' | 'platform' | 'hardware' | 'tags' | 'running' | 'committedCounter' | 'floor'
> & {
  readonly activity: Pick<CheckInFacts['activity'], 'state'>
  /** When the device was last heard from, or registered where it never was. */
  readonly heardAt: Date
  readonly update: Pick<Update, 'wave' | 'state' | 'code'> | null
}

export interface MemberCounts {
  readonly waves: readonly { readonly waiting: number; readonly silent: number }[]
  readonly firstPlace: number | null
}

export interface MemberCounter {
  /** Called once for each device of the fleet. */
  add(device: MemberFacts): void
  counts(): MemberCounts
}

/**
 * A device of the fleet waits if it could run the release, takes part and has no update; one whose
 * update was given up waits for another offer in its wave. One that said that it had gone beyond
 * the release has left the wave, whatever it says later: no gate waits for it. A wave by count has
 * room for as many as its count leaves, and devices that are heard from ask first.
 */
export function createMemberCounter(
  rollout: Rollout,
  release: ReleaseFacts,
  silence: Silence,
  now: Date,
): MemberCounter {
  const { waves } = rollout.policy
  // The first place is known only once all devices have been counted.
  const byShare = { ...rollout, firstPlace: null }
  const firstPercent = waves.findIndex(({ members }) => members.kind === 'percent')
  const heard = waves.map(() => 0)
  const silent = waves.map(() => 0)
  const others = { heard: 0, silent: 0 }
  let first: { place: number; wave: number | null; isWaiting: boolean } | null = null

  const note = (deviceId: string, wave: number | null, isWaiting: boolean) => {
    const isByPercent = wave !== null && waves[wave]!.members.kind === 'percent'
    // A device that is in a wave by tag or by count is not part of a share of the fleet.
    const isOther = !isByPercent && (!isWaiting || (wave !== null && wave < firstPercent))
    if (firstPercent === -1 || isOther) return
    const place = placeOf(rollout.id, deviceId)
    if (first === null || place < first.place) first = { place, wave, isWaiting }
  }
  return {
    add(device) {
      const { update, deviceId } = device
      if (update !== null && !isGivenUp(update)) {
        if (update.state !== 'superseded') note(deviceId, update.wave, false)
        return
      }
      if (!takesPart(rollout, release, device)) return
      const isHeard = !isSilent(silence, device.heardAt, now)
      if (update === null) others[isHeard ? 'heard' : 'silent'] += 1
      const wave = update?.wave ?? waveOf(byShare, device, 'without-counts')
      if (wave !== null) (isHeard ? heard : silent)[wave]! += 1
      if (isHeard) note(deviceId, wave, update === null)
    },
    counts() {
      const waiting = [...heard]
      if (first?.isWaiting === true && (first.wave === null || first.wave > firstPercent)) {
        if (first.wave !== null) waiting[first.wave]! -= 1
        waiting[firstPercent]! += 1
      }
      const left = { ...others }
      return {
        firstPlace: first?.place ?? null,
        waves: waves.map(({ members }, wave) => {
          if (members.kind !== 'count') return { waiting: waiting[wave]!, silent: silent[wave]! }
          let room = roomOf(rollout, wave)
          const take = (count: number) => {
            const taken = Math.min(room, count)
            room -= taken
            return taken
          }
          const again = take(waiting[wave]!)
          const taken = take(left.heard)
          left.heard -= taken
          const silentAgain = take(silent[wave]!)
          const silentTaken = take(left.silent)
          left.silent -= silentTaken
          return { waiting: again + taken, silent: silentAgain + silentTaken }
        }),
      }
    },
  }
}

function takesPart(rollout: Rollout, release: ReleaseFacts, device: MemberFacts): boolean {
  const { running } = device
  if (rollout.fromSha256 !== null && running?.sha256 !== rollout.fromSha256) return false
  if (running !== null && running.product !== rollout.product) return false
  return !isOutOfReach(rollout, device) && isRunnable(release, device, rollout)
}
