/** Time series of rollouts and of the versions in fleets, and their thinning. */
import { hourMs, minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { takeSamples, thinOldSamples } from '../app/rollouts/index.ts'
import type { Task } from './leader.ts'

export function createFleetHistory(app: Pick<App, 'clock' | 'db'>): Task {
  return { name: 'fleet-history', everyMs: minuteMs / 2, run: () => takeSamples(app) }
}

export function createHistoryThinning(app: Pick<App, 'clock' | 'db'>): Task {
  return { name: 'history-thinning', everyMs: hourMs, run: () => thinOldSamples(app) }
}
