/** The session lock of whichever worker, on whichever host, runs the background tasks; and whether all is well. */
import { pingDatabase } from '../db/connection.ts'
import type { App, HealthProblem } from './app.ts'

export const leaderLockKey = 7_403_010

/** Empty when the server can do its work. */
export async function checkReadiness(app: App): Promise<HealthProblem[]> {
  const problems = [...app.health.problems()]
  const answer = await pingDatabase(app.db, leaderLockKey)
  if (answer === 'unreachable') {
    problems.push({ part: 'database', problem: 'the database does not answer' })
  } else if (answer === 'no-leader') {
    problems.push({ part: 'tasks', problem: 'no worker runs the background tasks' })
  }
  return problems
}
