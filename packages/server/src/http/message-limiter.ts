/** Limits how much one client may send: one that runs wild does not affect others. */
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'
import { tryLimits } from './limits.ts'
import { HttpError } from './problems.ts'

export interface MessageLimiter {
  /**
   * Throws `too_many_requests` for a client that has sent more than `max` within this minute, by
   * this worker's count.
   */
  admit(client: string, max?: number): void
}

export function createMessageLimiter(clock: Clock): MessageLimiter {
  let minute = 0
  let counts = new Map<string, number>()
  return {
    admit(client, max = tryLimits.messagesPerMinute) {
      const now = Math.floor(clock.monotonicMs() / minuteMs)
      if (now !== minute) {
        minute = now
        counts = new Map()
      }
      const count = (counts.get(client) ?? 0) + 1
      counts.set(client, count)
      if (count <= max) return
      throw new HttpError(
        'too_many_requests',
        `this client has sent more than ${max} messages within a minute: wait a minute, then send fewer`,
        { headers: { 'retry-after': '60' } },
      )
    },
  }
}
