/** Keeps the online roles fresh, and tells people in time when an offline one runs out. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { raiseLifetimeAlarms, renewMetadata } from '../app/trust/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'log' | 'masterKey' | 'trust'>

/**
 * Renews the timestamp hourly, and the snapshot before half of its lifetime has passed. Does
 * nothing while the stored metadata does not verify.
 */
export function createMetadataRenewal(app: Deps): Task {
  return { name: 'metadata-renewal', everyMs: minuteMs, run: () => renewMetadata(app) }
}

/**
 * Raises each level of alarm once for each version: in the log file, in the audit log, and in
 * `/v1/trust/status` for as long as it lasts.
 */
export function createLifetimeAlarms(app: Deps): Task {
  return { name: 'lifetime-alarms', everyMs: 10 * minuteMs, run: () => raiseLifetimeAlarms(app) }
}
