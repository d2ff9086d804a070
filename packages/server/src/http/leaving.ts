/** Callers that go away before their answer: what was done for them alone may end. */
import type { ServerResponse } from 'node:http'

/** Aborted when the connection ends before the answer is out. */
export function leavingOf(res: ServerResponse): AbortSignal {
  const leaving = new AbortController()
  if (res.destroyed) leaving.abort()
  res.once('close', () => {
    if (!res.writableFinished) leaving.abort()
  })
  return leaving.signal
}
