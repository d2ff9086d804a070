/**
 * Counts the devices that wait in each wave; with those that have an update, they are the set over
 * which gates are judged.
 */
import { isRunnable } from '../devices/assignment.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { roomOf, waveOf } from './waves.ts'
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

/** The device with the lowest place so far, and the wave in which it was counted. */
interface First {
  readonly place: number
  readonly wave: number | null
  readonly isWaiting: boolean
}

/**
 * A device of the fleet waits if it could run the release, takes part and has no update; one whose
 * update was given up waits for another offer in its wave. One that said that it had gone beyond
 * the release has left the wave, whatever it says later: no gate waits for it. A wave by count has
 * room for as many as its count leaves, and devices that are heard from ask first. A share of the
 * fleet has at least one device: of those that are heard from, or of the silent ones while none is,
 * so that it waits for the first that comes back and never passes without having tried anything.
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
  let first: First | null = null
  let firstSilent: First | null = null

  const lower = (
    before: First | null,
    { deviceId, wave, isWaiting }: Omit<First, 'place'> & { readonly deviceId: string },
  ): First | null => {
    const isByPercent = wave !== null && waves[wave]!.members.kind === 'percent'
    // A device that is in a wave by tag or by count is not part of a share of the fleet.
    const isOther = !isByPercent && (!isWaiting || (wave !== null && wave < firstPercent))
    if (firstPercent === -1 || isOther) return before
    const place = placeOf(rollout.id, deviceId)
    return before === null || place < before.place ? { place, wave, isWaiting } : before
  }
  return {
    add(device) {
      const { update, deviceId } = device
      if (update !== null && !isGivenUp(update)) {
        if (update.state === 'superseded') return
        first = lower(first, { deviceId, wave: update.wave, isWaiting: false })
        return
      }
      if (!takesPart(rollout, release, device)) return
      const isHeard = !isSilent(silence, device.heardAt, now)
      if (update === null) others[isHeard ? 'heard' : 'silent'] += 1
      const wave = update?.wave ?? waveOf(byShare, device, 'without-counts')
      if (wave !== null) (isHeard ? heard : silent)[wave]! += 1
      const noted = { deviceId, wave, isWaiting: update === null }
      if (isHeard) first = lower(first, noted)
      else firstSilent = lower(firstSilent, noted)
    },
    counts() {
      const waiting = [...heard]
      const quiet = [...silent]
      if (first !== null) moveFirst(waiting, first, firstPercent)
      else if (firstSilent !== null) moveFirst(quiet, firstSilent, firstPercent)
      const left = { ...others }
      return {
        firstPlace: first?.place ?? null,
        waves: waves.map(({ members }, wave) => {
          if (members.kind !== 'count') return { waiting: waiting[wave]!, silent: quiet[wave]! }
          let room = roomOf(rollout, wave)
          const take = (count: number) => {
            const taken = Math.min(room, count)
            room -= taken
            return taken
          }
          const again = take(waiting[wave]!)
          const taken = take(left.heard)
          left.heard -= taken
          const silentAgain = take(quiet[wave]!)
          const silentTaken = take(left.silent)
          left.silent -= silentTaken
          return { waiting: again + taken, silent: silentAgain + silentTaken }
        }),
      }
    },
  }
}

/** The first wave by percentage takes the device with the lowest place in. */
function moveFirst(counts: number[], { wave, isWaiting }: First, firstPercent: number): void {
  if (!isWaiting || (wave !== null && wave <= firstPercent)) return
  if (wave !== null) counts[wave]! -= 1
  counts[firstPercent]! += 1
}

function takesPart(rollout: Rollout, release: ReleaseFacts, device: MemberFacts): boolean {
  const { running } = device
  if (rollout.fromSha256 !== null && running?.sha256 !== rollout.fromSha256) return false
  if (running !== null && running.product !== rollout.product) return false
  return !isOutOfReach(rollout, device) && isRunnable(release, device, rollout)
}
