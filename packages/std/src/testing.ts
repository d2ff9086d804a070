/** For tests alone. Not for production code. */
import { systemSleep } from './time.ts'

/**
 * Looks every 50 ms until it holds. Throws an `Error` with `what` when it does not within `timeoutMs`: far longer than it takes
 * on any machine, because how long it takes is nothing that a test decides by.
 */
export async function waitUntil(
  what: string | (() => Promise<string>),
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > endMs) {
      const text = typeof what === 'string' ? what : await what()
      throw new Error(`did not happen in ${timeoutMs} ms: ${text}`)
    }
    await systemSleep(50)
  }
}
