/** Waiting for a condition, in tests only. */
import { systemSleep } from './time.ts'

/**
 * Checks every 50 ms until the condition holds. Throws an `Error` with `what` when it does not
 * within `timeoutMs`: far longer than it takes on any machine, because no test decides by how long
 * something takes.
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
