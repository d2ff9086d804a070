/** Devices that run a rollout's release without having been offered it. */
import { waveOf } from './waves.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { rolloutTime, updateIn } from './rollout.ts'
import { isUnderWay } from './update-states.ts'
import { hasReached } from './updates.ts'

/**
 * The update, committed, of a member of an open wave that runs this very release, whether the
 * release was never offered to it or its attempt counted as failed or superseded; otherwise `null`.
 * A newer release says nothing about this one: it makes no update, and what failed stays failed.
 * Waves by count take in only devices that were offered something, and a signed rollback only those
 * that came from the bad release.
 */
export function alreadyThere(rollout: Rollout, facts: CheckInFacts, now: Date): Update | null {
  if (rollout.state !== 'active' && rollout.state !== 'paused') return null
  if (!hasReached(rollout, facts)) return null
  const update = updateIn(rollout, facts)
  const code = 'already_running'
  const at = rolloutTime(rollout, now)
  if (update !== null) {
    if (isUnderWay(update) || update.state === 'committed') return null
    return { ...update, state: 'committed', code, changedAt: at, endedAt: at }
  }
  if (rollout.fromSha256 !== null) return null
  const wave = waveOf(rollout, facts, 'without-counts')
  if (wave === null || wave >= rollout.wavesOpenCount) return null
  return {
    rolloutId: rollout.id,
    deviceId: facts.deviceId,
    wave,
    attempt: 1,
    state: 'committed',
    code,
    offeredAt: at,
    offeredSequence: facts.sequence,
    hasStarted: false,
    changedAt: at,
    deadlineAt: at,
    endedAt: at,
  }
}
