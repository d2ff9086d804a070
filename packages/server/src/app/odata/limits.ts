/**
 * How many questions may wait or be answered at once, and how many changes of what a filter finds
 * may be made: each may take seconds, and a change takes a connection by which others write.
 */
import type { ODataRefusal } from '@seaworthy/api/odata'
import { TooOftenRefusal } from '../worker/index.ts'

export interface Turns {
  /** Throws `odata_waiting` for one question too many. */
  within<T>(actor: string, work: () => Promise<T>): Promise<T>
}

const turnsMax = {
  question: { ofActorMax: 8, ofAllMax: 64 },
  change: { ofActorMax: 1, ofAllMax: 2 },
} as const
const retryAfterSeconds = 5

export function createTurns(kind: keyof typeof turnsMax): Turns {
  const { ofActorMax, ofAllMax } = turnsMax[kind]
  const counts = new Map<string, number>()
  let all = 0
  return {
    async within(actor, work) {
      const count = counts.get(actor) ?? 0
      if (count >= ofActorMax || all >= ofAllMax) {
        const whose = count >= ofActorMax ? 'yours' : 'all callers'
        throw new TooOftenRefusal<ODataRefusal>(
          'odata_waiting',
          kind === 'question'
            ? `too many questions of ${whose} are being answered: ask again when one of them is`
            : `enough changes by filters of ${whose} are being made: send it again when one of them is done`,
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
