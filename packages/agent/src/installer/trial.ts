/**
 * Is the new release good? Pure: probe results and exits go in, a verdict comes out.
 *
 * The release has one window to become healthy. It is committed once the window is over and it has
 * been healthy for at least half a window without interruption. Three failed probes in a row after
 * it was healthy, three exits, or a window without one success end the trial.
 */
import type { BundleManifest } from '@seaworthy/oci/bundle/manifest'
import type { TrialFailure } from '../refusals.ts'
import type { Verdict } from './release-plan.ts'

export interface Trial {
  startedAtMs: number
  windowMs: number
  healthySinceMs: number | undefined
  failuresInARow: number
  exits: number
}

export type Observation =
  | { kind: 'probe'; isHealthy: boolean }
  | { kind: 'exit' }
  | { kind: 'time' }

const failuresMax = 3
const exitsMax = 3

export function startTrial(nowMs: number, windowMs: number): Trial {
  return { startedAtMs: nowMs, windowMs, healthySinceMs: undefined, failuresInARow: 0, exits: 0 }
}

export function observe(
  trial: Trial,
  nowMs: number,
  seen: Observation,
): { trial: Trial; verdict: Verdict } {
  const next = record(trial, nowMs, seen)
  return { trial: next, verdict: judge(next, nowMs) }
}

function record(trial: Trial, nowMs: number, seen: Observation): Trial {
  if (seen.kind === 'exit') {
    return { ...trial, exits: trial.exits + 1, healthySinceMs: undefined, failuresInARow: 0 }
  }
  if (seen.kind === 'time') return trial
  if (seen.isHealthy) {
    return { ...trial, healthySinceMs: trial.healthySinceMs ?? nowMs, failuresInARow: 0 }
  }
  // Failures before the first success mean an application that is still starting.
  if (trial.healthySinceMs === undefined) return trial
  return { ...trial, failuresInARow: trial.failuresInARow + 1 }
}

const failed = (code: TrialFailure): Verdict => ({ state: 'failed', code })

function judge(trial: Trial, nowMs: number): Verdict {
  if (trial.exits >= exitsMax) return failed('crash_loop')
  if (trial.failuresInARow >= failuresMax) return failed('health_failed')
  const endMs = trial.startedAtMs + trial.windowMs
  if (nowMs < endMs) return { state: 'pending' }
  if (trial.healthySinceMs === undefined) return failed('health_failed')
  if (trial.failuresInARow > 0) return { state: 'pending' }
  return nowMs - trial.healthySinceMs >= trial.windowMs / 2
    ? { state: 'healthy' }
    : { state: 'pending' }
}

/** The reason of a failed verdict for people; it names the cause that was seen last. */
export function explainFailure(
  { exits, healthySinceMs, failuresInARow }: Trial,
  { health, windowSeconds }: Pick<BundleManifest, 'health' | 'windowSeconds'>,
  { fault, lastExit }: { fault: string | undefined; lastExit: string | undefined },
): string {
  const ended = `it ended ${exits === 1 ? 'once' : `${exits} times`}, the last time with ${lastExit ?? 'an unknown exit'}`
  if (exits >= exitsMax) return ended
  const check =
    health.kind === 'http'
      ? `GET ${health.url}`
      : health.kind === 'exec'
        ? health.command.join(' ')
        : 'the application'
  const why = fault === undefined ? '' : `: ${fault}`
  if (healthySinceMs !== undefined) {
    return `${check} failed ${failuresInARow} times in a row after it had been healthy${why}`
  }
  const never = `${check} was not healthy once in ${windowSeconds} s`
  return exits > 0 ? `${never}: ${ended}` : `${never}${why}`
}

/**
 * The time between probes: short while nothing is known yet, so that a good release is seen soon;
 * then a twentieth of the window, between 0.2 and 10 s.
 */
export function probeIntervalMs(trial: Trial): number {
  if (trial.healthySinceMs === undefined) return 250
  return Math.min(10_000, Math.max(200, trial.windowMs / 20))
}
