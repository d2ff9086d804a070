/** Lets rollouts go on by themselves: time-outs, gates, waves, ends. What it does is worked out anew each time. */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { countDueMembers, moveRollouts } from '../app/rollouts/index.ts'
import type { CountingTimes } from '../app/rollouts/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'health' | 'log' | 'releases' | 'rollouts' | 'trust'>

/** Woken by every change of a rollout as well. */
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
