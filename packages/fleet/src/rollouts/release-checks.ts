/** Whether a rollout of a release may begin: one rule for a dry run and for the creation. */
import { Refusal } from '@seaworthy/std/refusal'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { isNewer, isSameRelease, mayFollowBaseline } from '../releases/order.ts'
import type { RolloutRefusal } from './refusals.ts'
import type { Rollout, RolloutPolicy } from './rollout.ts'

/**
 * Throws unless the release suits the rollout: an emergency needs a security release, and a signed
 * rollback one that devices with the bad release accept. Throws `release_not_security`,
 * `way_back_not_possible`.
 */
export function checkRelease(
  release: ReleaseFacts,
  fleet: string,
  { isEmergency }: Pick<RolloutPolicy, 'isEmergency'>,
  wayBackOf: Rollout | null,
): void {
  if (isEmergency && !release.security) {
    throw new Refusal<RolloutRefusal>(
      'release_not_security',
      `an emergency rollout needs a release that was signed as a security release; ${release.version} was not`,
    )
  }
  if (wayBackOf === null) return
  const isPossible =
    wayBackOf.fleet === fleet &&
    wayBackOf.product === release.product &&
    isNewer(release, wayBackOf) &&
    release.sha256 !== wayBackOf.sha256
  if (isPossible) return
  throw new Refusal<RolloutRefusal>(
    'way_back_not_possible',
    `devices that run ${wayBackOf.version} take newer releases alone: publish the old content again under a new version, and go back to that`,
  )
}

/**
 * Throws unless the release is newer than the baseline and than what other rollouts of the fleet
 * bring; an emergency rollout overtakes those. The rollout that a signed rollback leads away from
 * does not count. Throws `rollout_exists`, `release_not_newer`.
 */
export function checkNewer(
  release: ReleaseFacts,
  { name, baseline }: Pick<FleetPolicy, 'name' | 'baseline'>,
  rollouts: readonly Rollout[],
  { isEmergency }: Pick<RolloutPolicy, 'isEmergency'>,
  wayBackOf: Rollout | null,
): void {
  const running = rollouts.filter(
    ({ id, fleet, state }) =>
      fleet === name && id !== wayBackOf?.id && (state === 'active' || state === 'paused'),
  )
  const same = running.find((rollout) => isSameRelease(rollout, release))
  if (same !== undefined) {
    throw new Refusal<RolloutRefusal>(
      'rollout_exists',
      `${same.id} brings ${release.version} to ${name} already`,
    )
  }
  if (baseline !== null && !mayFollowBaseline(release, baseline)) {
    throw new Refusal<RolloutRefusal>(
      'release_not_newer',
      `${name} has ${baseline.version} already, which is not older`,
    )
  }
  const newer = isEmergency ? undefined : running.find((rollout) => isNewer(rollout, release))
  if (newer !== undefined) {
    throw new Refusal<RolloutRefusal>(
      'release_not_newer',
      `${newer.id} brings ${newer.version}, which is newer: abort it first, or publish a newer release`,
    )
  }
}
