/**
 * The clock of a worker shows the database's time, which all replicas share. What one of them
 * writes, such as when a token expires or a session was last used, the others compare with their
 * own time: the clock of the machine under a worker must therefore decide nothing.
 */
import type { Clock, Sleep } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import type { Log } from '@seaworthy/std/log'
import type { Db } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'

export interface FollowedClock extends Clock {
  /**
   * Asks the database for its time. While the database does not answer, the time goes on from the
   * last answer.
   */
  compare(): Promise<void>
}

/** Clocks that are looked after differ by less. */
const toldDifferenceMs = 5 * secondMs

/**
 * Resolves when the database has said its time once. `clock` only measures how much time passes
 * from then on.
 */
export async function followDatabaseClock(
  db: Pick<Db, 'reader'>,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Log, 'warn' | 'info'> },
): Promise<FollowedClock> {
  /** The time of the database at the zero of the monotonic clock, in milliseconds. */
  let startMs: number | undefined
  let isTold = false
  const compare = async () => {
    const askedMs = clock.monotonicMs()
    const at = (await readClock(db.reader)).getTime()
    const answeredMs = clock.monotonicMs()
    // The database read its clock between the question and the answer. An estimate that fits is
    // kept: a slow answer moves nothing.
    const [earliestMs, latestMs] = [at - answeredMs, at - askedMs]
    startMs = Math.min(Math.max(startMs ?? (earliestMs + latestMs) / 2, earliestMs), latestMs)
    const aheadMs = clock.now().getTime() - (startMs + clock.monotonicMs())
    const isOff = Math.abs(aheadMs) > toldDifferenceMs
    if (isOff && !isTold) {
      log.warn('clock.differs', {
        aheadSeconds: Math.round(aheadMs / secondMs),
        reason:
          'the clock of this machine is not that of the database, which is used instead: set the clock',
      })
    }
    isTold = isOff
  }
  await compare()
  return {
    now: () => new Date(startMs! + clock.monotonicMs()),
    monotonicMs: () => clock.monotonicMs(),
    compare,
  }
}

const everyMs = 10 * secondMs

/** Compares the clocks now and then, until the returned function is called. */
export function keepComparing(
  followed: Pick<FollowedClock, 'compare'>,
  { sleep, log }: { readonly sleep: Sleep; readonly log: Pick<Log, 'warn'> },
): () => Promise<void> {
  const end = new AbortController()
  const keep = async () => {
    while (!end.signal.aborted) {
      try {
        await sleep(everyMs, end.signal)
        await followed.compare()
      } catch (error) {
        if (!end.signal.aborted) log.warn('clock.not-compared', { error })
      }
    }
  }
  const keeping = keep()
  return async () => {
    end.abort(new Error('stopped'))
    await keeping
  }
}
