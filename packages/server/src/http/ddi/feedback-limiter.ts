/** Limits how much feedback one device may send: a client that runs wild costs others nothing. */
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'
import { tryLimits } from '../limits.ts'
import { HttpError } from '../problems.ts'

export interface FeedbackLimiter {
  /**
   * Throws `too_many_requests` for a device that has sent too much within this minute, by this
   * worker's count.
   */
  admit(deviceId: string): void
}

export function createFeedbackLimiter(clock: Clock): FeedbackLimiter {
  let minute = 0
  let counts = new Map<string, number>()
  return {
    admit(deviceId) {
      const now = Math.floor(clock.monotonicMs() / minuteMs)
      if (now !== minute) {
        minute = now
        counts = new Map()
      }
      const count = (counts.get(deviceId) ?? 0) + 1
      counts.set(deviceId, count)
      if (count <= tryLimits.messagesPerMinute) return
      throw new HttpError('too_many_requests', 'too many messages of this device in a minute', {
        headers: { 'retry-after': '60' },
      })
    },
  }
}
