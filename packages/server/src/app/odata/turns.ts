/** How many questions may wait or be answered at once: they may each take seconds. */
import type { ODataRefusal } from '@seaworthy/api/odata'
import { TooOftenRefusal } from '../worker/index.ts'

export interface Turns {
  /** Throws `odata_waiting` for one question too many. */
  within<T>(actor: string, work: () => Promise<T>): Promise<T>
}

const ofActorMax = 8
const ofAllMax = 64
const retryAfterSeconds = 5

export function createTurns(): Turns {
  const counts = new Map<string, number>()
  let all = 0
  return {
    async within(actor, work) {
      const count = counts.get(actor) ?? 0
      if (count >= ofActorMax || all >= ofAllMax) {
        const whose = count >= ofActorMax ? 'yours' : 'all callers'
        throw new TooOftenRefusal<ODataRefusal>(
          'odata_waiting',
          `too many questions of ${whose} are being answered: ask again when one of them is`,
          retryAfterSeconds,
        )
      }
      counts.set(actor, count + 1)
      all++
      try {
        return await work()
      } finally {
        all--
        const left = counts.get(actor)! - 1
        if (left === 0) counts.delete(actor)
        else counts.set(actor, left)
      }
    },
  }
}
