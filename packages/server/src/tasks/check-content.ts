/** Notices that content of signed releases is missing before devices do. */
import { minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { describeMissing, findMissingContent } from '../app/content/index.ts'
import type { Task } from './leader.ts'

export function createContentCheck(app: Pick<App, 'store' | 'trust' | 'log' | 'health'>): Task {
  return {
    name: 'check-content',
    everyMs: 5 * minuteMs,
    healthParts: ['content'],
    async run() {
      const releases = app.trust.state()?.releases
      const missing = releases === undefined ? [] : await findMissingContent(app.store, releases)
      for (const { path, why } of missing) app.log.error('release.content-missing', { path, why })
      app.health.report('content', describeMissing(missing))
    },
  }
}
