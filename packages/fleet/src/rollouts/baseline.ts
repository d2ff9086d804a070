/** Which release devices get when no rollout serves them. */
import type { Baseline } from '../fleets/index.ts'
import { reachesAll } from './policy.ts'
import { mayFollowBaseline } from '../releases/order.ts'
import type { Rollout } from './rollout.ts'

/**
 * The fleet's baseline once the rollout has finished. Its counter only grows, in whatever order
 * rollouts end, so that old content comes back only by a signed rollback, which is a release with a
 * higher counter. A signed rollback replaces the baseline that it leads away from, and no other.
 */
export function nextBaseline(baseline: Baseline | null, rollout: Rollout): Baseline | null {
  if (rollout.state !== 'finished' || !reachesAll(rollout.policy)) return baseline
  const { version, sha256, counter, fromSha256 } = rollout
  if (!mayFollowBaseline(rollout, baseline)) return baseline
  if (fromSha256 !== null && baseline?.sha256 !== fromSha256) return baseline
  return { version, sha256, counter }
}
