/**
 * The session lock of whichever worker, on whichever host, runs the background tasks; and whether
 * all is well.
 */
import type { Sleep } from '@seaworthy/std/time'
import { pingDatabase } from '../../db/connection.ts'
import type { App, HealthProblem } from '../app.ts'

export const leaderLockKey = 7_403_010

/** A load balancer asks every few seconds and does not wait for long. */
const answerMs = 2000

/**
 * Empty when the server can do its work. Whether any worker leads is in the health that
 * `startLeaderTasks` keeps.
 */
export async function checkReadiness(
  app: Pick<App, 'db' | 'health' | 'sleep'>,
): Promise<HealthProblem[]> {
  const problems = [...app.health.problems()]
  const ping = pingDatabase(app.db, leaderLockKey)
  const answer = await answerWithin(app.sleep, answerMs, ping).catch((error: unknown) => {
    if (error instanceof LateError) return 'unreachable'
    throw error
  })
  if (answer === 'unreachable') {
    problems.push({ part: 'database', problem: 'the database does not answer' })
  }
  return problems
}

/** What was asked was not answered in time; it may still be, and nobody listens any more. */
class LateError extends Error {
  override readonly name = 'LateError'
}

/** The answer, or `LateError` after `ms`. */
export async function answerWithin<T>(sleep: Sleep, ms: number, answer: Promise<T>): Promise<T> {
  const answered = new AbortController()
  const late = sleep(ms, answered.signal).then(() => {
    throw new LateError('the database did not answer in time')
  })
  // Whichever loses the race fails without being heard.
  late.catch(() => undefined)
  answer.catch(() => undefined)
  try {
    return await Promise.race([answer, late])
  } finally {
    answered.abort()
  }
}
