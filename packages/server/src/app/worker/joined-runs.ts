/**
 * Many who ask for the same at the same time share the work: at most one run at once, and one that
 * waits. Whoever asks gets the answer of a run that began after the question, so that it is never
 * older than what each would have found alone.
 */
export function shareRuns<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined
  const start = () => {
    const run = work().finally(() => {
      if (running === run) running = undefined
    })
    running = run
    return run
  }
  return () => {
    if (next !== undefined) return next
    if (running === undefined) return start()
    const startNext = () => {
      next = undefined
      return start()
    }
    next = running.then(startNext, startNext)
    return next
  }
}
