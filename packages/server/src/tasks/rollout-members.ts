/** Counts the members of waves again, where they are due. */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { countDueMembers } from '../app/rollouts/index.ts'
import type { CountingTimes } from '../app/rollouts/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'health' | 'log' | 'releases' | 'rollouts' | 'trust'>

export function createMemberCounts(app: Deps): Task {
  const restUntilMs: CountingTimes = new Map()
  return {
    name: 'rollout-members',
    everyMs: 2 * secondMs,
    run: () => countDueMembers(app, restUntilMs),
  }
}
