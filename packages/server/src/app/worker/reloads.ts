/**
 * What a worker has in memory is loaded again when something of it has changed. A load that fails
 * is tried again until it succeeds: the next notification may be days away, and until then the
 * worker would answer from what it had, and say that it is not ready.
 */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app.ts'

export interface Reloads {
  /** Begins a load. Its failure is a problem of this part until a later load succeeds. */
  readonly begin: (what: string, load: () => Promise<void>) => void
  /** Tries nothing again from now on. */
  readonly stop: () => void
}

const againMs = secondMs

export function createReloads({
  health,
  log,
  sleep,
}: Pick<App, 'health' | 'sleep'> & { readonly log: Pick<App['log'], 'error'> }): Reloads {
  const end = new AbortController()
  const waiting = new Set<string>()
  const begin = (what: string, load: () => Promise<void>) => {
    load().then(
      () => health.report(`cache:${what}`, null),
      (error: unknown) => {
        if (end.signal.aborted) return
        log.error('cache.reload-failed', { what, error })
        health.report(`cache:${what}`, 'it could not be loaded again')
        // One that waits already loads whatever is new by then.
        if (waiting.has(what)) return
        waiting.add(what)
        sleep(againMs, end.signal).then(
          () => {
            waiting.delete(what)
            begin(what, load)
          },
          () => undefined,
        )
      },
    )
  }
  return { begin, stop: () => end.abort(new Error('stopped')) }
}
