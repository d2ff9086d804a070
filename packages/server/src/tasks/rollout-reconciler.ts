/**
 * Moves rollouts on without a person: time-outs, gates, waves, ends. What is to be done is computed
 * anew each time.
 */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { moveRollouts } from '../app/rollouts/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'health' | 'log' | 'releases' | 'rollouts' | 'trust'>

/** Every change of a rollout also wakes this task. */
export function createRolloutReconciler(app: Deps): Task {
  return { name: 'rollout-reconciler', everyMs: secondMs, run: () => moveRollouts(app) }
}
