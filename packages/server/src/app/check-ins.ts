/**
 * Check-ins of one worker, written together: while one batch is on its way to the disk the next one gathers. Each is
 * acknowledged only after its batch was committed.
 */
import type { Db } from '../db/connection.ts'
import type { CheckInWrite, SignedReportWrite, WrittenCheckIn } from '../db/check-ins.ts'
import { writeCheckIns, writeSignedReports } from '../db/check-ins.ts'
import type { Arrival, CheckInObserver } from './metrics/check-ins.ts'

export interface CheckInInput {
  readonly checkIn: CheckInWrite
  /** `undefined` for an idle check-in that rides on its token alone. */
  readonly signed: SignedReportWrite | undefined
}

export type CheckInOutcome =
  | ({ readonly kind: 'stored' } & WrittenCheckIn)
  | { readonly kind: 'unknown_device' }
  | { readonly kind: 'signature_missing' }
  | { readonly kind: 'sequence_reused' }

export interface CheckIns {
  submit(input: CheckInInput): Promise<CheckInOutcome>
}

interface Waiting extends CheckInInput {
  readonly arrival: Arrival
  readonly resolve: (outcome: CheckInOutcome) => void
  readonly reject: (error: unknown) => void
}

const batchMax = 1000

export function createCheckIns(db: Db, observer: CheckInObserver): CheckIns {
  let queue: Waiting[] = []
  let isWriting = false
  observer.watchQueue(() => ({ length: queue.length, oldest: queue[0]?.arrival }))

  const writeAll = async () => {
    isWriting = true
    try {
      while (queue.length > 0) {
        const { batch, rest } = takeBatch(queue)
        queue = rest
        const arrivals = batch.map(({ arrival }) => arrival)
        await observer.batch(arrivals, () => writeBatch(db, batch))
      }
    } finally {
      isWriting = false
    }
  }
  return {
    submit: (input) =>
      new Promise((resolve, reject) => {
        queue.push({ ...input, arrival: observer.arrive(), resolve, reject })
        // After the other requests that have arrived already.
        if (!isWriting) {
          isWriting = true
          setImmediate(() => void writeAll())
        }
      }),
  }
}

/** At most one check-in per device; a second one of the same device waits for the next batch. */
function takeBatch(queue: readonly Waiting[]): { batch: Waiting[]; rest: Waiting[] } {
  const batch = new Map<string, Waiting>()
  const rest: Waiting[] = []
  for (const waiting of queue) {
    const { device } = waiting.checkIn
    if (batch.size < batchMax && !batch.has(device)) batch.set(device, waiting)
    else rest.push(waiting)
  }
  return { batch: [...batch.values()], rest }
}

async function writeBatch(db: Db, batch: readonly Waiting[]): Promise<void> {
  try {
    const signed = batch.flatMap((waiting) => waiting.signed ?? [])
    const { written, conflicts } = await db.write(async (tx) => ({
      conflicts: await writeSignedReports(tx, signed),
      written: await writeCheckIns(
        tx,
        batch.map(({ checkIn, signed: isSigned }) => ({
          ...checkIn,
          isSigned: isSigned !== undefined,
        })),
      ),
    }))
    for (const { checkIn, resolve } of batch) {
      const row = written.get(checkIn.device)
      if (row === undefined) resolve({ kind: 'unknown_device' })
      else if (conflicts.has(checkIn.device)) resolve({ kind: 'sequence_reused' })
      else if (!row.isAccepted) resolve({ kind: 'signature_missing' })
      else resolve({ kind: 'stored', ...row })
    }
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}
