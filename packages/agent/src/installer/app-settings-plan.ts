/**
 * What to do next about variables and secrets on trial, decided from what is written down and from
 * what this process has done. Pure.
 */
import type { AppSettingsTrial } from '../state/device-state.ts'
import type { Verdict } from './release-plan.ts'

export interface AppSettingsFacts {
  /**
   * Which of them this process has given to the application last; `undefined` after a start in the
   * middle of a trial, when nobody knows what an application that still runs has read.
   */
  readonly given: 'confirmed' | 'trial' | undefined
  /** Whether an application runs that can be watched. */
  readonly isWatchable: boolean
  readonly verdict: Verdict
}

export type AppSettingsStep =
  | { do: 'rest' }
  /** Give the application what is on trial. */
  | { do: 'try' }
  /** Wait for the verdict. */
  | { do: 'watch' }
  | { do: 'confirm' }
  /** Give up the trial: from here on what was confirmed is put back. */
  | { do: 'begin-undo'; code: string }
  | { do: 'put-back' }
  | { do: 'finish-undo'; code: string }

/** A trial that began this often without a verdict (power cuts) has failed. */
const trialStartsMax = 3

export function planAppSettings(
  trial: AppSettingsTrial | null,
  { given, isWatchable, verdict }: AppSettingsFacts,
): AppSettingsStep {
  if (trial === null) return { do: 'rest' }
  if (trial.phase === 'undo') {
    return given === 'confirmed'
      ? { do: 'finish-undo', code: trial.code ?? 'interrupted' }
      : { do: 'put-back' }
  }
  if (verdict.state === 'failed') return { do: 'begin-undo', code: verdict.code }
  if (given !== 'trial') {
    return trial.starts >= trialStartsMax
      ? { do: 'begin-undo', code: 'interrupted' }
      : { do: 'try' }
  }
  // Nothing can fail where no application runs.
  if (verdict.state === 'healthy' || !isWatchable) return { do: 'confirm' }
  return { do: 'watch' }
}

/**
 * Whether the step comes before anything else: an application that does not start with what is on
 * trial is not started with it again.
 */
export function isUrgent(step: AppSettingsStep): boolean {
  return step.do === 'begin-undo' || step.do === 'put-back'
}
