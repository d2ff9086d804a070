/** Waiting for a condition, and comparing work, in tests only. */
import assert from 'node:assert/strict'
import { systemSleep } from './time.ts'

/**
 * Checks until the condition holds: every 50 ms at first, every 150 ms when it takes long, and for
 * no more than half of the time, because what is waited for needs the processors too. Throws an
 * `Error` with `what` when it does not within `timeoutMs`: far longer than it takes on any machine,
 * because no test decides by how long something takes.
 */
export async function waitUntil(
  what: string | (() => Promise<string>),
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const startMs = performance.now()
  for (;;) {
    const askedMs = performance.now()
    if (await holds()) return
    const nowMs = performance.now()
    if (nowMs - startMs > timeoutMs) {
      const text = typeof what === 'string' ? what : await what()
      throw new Error(`did not happen in ${timeoutMs} ms: ${text}`)
    }
    const pauseMs = Math.min(50 + (nowMs - startMs) / 20, 150)
    await systemSleep(Math.max(pauseMs, Math.min(nowMs - askedMs, 1000)))
  }
}

const timesMax = 60

/**
 * Throws an `Error` with `what` when the hostile work takes far longer than plain work on as many
 * bytes. Quadratic work on tens of kilobytes takes many hundred times as long. What counts is the
 * processor time of this thread in the best of several runs, because on a busy machine every run
 * that is long enough is interrupted, and short ones are not. Where the plain work is the same
 * function on as much that is harmless, `most` may be far lower.
 */
export function requireLinearWork(
  what: string,
  plain: () => void,
  hostile: () => void,
  most = timesMax,
): void {
  // The first runs come before the code is compiled, and do not count.
  shortestMs(plain, 3)
  const plainMs = Math.max(shortestMs(plain, 5), 0.2)
  const hostileMs = shortestMs(hostile, 3)
  if (hostileMs <= most * plainMs) return
  throw new Error(`${what} takes ${Math.round(hostileMs / plainMs)} times as long as plain text`)
}

function shortestMs(work: () => void, runs: number): number {
  let shortest = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run++) {
    const begin = process.threadCpuUsage()
    work()
    const { user, system } = process.threadCpuUsage(begin)
    shortest = Math.min(shortest, (user + system) / 1000)
  }
  return shortest
}

/** The check of `assert.rejects` for an error with this code; any other one is in its message. */
export function hasCode(code: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof Error && 'code' in error, String(error))
    assert.equal(error.code, code, String(error))
    return true
  }
}
