/** What the device's durable state becomes by each act of an update. Pure; nothing is written. */
import type { DeviceState, StoredRelease } from '../state/device-state.ts'
import { rememberFailure } from '../state/failed-releases.ts'

/** What is told of a trial that failed, besides its code. */
export interface FailureWords {
  readonly reason?: string
  readonly output?: string[]
}

/** A start of the release on trial is counted before it is attempted. */
export function countStart(state: DeviceState): DeviceState {
  const { update } = state
  return update === null ? state : { ...state, update: { ...update, starts: update.starts + 1 } }
}

/**
 * The state after the trial was found healthy: one write, and the device can no longer go back
 * below it.
 */
export function commitRelease(state: DeviceState, release: StoredRelease): DeviceState {
  const floor = Math.max(state.floor, release.floor)
  const before = state.committed?.sha256 === release.sha256 ? state.fallback : state.committed
  return {
    ...state,
    committed: release,
    fallback:
      before !== null && before.counter >= floor && before.sha256 !== release.sha256
        ? before
        : null,
    committedCounter: Math.max(state.committedCounter, release.counter),
    floor,
    update: null,
    failure: null,
    outcome: { state: 'committed', targetPath: release.targetPath, sha256: release.sha256 },
  }
}

/** The trial is given up: from here on the committed release is put back. */
export function beginUndo(state: DeviceState, code: string, words: FailureWords): DeviceState {
  const { update } = state
  return update === null
    ? state
    : { ...state, update: { ...update, phase: 'undo', code, ...words } }
}

/** The committed release is back, and the one that failed is remembered. */
export function finishUndo(state: DeviceState, release: StoredRelease, code: string): DeviceState {
  const { targetPath, sha256, counter } = release
  const { reason, output } = state.update ?? {}
  return {
    ...state,
    update: null,
    outcome: { state: 'rolled_back', targetPath, sha256, code },
    failure: {
      sha256,
      code,
      ...(reason === undefined ? {} : { reason }),
      ...(output === undefined ? {} : { output: [...output] }),
    },
    failed: rememberFailure(state, { sha256, counter, code }),
  }
}

/**
 * The files of the committed release are gone. Counter and floor stay: what is fetched again must
 * not be older.
 */
export function forgetMissing(state: DeviceState, release: StoredRelease): DeviceState {
  const { targetPath, sha256 } = release
  const code = 'release_missing'
  return {
    ...state,
    outcome: { state: 'failed', targetPath, sha256, code },
    failure: { sha256, code, reason: 'its files are no longer on the disk' },
    committed: null,
    fallback: null,
  }
}
