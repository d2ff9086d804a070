/** How workers read anew what they keep in memory: a run that began earlier never ends later. */
export interface Singleflight<T> {
  (): Promise<T>
  readonly isShared: true
}

/**
 * A singleflight: callers that ask for the same at the same time share the work, with at most one
 * run under way and one that waits. A caller gets the answer of a run that began after it asked, so
 * the answer is never older than what the caller would have found alone.
 */
export function createSingleflight<T>(work: () => Promise<T>): Singleflight<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined
  const start = () => {
    const run = work().finally(() => {
      if (running === run) running = undefined
    })
    running = run
    return run
  }
  const ask = () => {
    if (next !== undefined) return next
    if (running === undefined) return start()
    const startNext = () => {
      next = undefined
      return start()
    }
    next = running.then(startNext, startNext)
    return next
  }
  return Object.assign(ask, { isShared: true } as const)
}
