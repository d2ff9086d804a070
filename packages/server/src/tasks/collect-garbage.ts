/** Removes content that no release, no signed target and no tag needs, a day after its last use. */
import { collectGarbage } from '@seaworthy/oci/store/collect'
import { dayMs, hourMs, minuteMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { listNeededDigests } from '../app/trust/index.ts'
import { forgetExpiredAssertions } from '../app/devices/index.ts'
import type { Task } from './leader.ts'

export function createGarbageCollection(
  app: Pick<App, 'clock' | 'db' | 'health' | 'log' | 'store' | 'trust'>,
): Task {
  let isFirst = true
  return {
    name: 'collect-garbage',
    everyMs: 6 * hourMs,
    async run() {
      // The first run is skipped, because a server that starts has enough else to do.
      if (isFirst) {
        isFirst = false
        return
      }
      await app.trust.reload()
      if (app.health.hasProblem('metadata')) {
        app.log.error('garbage.skipped', { why: 'the stored metadata does not verify' })
        return
      }
      const result = await collectGarbage(app.store, {
        roots: () => listNeededDigests(app),
        clock: app.clock,
        graceMs: dayMs,
      })
      app.log.info('garbage.collected', { ...result })
    },
  }
}

/** Used assertions are remembered only for as long as they could be used again. */
export function createAssertionExpiry(app: Pick<App, 'clock' | 'db'>): Task {
  return {
    name: 'assertion-expiry',
    everyMs: 5 * minuteMs,
    run: () => forgetExpiredAssertions(app),
  }
}
