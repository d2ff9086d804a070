/** Offering a rollout's release to a device that was admitted. */
import { periodIndexAt, rateAfterOffer } from './pace.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { rolloutTime, updateIn } from './rollout.ts'
import { moveCounters } from './updates.ts'

/** The next attempt, and the rollout with its counters, period and rate as they are then. */
export function recordOffer(
  rollout: Rollout,
  facts: CheckInFacts,
  wave: number,
  now: Date,
): { rollout: Rollout; update: Update } {
  const at = rolloutTime(rollout, now)
  const before = updateIn(rollout, facts)
  const update: Update = {
    rolloutId: rollout.id,
    deviceId: facts.deviceId,
    wave,
    attempt: (before?.attempt ?? 0) + 1,
    state: 'offered',
    code: null,
    offeredAt: at,
    offeredSequence: facts.sequence,
    hasStarted: false,
    changedAt: at,
    deadlineAt: new Date(at.getTime() + rollout.policy.timeoutSeconds * 1000),
    endedAt: null,
  }
  const periodIndex = periodIndexAt(rollout, at)
  const isSamePeriod = periodIndex === rollout.periodIndex
  return {
    update,
    rollout: {
      ...moveCounters(rollout, before, update),
      periodIndex,
      periodOfferedCount: (isSamePeriod ? rollout.periodOfferedCount : 0) + 1,
      rateNextMs: rateAfterOffer(rollout, at),
    },
  }
}
