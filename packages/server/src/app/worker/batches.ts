/**
 * Micro-batches: many callers share one write. One batch is under way at a time; what arrives
 * meanwhile waits for the next one. `gathering.ts` decides when that begins; it begins at once when
 * `worthwhile` rows wait. A batch has at most one item of each key, in the order of the keys, so
 * that rows are always locked in one order. Nothing that was added is dropped; the owner asks
 * `backlog` before it adds more than can be written.
 */
import { minOf } from '@seaworthy/std/numbers'
import type { Ports } from '../app.ts'
import type { GatheringTimes } from './gathering.ts'
import { lateFromShare, learnFrom, startGathering } from './gathering.ts'
import type { Backlog } from './overload.ts'

export interface Batches<T> {
  add(item: T): void
  /**
   * The number of items that are in no batch yet, and the age of the oldest item that is not
   * written yet.
   */
  backlog(): Backlog
}

export interface BatchesOptions<T> {
  readonly keyOf: (item: T) => string
  readonly times: GatheringTimes
  /** The most items in one batch. */
  readonly batchMax?: number
  /** Must not throw: failures belong to the items. */
  readonly write: (batch: readonly T[]) => Promise<void>
}

interface Added<T> {
  readonly item: T
  readonly key: string
  readonly sinceMs: number
}

/** While few devices check in, most of the cost is in wake-ups, and nobody is in a hurry. */
export const checkInTimes: GatheringTimes = { usualMs: 20, fewMs: 150 }

const usualBatchMax = 1000
/** This many rows cost about twice as much as the commit itself: waiting for more gains little. */
const worthwhile = 64

export function createBatches<T>(
  { clock, sleep }: Pick<Ports, 'clock' | 'sleep'>,
  { keyOf, times, write, batchMax = usualBatchMax }: BatchesOptions<T>,
): Batches<T> {
  let queue: Added<T>[] = []
  let isWriting = false
  let gathering = startGathering(times)
  let begunMs = -Infinity
  /** When the oldest item of the batch that is being written arrived. */
  let underWayMs: number | undefined
  let wake: (() => void) | undefined

  /** Waits for more rows, and answers whether it waited to the end. */
  const gather = async (): Promise<boolean> => {
    const waitMs = begunMs + gathering.waitMs - clock.monotonicMs()
    if (queue.length >= worthwhile || !(waitMs > 0)) return false
    const enough = Promise.withResolvers<void>()
    wake = enough.resolve
    await Promise.race([sleep(waitMs), enough.promise])
    wake = undefined
    return queue.length < worthwhile
  }
  const writeAll = async () => {
    while (queue.length > 0) {
      const hasWaited = await gather()
      const nowMs = clock.monotonicMs()
      const lateFromMs = begunMs + lateFromShare * gathering.waitMs
      const { batch, rest } = takeBatch(queue, batchMax)
      queue = rest
      const lateCount = batch.filter(({ sinceMs }) => sinceMs > lateFromMs).length
      const begun = { count: batch.length, lateCount, hasWaited, beforeMs: begunMs, nowMs }
      gathering = learnFrom(gathering, begun, times)
      begunMs = nowMs
      underWayMs = minOf(batch.map(({ sinceMs }) => sinceMs))
      await write(batch.map(({ item }) => item))
      underWayMs = undefined
    }
    isWriting = false
  }
  return {
    add(item) {
      queue.push({ item, key: keyOf(item), sinceMs: clock.monotonicMs() })
      if (queue.length === worthwhile) wake?.()
      if (isWriting) return
      isWriting = true
      // Other requests that have arrived already are read first.
      setImmediate(() => void writeAll())
    },
    backlog() {
      const sinceMs = underWayMs ?? queue[0]?.sinceMs
      const oldestMs = sinceMs === undefined ? 0 : clock.monotonicMs() - sinceMs
      return { count: queue.length, oldestMs }
    },
  }
}

/**
 * Takes at most one item of each key; a second one of the same key waits for the next batch. The
 * whole queue is searched, so a caller that asks a thousand times keeps nobody else out of the
 * batch.
 */
function takeBatch<T>(
  queue: readonly Added<T>[],
  countMax: number,
): { batch: Added<T>[]; rest: Added<T>[] } {
  const batch = new Map<string, Added<T>>()
  const rest: Added<T>[] = []
  for (const added of queue) {
    if (batch.size < countMax && !batch.has(added.key)) batch.set(added.key, added)
    else rest.push(added)
  }
  return {
    batch: [...batch.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    rest,
  }
}
