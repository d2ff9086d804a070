/** Whether the server can do its work: what its tasks found, and whether the database answers. */
import type { Sleep } from '@seaworthy/std/time'
import { pingDatabase } from '../../db/connection.ts'
import type { App, HealthProblem } from '../app.ts'

/**
 * The time for an answer is short, because a load balancer asks every few seconds and does not wait
 * for long.
 */
const answerMs = 2000

/**
 * Lists the server's problems; there are none when it can do its work. Whether any worker leads is
 * in the health that `startLeaderTasks` keeps.
 */
export async function checkReadiness(
  app: Pick<App, 'db' | 'health' | 'sleep'>,
): Promise<HealthProblem[]> {
  const problems = [...app.health.problems()]
  const ping = pingDatabase(app.db)
  const answer = await answerWithin(app.sleep, answerMs, ping).catch((error: unknown) => {
    if (error instanceof LateError) return 'unreachable'
    throw error
  })
  if (answer === 'unreachable') {
    problems.push({ part: 'database', problem: 'the database does not answer' })
  }
  return problems
}

/** The answer did not come in time; it may still come, but nobody listens any more. */
class LateError extends Error {
  override readonly name = 'LateError'
}

/** Answers what `answer` resolves to, or throws `LateError` after `ms`. */
export async function answerWithin<T>(sleep: Sleep, ms: number, answer: Promise<T>): Promise<T> {
  const answered = new AbortController()
  const late = sleep(ms, answered.signal).then(() => {
    throw new LateError('the database did not answer in time')
  })
  // The loser of the race may reject, and nobody would handle that.
  late.catch(() => undefined)
  answer.catch(() => undefined)
  try {
    return await Promise.race([answer, late])
  } finally {
    answered.abort()
  }
}
