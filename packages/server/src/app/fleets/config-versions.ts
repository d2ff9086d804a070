/** Versions of a fleet's configuration. */
import { versionAt } from '@seaworthy/trust/secrets'

/**
 * Above the version before, and no lower than the seconds since 2026: what is set after a backup
 * was restored counts as newer, on devices, than what was set after it was taken.
 */
export function nextConfigVersion(before: number, now: Date): number {
  return Math.max(before + 1, versionAt(now))
}

/**
 * The version of a fleet after a device came from another one. A device fetches what has another
 * number than what it has: the number must be none that it can have from there. A fleet that never
 * had variables or secrets has given it nothing.
 */
export function versionAfterMove(entered: number, left: number): number {
  return left === 0 ? entered : Math.max(entered, left + 1)
}
