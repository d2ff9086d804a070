/**
 * Which release is newer, and what that means for a device and for a fleet. Releases of one product
 * are ordered by their signed counter, and by nothing else.
 */

export interface Counted {
  readonly counter: number
}

/** A release as it is told from every other of its product. */
export interface ReleaseId extends Counted {
  readonly sha256: string
}

/** How far a device has come. */
export interface DeviceProgress {
  readonly running: ReleaseId | null
  readonly committedCounter: number
  readonly floor: number
}

export function isSameRelease(a: ReleaseId, b: ReleaseId): boolean {
  return a.counter === b.counter && a.sha256 === b.sha256
}

export function isNewer(release: Counted, than: Counted): boolean {
  return release.counter > than.counter
}

/** Orders releases for `toSorted`. */
export function newestFirst(a: Counted, b: Counted): number {
  return b.counter - a.counter
}

/** The release with the highest counter, or `undefined`. */
export function newestRelease<T extends Counted>(releases: readonly T[]): T | undefined {
  let newest: T | undefined
  for (const release of releases) {
    if (newest === undefined || isNewer(release, newest)) newest = release
  }
  return newest
}

/** Whether the release is older than what the device has committed to, so that it may never run. */
export function isBelowFloor(release: Counted, { floor }: { readonly floor: number }): boolean {
  return release.counter < floor
}

/** The highest counter that the device runs or has committed. */
export function reachedCounter({
  running,
  committedCounter,
}: Pick<DeviceProgress, 'committedCounter'> & { readonly running: Counted | null }): number {
  return Math.max(running?.counter ?? 0, committedCounter)
}

/**
 * `running`: the device runs this very release. `newer`: it may take it. `again`: it has committed
 * it, runs nothing now, and may take it once more. `not_newer`: it would refuse it.
 */
export type Standing = 'running' | 'newer' | 'again' | 'not_newer'

/** How the release stands to the device. The device checks the same again. */
export function standingOf(release: ReleaseId, device: DeviceProgress): Standing {
  const { running } = device
  if (running !== null && isSameRelease(running, release)) return 'running'
  const reached = { counter: reachedCounter(device) }
  if (isBelowFloor(release, device)) return 'not_newer'
  if (isNewer(release, reached)) return 'newer'
  return running === null && release.counter === reached.counter ? 'again' : 'not_newer'
}

/** Whether the release may become what a fleet with that baseline gets. */
export function mayFollowBaseline(release: Counted, baseline: Counted | null): boolean {
  return baseline === null || isNewer(release, baseline)
}
