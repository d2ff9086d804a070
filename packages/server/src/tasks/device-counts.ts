/** Counts devices for people who watch the server. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { createDeviceCounter } from '../app/metrics/index.ts'
import type { Task } from './leader.ts'

export function createDeviceCounts(app: Pick<App, 'clock' | 'db' | 'metrics'>): Task {
  return { name: 'device-counts', everyMs: minuteMs, run: createDeviceCounter(app) }
}
