/** Versions of a fleet's configuration. */
import { secondMs } from '@seaworthy/std/time'

const beginning = Date.UTC(2026, 0, 1)

/**
 * Above the version before, and no lower than the seconds since 2026: what is set after a backup
 * was restored counts as newer, on devices, than what was set after it was taken.
 */
export function nextVersion(before: number, now: Date): number {
  return Math.max(before + 1, Math.floor((now.getTime() - beginning) / secondMs))
}
