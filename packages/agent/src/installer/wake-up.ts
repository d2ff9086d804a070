/** What makes the loops of the agent look again before their time. */
import type { Clock, Sleep } from '@seaworthy/std/time'

/** The least time between polls that the agent begins because of what it has done itself. */
const ownPollMs = 5000

export interface WakeUp {
  readonly wake: () => void
  /** Resolves with the next call of `wake`, or with one that nobody has awaited yet. */
  readonly awaited: (signal: AbortSignal) => Promise<void>
}

/** A wake-up that remembers one call while nobody waits for it. */
export function createWakeUp(): WakeUp {
  let isCalled = false
  let resume: (() => void) | undefined
  return {
    wake() {
      isCalled = true
      resume?.()
    },
    async awaited(signal) {
      signal.throwIfAborted()
      if (!isCalled) {
        await new Promise<void>((resolve, reject) => {
          resume = resolve
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      }
      isCalled = false
    },
  }
}

/**
 * Wakes at once, but no sooner than the least time after the last one: what a server sends decides
 * when the agent is done with something, and must not make it poll without a pause.
 */
export function createPacedWake(
  { clock, sleep }: { clock: Clock; sleep: Sleep },
  wake: () => void,
  signal: AbortSignal,
): () => void {
  let atMs = -Infinity
  return () => {
    const nowMs = clock.monotonicMs()
    if (atMs > nowMs) return
    const waitMs = Math.max(0, atMs + ownPollMs - nowMs)
    atMs = nowMs + waitMs
    if (waitMs === 0) return wake()
    sleep(waitMs, signal).then(wake, () => {})
  }
}
