/** Ends leases of stored credentials in time, and drops the accounts that were made for them. */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { sweepLeases } from '../app/credentials/index.ts'
import type { Task } from './leader.ts'

export function createLeaseSweep(
  app: Pick<App, 'callerLog' | 'credentialKey' | 'db' | 'random'>,
): Task {
  return { name: 'leases', everyMs: 5 * secondMs, run: () => sweepLeases(app) }
}
