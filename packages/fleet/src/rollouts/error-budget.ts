/**
 * Whether failures stop a rollout. Failures that a person accepted by resuming are left out
 * everywhere. When a wave opens is in `planner.ts`.
 */
import { unreachable } from '@seaworthy/std/refusal'
import type { Rollout } from './rollout.ts'
import { rolloutTime } from './rollout.ts'
import { countsOf, newFailuresCount } from './wave-counts.ts'
import { formatDevices, formatPercent } from './words.ts'

/**
 * The rollout paused or aborted, with the figures in its reason; `null` while no failure stops it.
 */
export function judgeFailures(rollout: Rollout, now: Date): Rollout | null {
  if (rollout.state !== 'active') return null
  const verdict = judge(rollout)
  if (verdict === null) return null
  const at = rolloutTime(rollout, now)
  const { code: stopCode, ...stopValues } = verdict
  const isAbort = rollout.policy.onFailure === 'abort'
  return {
    ...rollout,
    state: isAbort ? 'aborted' : 'paused',
    stopCode,
    stopValues,
    stopReason: sayVerdict(verdict),
    endedAt: isAbort ? at : null,
    clockAt: at,
    revision: rollout.revision + 1,
  }
}

/** Why failures stop the rollout, with the figures. */
type Verdict =
  | { readonly code: 'safe_mode'; readonly failedCount: number }
  | { readonly code: 'error_budget'; readonly failedCount: number; readonly failuresMax: number }
  | {
      readonly code: 'failure_gate'
      /** Counted from 1. */
      readonly wave: number
      readonly failedCount: number
      readonly endedCount: number
      readonly percent: number
      readonly percentMax: number
    }

function judge(rollout: Rollout): Verdict | null {
  const { policy } = rollout
  const { safeMode, failuresMax } = policy
  const newFailures = newFailuresCount(rollout)
  if (newFailures === 0) return null
  if (safeMode) return { code: 'safe_mode', failedCount: newFailures }
  if (failuresMax !== null && newFailures > failuresMax) {
    return { code: 'error_budget', failedCount: newFailures, failuresMax }
  }
  for (let wave = 0; wave < rollout.wavesOpenCount; wave += 1) {
    const { failurePercentMax: percentMax, sampleMin } = policy.waves[wave]!.gate
    if (percentMax === null) continue
    const { failed, ended, isAll } = endedIn(rollout, wave)
    if (failed === 0 || (ended < sampleMin && !isAll)) continue
    const percent = (failed / ended) * 100
    if (percent <= percentMax) continue
    const counts = { failedCount: failed, endedCount: ended }
    return { code: 'failure_gate', wave: wave + 1, ...counts, percent, percentMax }
  }
  return null
}

function sayVerdict(verdict: Verdict): string {
  switch (verdict.code) {
    case 'safe_mode':
      return `in safe mode the first failure stops: ${formatDevices(verdict.failedCount)} failed`
    case 'error_budget':
      return `${formatDevices(verdict.failedCount)} failed, and the error budget allows ${verdict.failuresMax}`
    case 'failure_gate': {
      const { wave, failedCount, endedCount, percent, percentMax } = verdict
      return `wave ${wave}: ${failedCount} of ${endedCount} ended updates failed (${formatPercent(percent)}), and its gate allows ${formatPercent(percentMax)}`
    }
    default:
      return unreachable(verdict)
  }
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
