/** How long a sender may make its reader wait, given the pace that its body must keep. */
import { secondMs } from '@seaworthy/std/time'
import type { Pace } from './limits.ts'
import { HttpError } from './problems.ts'

/** Keeps account of the time that a sender made its reader wait. */
export function createCredit({ graceMs, bytesPerSecondMin }: Pace) {
  let leftMs = graceMs
  return {
    /** How long the next piece may take. */
    leftMs: () => leftMs,
    spend(waitedMs: number, bytes: number): void {
      leftMs = Math.min(graceMs, leftMs - waitedMs + (bytes / bytesPerSecondMin) * secondMs)
      if (leftMs <= 0) throw timedOut()
    },
  }
}

export function timedOut(): HttpError {
  return new HttpError('body_timed_out', 'the body did not arrive in time', {
    headers: { connection: 'close' },
  })
}
