/**
 * Counts of a rollout's waves. A wave's gates are judged over one set of devices: those with an
 * update in it, whether or not they are still in the fleet, and those that wait for their offer. A
 * device that left after its update ended without a verdict is in neither.
 */
import type { Rollout, WaveProgress } from './rollout.ts'

export interface WaveCounts {
  readonly underWay: number
  readonly healthy: number
  /** Failures that no person has accepted. */
  readonly failed: number
  /**
   * Failures that a person accepted; every share leaves them out, in its numerator and its
   * denominator.
   */
  readonly accepted: number
  /**
   * Devices that are heard from and were not offered anything yet: at least and at most, because
   * devices that were offered something since the last count, or left, may still be counted. `null`
   * until they were counted.
   */
  readonly waiting: { readonly min: number; readonly max: number } | null
  readonly silent: number
}

/** The counts of the wave, which must be one of the rollout. */
export function countsOf(rollout: Rollout, wave: number): WaveCounts {
  const progress = rollout.waves[wave]!
  const { failedCount, failuresAcceptedCount, waitingCount, movedSinceCount } = progress
  return {
    underWay: progress.inFlightCount,
    healthy: progress.healthyCount,
    failed: failedCount - failuresAcceptedCount,
    accepted: failuresAcceptedCount,
    waiting:
      waitingCount === null
        ? null
        : { min: Math.max(0, waitingCount - movedSinceCount), max: waitingCount },
    silent: progress.silentCount ?? 0,
  }
}

/**
 * Updates with a verdict, including accepted failures: what is known of the release in this wave.
 */
export function verdictsOf({ healthy, failed, accepted }: WaveCounts): number {
  return healthy + failed + accepted
}

/** The most devices that the wave may have; `null` until they were counted. */
export function membersMaxOf(counts: WaveCounts): number | null {
  const { waiting, underWay, silent } = counts
  return waiting && verdictsOf(counts) + underWay + waiting.max + silent
}

/**
 * Whether the wave opens only once a person has approved it: the policy says so, or no device with
 * the tag of the wave before it has said anything of the release and none will. Such a wave was
 * meant to try the release first, so that without a device it shows nothing.
 */
export function needsPerson(rollout: Rollout, wave: number): boolean {
  return rollout.policy.waves[wave]!.needsApproval || isUntried(rollout, wave - 1)
}

/** Whether the wave is by tag, no device belongs to it, and none that did has a verdict. */
export function isUntried(rollout: Rollout, wave: number): boolean {
  if (rollout.policy.waves[wave]?.members.kind !== 'tag') return false
  return membersMaxOf(countsOf(rollout, wave)) === 0
}

/** All devices of the wave as far as is known, for people; `null` until they were counted. */
export function membersOf(rollout: Rollout, wave: number): number | null {
  const counts = countsOf(rollout, wave)
  const { waiting, underWay, silent } = counts
  return waiting && verdictsOf(counts) + underWay + waiting.min + silent
}

/** Failed devices, over all waves, whose failure nobody has accepted. */
export function newFailuresCount(rollout: Rollout): number {
  let sum = 0
  for (const wave of rollout.waves) sum += wave.failedCount - wave.failuresAcceptedCount
  return sum
}

export function sumWaves(
  rollout: Rollout,
  member: 'offeredCount' | 'inFlightCount' | 'healthyCount' | 'failedCount' | 'supersededCount',
): number {
  let sum = 0
  for (const wave of rollout.waves) sum += wave[member]
  return sum
}

/**
 * Why the counters cannot all be true, in words; `null` where they can. No gate is judged by
 * counters that contradict each other.
 */
export function contradictionOf({ waves }: Pick<Rollout, 'waves'>): string | null {
  for (const [wave, progress] of waves.entries()) {
    const wrong = contradictionIn(progress)
    if (wrong !== null) return `wave ${wave + 1}: ${wrong}`
  }
  return null
}

function contradictionIn(wave: WaveProgress): string | null {
  const { offeredCount, inFlightCount, healthyCount, failedCount, supersededCount } = wave
  const { failuresAcceptedCount, waitingCount, silentCount, movedSinceCount } = wave
  const parts = [inFlightCount, healthyCount, failedCount, supersededCount]
  const all = [...parts, failuresAcceptedCount, waitingCount ?? 0, silentCount ?? 0]
  if ([...all, movedSinceCount].some((count) => count < 0)) return 'a count is below 0'
  const sum = parts.reduce((total, count) => total + count, 0)
  if (sum !== offeredCount) return `${offeredCount} updates, and ${sum} by their states`
  if (failuresAcceptedCount > failedCount) {
    return `${failuresAcceptedCount} failures accepted of ${failedCount}`
  }
  return null
}
