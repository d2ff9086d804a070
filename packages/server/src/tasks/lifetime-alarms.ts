/** Tells people in time when an offline role runs out. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { raiseLifetimeAlarms } from '../app/trust/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'log' | 'masterKey' | 'trust'>

/**
 * Raises each level of alarm once for each version: in the log file, in the audit log, and in
 * `/v1/trust/status` for as long as it lasts.
 */
export function createLifetimeAlarms(app: Deps): Task {
  return { name: 'lifetime-alarms', everyMs: 10 * minuteMs, run: () => raiseLifetimeAlarms(app) }
}
