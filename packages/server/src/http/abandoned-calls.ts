/** Callers that go away before their answer: work that was done only for them may end. */
import type { ServerResponse } from 'node:http'

/** A signal that is aborted when the connection ends before the answer is out. */
export function leavingOf(res: ServerResponse): AbortSignal {
  const leaving = new AbortController()
  if (res.destroyed) leaving.abort()
  res.once('close', () => {
    if (!res.writableFinished) leaving.abort()
  })
  return leaving.signal
}
