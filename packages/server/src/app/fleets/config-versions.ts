/** Versions of a fleet's configuration. */
import { versionAt } from '@seaworthy/trust/secrets'

/**
 * The next version: above the one before, and no lower than the seconds since 2026, so that devices
 * take what is set after a backup was restored as newer than what was set after it was taken.
 */
export function nextConfigVersion(before: number, now: Date): number {
  return Math.max(before + 1, versionAt(now))
}

/**
 * The version of a fleet after a device came from another one. A device fetches a configuration
 * whose number differs from its own: the number must be one that its old fleet cannot have given
 * it. A fleet that never had variables or secrets has given it nothing.
 */
export function versionAfterMove(entered: number, left: number): number {
  return left === 0 ? entered : Math.max(entered, left + 1)
}
