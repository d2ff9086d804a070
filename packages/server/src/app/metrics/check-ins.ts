/** Counts, times and traces the queue of check-ins: its length, its age, and each batch. */
import type { Clock } from '@seaworthy/std/time'
import type { Backlog } from '../worker/index.ts'
import type { SpanContext, Tracer } from '../traces/index.ts'
import type { Metrics } from './server-metrics.ts'
import type { ForeignCheckIns } from '../app.ts'

/** One waiting check-in, with the span of its request. */
export interface Arrival {
  readonly span: SpanContext | undefined
}

export interface CheckInObserver {
  arrive(): Arrival
  /** Shows the queue; `read` is called at each scrape. */
  watchQueue(read: () => Backlog): void
  /** Wraps the writing of one batch. */
  batch<T>(arrivals: readonly Arrival[], work: () => Promise<T>): Promise<T>
}

const linksMax = 32

export function observeCheckIns(options: {
  readonly metrics: Metrics
  readonly clock: Clock
  readonly tracer: Tracer | undefined
}): CheckInObserver {
  const { clock, tracer } = options
  const { checkInBatchSize, checkInCommitSeconds, meter } = options.metrics
  return {
    arrive: () => ({ span: tracer?.current() }),
    watchQueue(read) {
      meter.gauge(
        {
          name: 'seaworthy_check_in_queue_length',
          help: 'Check-ins that wait for the next batch, over all workers.',
          merge: 'sum',
        },
        () => [{ value: read().count }],
      )
      meter.gauge(
        {
          name: 'seaworthy_check_in_queue_oldest_seconds',
          help: 'How long the oldest waiting check-in has waited; 0 when none waits.',
          merge: 'max',
        },
        () => [{ value: read().oldestMs / 1000 }],
      )
    },
    async batch(arrivals, work) {
      const startedMs = clock.monotonicMs()
      try {
        if (tracer === undefined) return await work()
        const links = arrivals.flatMap(({ span }) => span ?? []).slice(0, linksMax)
        const attributes = { 'batch.size': arrivals.length }
        return await tracer.root('check-in.batch', { attributes, links }, work)
      } finally {
        checkInBatchSize.observe(arrivals.length)
        checkInCommitSeconds.observe((clock.monotonicMs() - startedMs) / 1000)
      }
    },
  }
}

/** Counts the check-ins of other protocols. */
export function observeForeignCheckIns(
  checkIns: ForeignCheckIns,
  { checkIns: counter }: Pick<Metrics, 'checkIns'>,
): ForeignCheckIns {
  return {
    slowdown: () => checkIns.slowdown(),
    async poll(identity) {
      const state = await checkIns.poll(identity)
      counter.add(1, state === undefined ? 'unknown_device' : 'stored', identity.protocol)
      return state
    },
  }
}
