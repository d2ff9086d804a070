/**
 * The guard against slow retrieval: a minimum average rate over a sliding window, and a deadline
 * that grows with the signed length.
 */

export interface RateLimits {
  windowMs: number
  /** The minimum rate, averaged over the window. */
  bytesPerSecondMin: number
  /**
   * The deadline of a whole download is this plus the time that its length takes at the minimum
   * rate.
   */
  deadlineBaseMs: number
}

export const rateLimits: RateLimits = {
  windowMs: 30_000,
  bytesPerSecondMin: 1024,
  deadlineBaseMs: 120_000,
}

/** How much faster a source must be while there are others to ask. */
const hurriedTimes = 32

/**
 * The limits for a source while others are left: one that sends just enough to be kept could hold
 * an update up for days.
 */
export function hurried(limits: RateLimits): RateLimits {
  return { ...limits, bytesPerSecondMin: limits.bytesPerSecondMin * hurriedTimes }
}

/** The time after which a download of that length is given up, whatever arrives. */
export function deadlineMsOf(size: number, limits: RateLimits): number {
  return limits.deadlineBaseMs + (size / limits.bytesPerSecondMin) * 1000
}

interface Sample {
  atMs: number
  bytes: number
}

export interface RateWatch {
  /** Notes bytes that arrived at that monotonic instant. */
  add(atMs: number, bytes: number): void
  /** Whether the source must be given up, as of that instant. */
  isTooSlow(atMs: number): boolean
}

export function createRateWatch(startMs: number, size: number, limits: RateLimits): RateWatch {
  const deadlineMs = startMs + deadlineMsOf(size, limits)
  /** There is at most one sample per hundredth of the window, so that memory stays flat. */
  let samples: Sample[] = []
  return {
    add(atMs, bytes) {
      const last = samples.at(-1)
      if (last !== undefined && atMs - last.atMs < limits.windowMs / 100) last.bytes += bytes
      else samples.push({ atMs, bytes })
    },
    isTooSlow(atMs) {
      if (atMs > deadlineMs) return true
      const fromMs = atMs - limits.windowMs
      samples = samples.filter((sample) => sample.atMs > fromMs)
      if (fromMs < startMs) return false
      const bytes = samples.reduce((sum, sample) => sum + sample.bytes, 0)
      return bytes < (limits.bytesPerSecondMin * limits.windowMs) / 1000
    },
  }
}
