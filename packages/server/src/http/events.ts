/** `GET /v1/events`: changes as server-sent events, for as long as the reader stays. */
import type { ChangeEvent } from '@seaworthy/api/events'
import { eventsPath } from '@seaworthy/api/events'
import { readersMax } from '../app/events/index.ts'
import type { App } from '../app/app.ts'
import type { AttemptLimiter } from './authenticate.ts'
import { authenticate } from './authenticate.ts'
import { refuseBody } from './bodies.ts'
import type { RawHandler } from './endpoint.ts'
import { HttpError } from './problems.ts'

/** When a reader whose connection broke comes back. */
const retryMs = 2000
/** A reader who takes nothing for so long is sent away, and reads everything when back. */
const unsentBytesMax = 64 * 1024

export function createEventsHandler(app: App, limiter: AttemptLimiter): RawHandler {
  return {
    prefix: eventsPath,
    methods: ['GET'],
    async answer(req, res) {
      const actor = await authenticate(app, req, 'actor', limiter, app.clock.now())
      refuseBody(req)
      const send = (text: string) => {
        if (res.writableLength > unsentBytesMax) res.destroy()
        else res.write(text)
      }
      const leave = app.events.watch(actor, {
        tell: (event) => send(formatEvent(event)),
        end: () => res.end(),
      })
      if (leave === undefined) {
        throw new HttpError(
          'too_many_requests',
          `${readersMax.ofActor} streams of one account, or ${readersMax.ofWorker} in all, are open already: close a page, or ask the lists again from time to time`,
          { headers: { 'retry-after': '30' } },
        )
      }
      // Somebody who left while their rights were read sends no `close` any more.
      if (res.closed) {
        leave()
        return
      }
      res.once('close', leave)
      res.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        // A proxy that gathers answers would keep events back.
        'x-accel-buffering': 'no',
      })
      send(`retry: ${retryMs}\n\n`)
    },
  }
}

function formatEvent(event: ChangeEvent | 'heartbeat' | 'all'): string {
  if (event === 'heartbeat') return ': still here\n\n'
  if (event === 'all') return 'event: all\ndata: {}\n\n'
  return `event: change\ndata: ${JSON.stringify(event)}\n\n`
}
