import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { forgetExpiredAssertions } from '../app/devices/index.ts'
import type { Task } from './leader.ts'

/** Used assertions are remembered only for as long as they could be used again. */
export function createAssertionExpiry(app: Pick<App, 'clock' | 'db'>): Task {
  return {
    name: 'assertion-expiry',
    everyMs: 5 * minuteMs,
    run: () => forgetExpiredAssertions(app),
  }
}
