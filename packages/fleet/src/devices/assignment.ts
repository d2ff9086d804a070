/** What a device should run next: nothing, or exactly one release (D2). */
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { newestRelease, standingOf } from '../releases/order.ts'

/** The part of a report that the decision rests on. A lying device hurts only itself. */
export interface ReportFacts {
  readonly running: {
    readonly product: string
    readonly sha256: string
    readonly counter: number
  } | null
  readonly committedCounter: number
  readonly floor: number
  readonly update: { readonly state: string; readonly sha256?: string | undefined }
  readonly platform: string
  /** The hardware as registered; `null` when the device named none. */
  readonly hardware: string | null
}

export type AssignmentDecision =
  | { readonly release: ReleaseFacts; readonly reason: 'newest' | 'pinned' }
  | {
      readonly release: null
      readonly reason:
        | Obstacle
        | 'up_to_date'
        | 'no_release_for_platform'
        | 'not_newer'
        | 'rolled_back_before'
    }
  | {
      readonly release: null
      readonly reason: 'pinned_version_not_published'
      readonly version: string
    }

/** Why a fleet offers nothing to a device, whatever its releases and rollouts are. */
export type Obstacle = 'updates_disabled' | 'other_product'

export function obstacleOf(
  { running }: { readonly running: { readonly product: string } | null },
  fleet: Pick<FleetPolicy, 'updatesEnabled' | 'product'>,
): Obstacle | null {
  if (!fleet.updatesEnabled) return 'updates_disabled'
  return running !== null && running.product !== fleet.product ? 'other_product' : null
}

/**
 * `releases` are the verified releases of the fleet's channel. The answer is never a release older
 * than what the device runs or has committed, nor one below its floor; the device checks the same
 * again.
 */
export function chooseAssignment(
  report: ReportFacts,
  fleet: FleetPolicy,
  releases: readonly ReleaseFacts[],
): AssignmentDecision {
  const obstacle = obstacleOf(report, fleet)
  if (obstacle !== null) return { release: null, reason: obstacle }
  const runnable = releases.filter((release) => isRunnable(release, report, fleet))
  const { pinnedVersion: version } = fleet
  const wanted =
    version === null
      ? newestRelease(runnable)
      : runnable.find((release) => release.version === version)
  if (wanted === undefined) {
    return version === null || releases.some((release) => release.version === version)
      ? { release: null, reason: 'no_release_for_platform' }
      : { release: null, reason: 'pinned_version_not_published', version }
  }
  const standing = standingOf(wanted, report)
  if (standing === 'running') return { release: null, reason: 'up_to_date' }
  if (standing === 'not_newer') return { release: null, reason: 'not_newer' }
  if (report.update.state === 'rolled_back' && report.update.sha256 === wanted.sha256) {
    return { release: null, reason: 'rolled_back_before' }
  }
  return { release: wanted, reason: version === null ? 'newest' : 'pinned' }
}

/**
 * Whether the device could run the release: it is of the fleet's product and channel, and for the
 * device's platform and hardware.
 */
export function isRunnable(
  release: ReleaseFacts,
  report: Pick<ReportFacts, 'platform' | 'hardware'>,
  fleet: Pick<FleetPolicy, 'product' | 'channel'>,
): boolean {
  return (
    release.product === fleet.product &&
    release.channel === fleet.channel &&
    release.platforms.includes(report.platform) &&
    (release.hardware.length === 0 ||
      (report.hardware !== null && release.hardware.includes(report.hardware)))
  )
}
