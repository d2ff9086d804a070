/** Ports that count what passes through them, so that the code on either side need not. */
import type { Db } from '../../db/connection.ts'
import type { Clock } from '@seaworthy/std/time'
import type { Tracer } from '../traces/index.ts'
import type { Metrics } from './server-metrics.ts'

/**
 * Wraps a database: transactions are counted, timed and traced, and it is known whether this worker
 * leads.
 */
export function observeDb(
  db: Db,
  { metrics, clock, tracer }: { metrics: Metrics; clock: Clock; tracer: Tracer | undefined },
): Db {
  let isLeading = false
  metrics.meter.gauge(
    {
      name: 'seaworthy_leader',
      help: '1 while a worker of this server runs the background tasks.',
      merge: 'max',
    },
    () => [{ value: isLeading ? 1 : 0 }],
  )
  const timed = async <T>(kind: string, work: () => Promise<T>): Promise<T> => {
    const startedMs = clock.monotonicMs()
    try {
      const result = await work()
      metrics.transactions.add(1, kind, 'committed')
      return result
    } catch (error) {
      metrics.transactions.add(1, kind, 'failed')
      throw error
    } finally {
      metrics.transactionSeconds.observe((clock.monotonicMs() - startedMs) / 1000, kind)
    }
  }
  const traced = <T>(kind: string, work: () => Promise<T>): Promise<T> =>
    tracer === undefined
      ? timed(kind, work)
      : tracer.span('database.transaction', { kind }, () => timed(kind, work))
  return {
    ...db,
    readSnapshot: (work) => traced('snapshot', () => db.readSnapshot(work)),
    write: (work) => traced('write', () => db.write(work)),
    writeRows: (work) => traced('rows', () => db.writeRows(work)),
    async tryLead() {
      const leadership = await db.tryLead()
      if (leadership === undefined) return undefined
      isLeading = true
      return {
        ...leadership,
        async release() {
          isLeading = false
          await leadership.release()
        },
      }
    },
    async endLead() {
      isLeading = false
      await db.endLead()
    },
  }
}
