/** Deletes old reports of devices and old events of updates, a part at a time. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { firstCursor, forgetOldRecords } from '../app/retention.ts'
import type { Task } from './leader.ts'

export function createRetention(app: Pick<App, 'db' | 'clock'>): Task {
  let cursor = firstCursor
  return {
    name: 'retention',
    everyMs: 10 * minuteMs,
    async run() {
      cursor = await forgetOldRecords(app, cursor)
    },
  }
}
