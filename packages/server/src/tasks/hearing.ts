/**
 * Every worker records in the database from time to time that it hears devices: a device's silence
 * counts only while some device is heard.
 */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'

const everyMs = 5 * secondMs

/** Runs in every worker, until the returned function is called. */
export function keepHearing(app: Pick<App, 'hearing' | 'log' | 'sleep'>): () => Promise<void> {
  const end = new AbortController()
  const keep = async () => {
    while (!end.signal.aborted) {
      try {
        await app.sleep(everyMs, end.signal)
        await app.hearing.store()
      } catch (error) {
        if (!end.signal.aborted) app.log.warn('hearing.not-stored', { error })
      }
    }
  }
  const keeping = keep()
  return async () => {
    end.abort(new Error('stopped'))
    await keeping
  }
}
