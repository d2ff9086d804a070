/**
 * What to do next, decided from what is written down and what is found on the disk and among the
 * processes: nothing else is remembered, so that the path after a power cut is the ordinary path.
 * Pure.
 */
import { unreachable } from '@seaworthy/std/refusal'
import type { DeviceState, StoredRelease } from '../state/device-state.ts'

export interface Facts {
  /** Digests that the links `current` and `previous` name. */
  current: string | undefined
  previous: string | undefined
  /** Digests of the releases that are stored whole. */
  stored: readonly string[]
  /**
   * Digest of the release whose application runs or is kept running; more than one after a crash.
   */
  running: readonly string[]
  /** Verdict on the trial that is under way in this process. */
  verdict: Verdict
}

/** The code of a trial is a `TrialFailure`, or what its content was refused for. */
export type Verdict =
  | { state: 'pending' }
  | { state: 'healthy' }
  | { state: 'failed'; code: string; reason?: string | undefined }

export type InstallStep =
  /** Do nothing: everything is as it should be. */
  | { do: 'rest' }
  /** Make the links name these releases; `null` for no link. */
  | { do: 'point'; current: StoredRelease | null; previous: StoredRelease | null }
  | { do: 'stop'; sha256: string }
  | { do: 'start'; release: StoredRelease; isTrial: boolean }
  /** Wait for the verdict on the trial. */
  | { do: 'watch'; release: StoredRelease }
  | { do: 'commit'; release: StoredRelease }
  /** Give up the trial: from here on the committed release is put back. */
  | { do: 'begin-undo'; release: StoredRelease; code: string; reason?: string | undefined }
  | { do: 'finish-undo'; release: StoredRelease; code: string }
  /** Remove a stored release to which nothing may go back. */
  | { do: 'remove'; sha256: string }
  /** Report that the committed release is no longer on the disk. */
  | { do: 'report-missing'; release: StoredRelease }

/**
 * A trial that is started this often without a verdict (power cuts, a machine that falls over) has
 * failed.
 */
const trialStartsMax = 3

export function planStep(state: DeviceState, facts: Facts): InstallStep {
  const { update, committed } = state
  if (update === null) return planWithoutUpdate(state, facts)
  switch (update.phase) {
    case 'trial':
      return planTrial(state, facts, update.release, update.starts)
    case 'undo': {
      const wanted =
        committed !== null && facts.stored.includes(committed.sha256) ? committed : null
      return (
        planPlacing(facts, wanted, state.fallback, false) ?? {
          do: 'finish-undo',
          release: update.release,
          code: update.code ?? 'interrupted',
        }
      )
    }
    default:
      return unreachable(update.phase)
  }
}

function planWithoutUpdate(state: DeviceState, facts: Facts): InstallStep {
  const { committed, fallback } = state
  if (committed !== null && !facts.stored.includes(committed.sha256)) {
    return { do: 'report-missing', release: committed }
  }
  const placing = planPlacing(facts, committed, fallback, false)
  if (placing !== undefined) return placing
  const kept = [committed?.sha256, fallback?.sha256, state.staged?.sha256]
  const useless = facts.stored.find((sha256) => !kept.includes(sha256))
  return useless === undefined ? { do: 'rest' } : { do: 'remove', sha256: useless }
}

function planTrial(
  state: DeviceState,
  facts: Facts,
  release: StoredRelease,
  starts: number,
): InstallStep {
  if (!facts.stored.includes(release.sha256)) {
    const reason = 'its files are no longer on the disk'
    return { do: 'begin-undo', release, code: 'release_missing', reason }
  }
  if (facts.verdict.state === 'failed') {
    const { code, reason } = facts.verdict
    return { do: 'begin-undo', release, code, ...(reason === undefined ? {} : { reason }) }
  }
  const isRunning = facts.running.includes(release.sha256)
  if (!isRunning && starts >= trialStartsMax) {
    const reason = `started ${starts} times without a verdict`
    return { do: 'begin-undo', release, code: 'interrupted', reason }
  }
  const placing = planPlacing(facts, release, state.committed, true)
  if (placing !== undefined) return placing
  return facts.verdict.state === 'healthy' ? { do: 'commit', release } : { do: 'watch', release }
}

/** The next step towards the wanted links and the wanted application running, and nothing else. */
function planPlacing(
  facts: Facts,
  wanted: StoredRelease | null,
  previous: StoredRelease | null,
  isTrial: boolean,
): InstallStep | undefined {
  const stray = facts.running.find((sha256) => sha256 !== wanted?.sha256)
  if (stray !== undefined) return { do: 'stop', sha256: stray }
  const previousStored =
    previous !== null &&
    previous.sha256 !== wanted?.sha256 &&
    facts.stored.includes(previous.sha256)
      ? previous
      : null
  if (facts.current !== wanted?.sha256 || facts.previous !== previousStored?.sha256) {
    return { do: 'point', current: wanted, previous: previousStored }
  }
  if (wanted !== null && !facts.running.includes(wanted.sha256)) {
    return { do: 'start', release: wanted, isTrial }
  }
  return undefined
}
