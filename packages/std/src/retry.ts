/** Retries with waits that grow and never line up across a fleet. */
import type { Random } from './random.ts'
import type { Sleep } from './time.ts'

export interface BackOff {
  firstMs: number
  maxMs: number
  /**
   * The waits double each time; a wait is drawn at random between half and the whole of its step.
   */
  random: Random
}

/** The wait before attempt `attempt` (1 is the first repetition), in milliseconds. */
export function backOffMs(attempt: number, { firstMs, maxMs, random }: BackOff): number {
  const step = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(step / 2 + (random.fraction() * step) / 2)
}

/**
 * Runs `action` up to `attemptsMax` times. Throws the last error, or at once an error for which
 * `isRetryable` is false.
 */
export async function retry<T>(
  action: (attempt: number) => Promise<T>,
  options: BackOff & {
    attemptsMax: number
    sleep: Sleep
    isRetryable: (error: unknown) => boolean
    signal?: AbortSignal
  },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action(attempt)
    } catch (error) {
      if (attempt >= options.attemptsMax || !options.isRetryable(error)) throw error
      await options.sleep(backOffMs(attempt, options), options.signal)
    }
  }
}
