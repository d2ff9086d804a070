/**
 * A notification tells each worker at once that a device was removed. A connection can be dead for
 * a long time before anybody notices, so every worker also looks by itself: no token of a removed
 * device opens the registry for longer than this. (A check-in of such a device is refused by its
 * missing row in any case.)
 */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'

const everyMs = 15 * secondMs

/** Runs in every worker, until the returned function is called. */
export function watchRemovedDevices(
  app: Pick<App, 'log' | 'removedDevices' | 'sleep' | 'stoppedDevices'>,
): () => Promise<void> {
  const end = new AbortController()
  const watch = async () => {
    while (!end.signal.aborted) {
      try {
        await app.sleep(everyMs, end.signal)
        await app.removedDevices.reload()
        await app.stoppedDevices.reload()
      } catch (error) {
        if (!end.signal.aborted) app.log.warn('removed-devices.not-refreshed', { error })
      }
    }
  }
  const watching = watch()
  return async () => {
    end.abort(new Error('stopped'))
    await watching
  }
}
