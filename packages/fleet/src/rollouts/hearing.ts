/**
 * When devices could be heard at all. No device is silent for a time in which none was heard: after
 * an outage, of the server or of the network, the first device that comes back is not taken for all
 * of its wave.
 */
import { silentSecondsOf } from '../devices/presence.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import type { RolloutPolicy } from './rollout.ts'

/** What was heard in the whole installation, in the database's time. */
export interface Hearing {
  /** When any device was heard last; `null` before the first one. */
  readonly heardAt: Date | null
  /** Times in which no device was heard, oldest first, each shorter than the one before it. */
  readonly gaps: readonly Gap[]
}

interface Gap {
  readonly from: Date
  readonly until: Date
}

/** Which devices count as silent by one rollout's rule, now. */
export interface Silence {
  /** `null`: no device is silent, however long it has not been heard from. */
  readonly afterMs: number | null
  /**
   * The instant since which devices have been heard without a gap that matters; `null` while none
   * is heard.
   */
  readonly since: Date | null
}

/**
 * Each device has this many polls left after the longest gap that still counts towards its silence.
 */
const pollsAfterGap = 3
/** Gaps shorter than this matter to no rule. */
const gapMsMin = 20_000
const epoch = new Date(0)

/**
 * Notes that a device was heard. A gap that is no longer than a later one is dropped, because it
 * changes no answer any more.
 */
export function hear({ heardAt, gaps }: Hearing, now: Date): Hearing {
  const gap = { from: heardAt ?? epoch, until: now }
  if (lengthMs(gap) < gapMsMin) return { heardAt: now, gaps }
  return { heardAt: now, gaps: [...gaps.filter((one) => lengthMs(one) > lengthMs(gap)), gap] }
}

/**
 * Seconds without a word from a device after which gates stop waiting for it; `null`: they always
 * wait.
 */
export function silentAfterOf(
  { silentAfterSeconds }: Pick<RolloutPolicy, 'silentAfterSeconds'>,
  fleet: Pick<FleetPolicy, 'pollSeconds'>,
): number | null {
  return silentAfterSeconds && silentSecondsOf(fleet, silentAfterSeconds)
}

/** How long without a word makes a device silent, and since when devices could be heard at all. */
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

/**
 * Whether a count of a wave's devices knows of the last gap; devices that an older count found
 * silent may have been cut off.
 */
export function isCountCurrent({ since }: Silence, countedAt: Date | undefined): boolean {
  return since === null || (countedAt?.getTime() ?? -1) >= since.getTime()
}

function lengthMs({ from, until }: Gap): number {
  return until.getTime() - from.getTime()
}
