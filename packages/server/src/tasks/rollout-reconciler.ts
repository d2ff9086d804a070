/**
 * Moves rollouts on without a person: time-outs, gates, waves, ends. What is to be done is computed
 * anew each time.
 */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { countDueMembers, moveRollouts } from '../app/rollouts/index.ts'
import type { CountingTimes } from '../app/rollouts/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'health' | 'log' | 'releases' | 'rollouts' | 'trust'>

/** Every change of a rollout also wakes this task. */
export function createRolloutReconciler(app: Deps): Task {
  return { name: 'rollout-reconciler', everyMs: secondMs, run: () => moveRollouts(app) }
}

export function createMemberCounts(app: Deps): Task {
  const restUntilMs: CountingTimes = new Map()
  return {
    name: 'rollout-members',
    everyMs: 2 * secondMs,
    run: () => countDueMembers(app, restUntilMs),
  }
}
