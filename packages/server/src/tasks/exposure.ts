/** Reads what new releases are made of, and counts what devices run. */
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { countRunningReleases, readSboms } from '../app/vulnerabilities/index.ts'
import type { Task } from './leader.ts'

export function createSbomReading(app: Pick<App, 'clock' | 'db' | 'store'>): Task {
  return {
    name: 'sboms',
    everyMs: 5 * secondMs,
    run: (signal) => readSboms(app, signal),
  }
}

export function createReleaseCounts(app: Pick<App, 'clock' | 'db'>): Task {
  return {
    name: 'release-counts',
    everyMs: minuteMs / 2,
    run: () => countRunningReleases(app),
  }
}
