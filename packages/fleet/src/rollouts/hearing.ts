/**
 * When devices could be heard at all. Nobody is silent for a time in which nobody was heard: after an outage, of the server or
 * of the way to it, the first device that comes back is not all of its wave.
 */
import type { FleetPolicy } from '../fleets/index.ts'
import type { RolloutPolicy } from './rollout.ts'

/** Of the whole installation, in the database's time. */
export interface Hearing {
  /** When any device was heard last; `null` before the first one. */
  readonly heardAt: Date | null
  /** Times without a word of anybody, oldest first, each shorter than the one before it. */
  readonly gaps: readonly Gap[]
}

interface Gap {
  readonly from: Date
  readonly until: Date
}

/** Who counts as silent by one rollout's rule, now. */
export interface Silence {
  /** `null`: nobody, however long it was not heard from. */
  readonly afterMs: number | null
  /** Since when devices have been heard without a gap that matters; `null` while none is heard. */
  readonly since: Date | null
}

/** A device is not silent before it has missed so many polls, whatever the policy says. */
export const silentPollsMin = 5
/** So many polls are left to each device after the longest time without a word that still counts as silence. */
const pollsAfterGap = 3
/** Shorter times without a word matter to no rule. */
const gapMsMin = 20_000
const epoch = new Date(0)

/** Some device was heard. A gap that is no longer than a later one answers no question any more. */
export function hear({ heardAt, gaps }: Hearing, now: Date): Hearing {
  const gap = { from: heardAt ?? epoch, until: now }
  if (lengthMs(gap) < gapMsMin) return { heardAt: now, gaps }
  return { heardAt: now, gaps: [...gaps.filter((one) => lengthMs(one) > lengthMs(gap)), gap] }
}

/** For how long a device must not have been heard from before gates stop to wait for it; `null`: they always wait. */
export function silentAfterOf(
  { silentAfterSeconds }: Pick<RolloutPolicy, 'silentAfterSeconds'>,
  { pollSeconds }: Pick<FleetPolicy, 'pollSeconds'>,
): number | null {
  return silentAfterSeconds && Math.max(silentAfterSeconds, silentPollsMin * pollSeconds)
}

export function silenceOf(
  policy: Pick<RolloutPolicy, 'silentAfterSeconds'>,
  fleet: Pick<FleetPolicy, 'pollSeconds'>,
  hearing: Hearing,
  now: Date,
): Silence {
  const afterSeconds = silentAfterOf(policy, fleet)
  if (afterSeconds === null) return { afterMs: null, since: null }
  const gapMsMax = (afterSeconds - pollsAfterGap * fleet.pollSeconds) * 1000
  return { afterMs: afterSeconds * 1000, since: heardSince(hearing, gapMsMax, now) }
}

function heardSince({ heardAt, gaps }: Hearing, gapMsMax: number, now: Date): Date | null {
  if (heardAt === null || now.getTime() - heardAt.getTime() > gapMsMax) return null
  return gaps.findLast((gap) => lengthMs(gap) > gapMsMax)?.until ?? epoch
}

/** Whether gates do not wait for a device that was heard from at `heardAt`. */
export function isSilent({ afterMs, since }: Silence, heardAt: Date, now: Date): boolean {
  if (afterMs === null || since === null) return false
  return now.getTime() - Math.max(heardAt.getTime(), since.getTime()) > afterMs
}

/** Whether a count of a wave's devices knows of the last gap: those that it found silent may have been cut off. */
export function isCountCurrent({ since }: Silence, countedAt: Date | undefined): boolean {
  return since === null || (countedAt?.getTime() ?? -1) >= since.getTime()
}

function lengthMs({ from, until }: Gap): number {
  return until.getTime() - from.getTime()
}
