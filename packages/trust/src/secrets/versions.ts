/**
 * Versions of what applications get: the seconds since 2026, or one more than the version before.
 * Whoever takes one over asks whether it can have been given by now.
 */
const beginning = Date.UTC(2026, 0, 1)

/** What is set at this time has this version, unless changes come faster. */
export function versionAt(time: Date): number {
  return Math.max(0, Math.floor((time.getTime() - beginning) / 1000))
}
