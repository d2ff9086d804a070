/** Frees restart slots that are held for longer than their fleet allows. */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { watchRebootLocks } from '../app/restarts/index.ts'
import type { Task } from './leader.ts'

export function createRebootLockWatch(app: Pick<App, 'clock' | 'db' | 'log'>): Task {
  return {
    name: 'reboot-locks',
    everyMs: 5 * secondMs,
    run: () => watchRebootLocks(app),
  }
}
