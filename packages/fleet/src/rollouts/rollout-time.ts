/** Time inside a rollout, and the two questions that several rules ask of its counters. */
import type { CheckInFacts, Rollout, Update } from './rollout.ts'

/**
 * The later of `now` and the latest instant that any write has seen: it never runs backwards,
 * whatever a replica's clock does.
 */
export function rolloutTime(rollout: Rollout, now: Date): Date {
  return now.getTime() > rollout.clockAt.getTime() ? now : rollout.clockAt
}

/** The device's update in that rollout, under way or ended. */
export function updateIn(rollout: Rollout, facts: CheckInFacts): Update | null {
  for (const update of facts.updates) {
    if (update.rolloutId === rollout.id) return update
  }
  return null
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
