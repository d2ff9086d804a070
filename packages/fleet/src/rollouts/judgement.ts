/**
 * Whether failures stop a rollout. Failures that a person accepted by resuming are left out
 * everywhere.
 */
import type { Rollout, StopCode } from './rollout.ts'
import { newFailuresCount, rolloutTime } from './rollout-time.ts'
import { countsOf } from './wave-counts.ts'
import { formatDevices, formatPercent } from './words.ts'

/**
 * The rollout paused or aborted, with the figures in its reason; `null` while no failure stops it.
 */
export function judgeFailures(rollout: Rollout, now: Date): Rollout | null {
  if (rollout.state !== 'active') return null
  const verdict = judge(rollout)
  if (verdict === null) return null
  const at = rolloutTime(rollout, now)
  const isAbort = rollout.policy.onFailure === 'abort'
  return {
    ...rollout,
    state: isAbort ? 'aborted' : 'paused',
    stopCode: verdict.code,
    stopReason: verdict.reason,
    endedAt: isAbort ? at : null,
    clockAt: at,
    revision: rollout.revision + 1,
  }
}

function judge(rollout: Rollout): { code: StopCode; reason: string } | null {
  const { policy } = rollout
  const failuresCount = newFailuresCount(rollout)
  if (failuresCount === 0) return null
  if (policy.safeMode) {
    return {
      code: 'safe_mode',
      reason: `in safe mode the first failure stops: ${formatDevices(failuresCount)} failed`,
    }
  }
  if (policy.failuresMax !== null && failuresCount > policy.failuresMax) {
    const reason = `${formatDevices(failuresCount)} failed, and the error budget allows ${policy.failuresMax}`
    return { code: 'error_budget', reason }
  }
  for (let wave = 0; wave < rollout.wavesOpenCount; wave += 1) {
    const { failurePercentMax, sampleMin } = policy.waves[wave]!.gate
    if (failurePercentMax === null) continue
    const { failed, ended, isAll } = endedIn(rollout, wave)
    if (failed === 0 || (ended < sampleMin && !isAll)) continue
    const percent = (failed / ended) * 100
    if (percent <= failurePercentMax) continue
    const reason = `wave ${wave + 1}: ${failed} of ${ended} ended updates failed (${formatPercent(percent)}), and its gate allows ${formatPercent(failurePercentMax)}`
    return { code: 'failure_gate', reason }
  }
  return null
}

/**
 * The wave's updates with a verdict, without accepted failures. `isAll` means that, as far as is
 * known, nobody else is waited for: stopping too early does no harm.
 */
function endedIn(
  rollout: Rollout,
  wave: number,
): { failed: number; ended: number; isAll: boolean } {
  const { healthy, failed, underWay, waiting } = countsOf(rollout, wave)
  return { failed, ended: healthy + failed, isAll: underWay === 0 && waiting?.min === 0 }
}
