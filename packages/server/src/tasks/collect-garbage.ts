/** Removes content that no release, no signed target and no tag needs, a day after its last use. */
import { collectGarbage } from '@seaworthy/oci/store/garbage'
import { dayMs, hourMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import { recountStorage } from '../app/content/index.ts'
import { listNeededDigests } from '../app/trust/index.ts'
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

/**
 * Counts anew what products hold, after what nothing needs was removed, and for content that came
 * in without being counted.
 */
export function createStorageCount(app: Pick<App, 'clock' | 'db' | 'log' | 'store'>): Task {
  return {
    name: 'count-storage',
    everyMs: hourMs,
    async run() {
      // The store keeps an upload for a day after its last use.
      const unusedSince = new Date(app.clock.now().getTime() - 2 * dayMs)
      const counts = await recountStorage(app, unusedSince)
      if (counts.addedCount + counts.removedCount > 0) app.log.info('storage.counted', counts)
    },
  }
}
