/** Says in time that something is owed in a case. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { raiseCaseAlarms } from '../app/cases/index.ts'
import type { Task } from './leader.ts'

export function createCaseAlarms(app: Pick<App, 'clock' | 'db' | 'masterKey' | 'random'>): Task {
  return { name: 'case-alarms', everyMs: minuteMs / 6, run: () => raiseCaseAlarms(app) }
}
