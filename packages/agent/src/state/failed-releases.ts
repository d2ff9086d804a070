/** What this device remembers of releases that failed on it, and whether one may be tried again. */
export interface FailedRelease {
  sha256: string
  counter: number
  code: string
  /** How often it failed; absent: once. */
  times?: number
}

interface Remembered {
  readonly failed: readonly FailedRelease[]
}

const failedMax = 32

/**
 * The most attempts at a signed release that fails, whatever a server says: each interrupts the
 * service of this device.
 */
const attemptsMax = 10

/** The list with one failure more. The oldest of too many leaves it. */
export function rememberFailure(remembered: Remembered, failure: FailedRelease): FailedRelease[] {
  const known = remembered.failed.find(({ sha256 }) => sha256 === failure.sha256)
  const others = remembered.failed.filter((other) => other !== known)
  const isAgain = known !== undefined && known.counter === failure.counter
  const times = isAgain ? (known.times ?? 1) + 1 : 1
  return [...others, { ...failure, times }].slice(-failedMax)
}

/**
 * A release that failed here is left alone until it is signed again under a higher counter, or the
 * server asks for a further attempt at it.
 */
export function hasFailed(
  remembered: Remembered,
  release: { sha256: string; counter: number },
  attempt: number,
): boolean {
  return remembered.failed.some(
    ({ sha256, counter, times = 1 }) =>
      sha256 === release.sha256 &&
      (counter > release.counter ||
        (counter === release.counter && times >= Math.min(attempt, attemptsMax))),
  )
}
