/** Keeps the online roles fresh. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { renewMetadata } from '../app/trust/index.ts'
import type { Task } from './leader.ts'

type Deps = Pick<App, 'clock' | 'db' | 'log' | 'masterKey' | 'trust'>

/**
 * Renews the timestamp hourly, and the snapshot before half of its lifetime has passed. Does
 * nothing while the stored metadata does not verify.
 */
export function createMetadataRenewal(app: Deps): Task {
  return { name: 'metadata-renewal', everyMs: minuteMs, run: () => renewMetadata(app) }
}
