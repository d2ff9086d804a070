/**
 * Check-ins of one worker, written together: while one batch is on its way to the disk the next one gathers. Each is
 * acknowledged only after its batch was committed. What a device has said before takes one statement for the whole batch
 * (`db/check-ins.ts`); whoever says something new, or signs, goes on to a second one, for which nobody else waits (RFD 7).
 */
import type { DeviceReport } from '@seaworthy/api/device'
import type { Db } from '../db/connection.ts'
import type {
  DeviceFacts,
  IdleCheckIn,
  SignedReportWrite,
  WrittenCheckIn,
} from '../db/check-ins.ts'
import { storeReports, writeIdleCheckIns, writeSignedReports } from '../db/check-ins.ts'
import type { Ports } from './app.ts'
import type { Arrival, CheckInObserver } from './metrics/check-ins.ts'
import type { Backlog } from './overload.ts'
import { refuseOverload, slowdownOf } from './overload.ts'
import { digestReport } from './report-digest.ts'

export interface CheckInInput {
  readonly checkIn: {
    readonly device: string
    readonly seenAt: Date
    readonly report: DeviceReport
    /** `digestReport(report)`, where it is known already. */
    readonly digest?: string | undefined
  }
  /** `undefined` for an idle check-in that rides on its token alone. */
  readonly signed: SignedReportWrite | undefined
}

export type CheckInOutcome =
  | ({ readonly kind: 'stored' } & DeviceFacts)
  | { readonly kind: 'unknown_device' }
  | { readonly kind: 'signature_missing' }
  | { readonly kind: 'sequence_reused' }

export interface CheckIns {
  /** To be asked before anything is done for a check-in; throws `OverloadRefusal` when too many wait. */
  admit(): void
  /** Accepts it in any case; resolves when it is durable. */
  submit(input: CheckInInput): Promise<CheckInOutcome>
  /** By how much devices should poll less often at the moment: 1 to 4. */
  slowdown(): number
}

interface Waiting extends CheckInInput {
  readonly row: IdleCheckIn
  readonly sinceMs: number
  readonly arrival: Arrival
  readonly resolve: (outcome: CheckInOutcome) => void
  readonly reject: (error: unknown) => void
}

const batchMax = 1000
/** A batch begins at once when so many wait, otherwise some time after the one before: a commit costs as much as 30 rows. */
const batchWorthwhile = 64
const gatherMs = 20
/** While a few devices come, but more than one: then it is the wake-ups that cost, and nobody is in a hurry. */
const gatherFewMs = 150
const fewPerMs = 0.25

export function createCheckIns(
  db: Db,
  observer: CheckInObserver,
  ports: Pick<Ports, 'clock' | 'sleep' | 'random'>,
): CheckIns {
  const write =
    (work: (batch: readonly Waiting[]) => Promise<void>) => async (batch: Waiting[]) => {
      try {
        await observer.batch(
          batch.map(({ arrival }) => arrival),
          () => work(batch),
        )
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
  const news = createQueue(
    ports,
    gatherMs,
    write((batch) => writeNews(db, batch)),
  )
  const idle = createQueue(
    ports,
    gatherFewMs,
    write(async (batch) => {
      const facts = await db.writeRows((tx) =>
        writeIdleCheckIns(
          tx,
          batch.map(({ row }) => row),
          batch.at(-1)!.checkIn.seenAt,
        ),
      )
      for (const [i, waiting] of batch.entries()) {
        const known = facts[i]
        if (known === undefined) news.add(waiting)
        else waiting.resolve({ kind: 'stored', ...known })
      }
    }),
  )
  observer.watchQueue(() => ({
    length: idle.waiting().length + news.waiting().length,
    oldest: (news.waiting()[0] ?? idle.waiting()[0])?.arrival,
  }))
  const backlog = (): Backlog => {
    const nowMs = ports.clock.monotonicMs()
    const sinceMs = Math.min(idle.oldestMs() ?? nowMs, news.oldestMs() ?? nowMs)
    return {
      count: idle.waiting().length + news.waiting().length,
      oldestMs: nowMs - sinceMs,
    }
  }
  return {
    admit: () => refuseOverload(backlog(), ports.random),
    slowdown: () => slowdownOf(backlog()),
    submit: (input) =>
      new Promise((resolve, reject) => {
        const row = describeCheckIn(input.checkIn)
        const sinceMs = ports.clock.monotonicMs()
        const waiting = { ...input, row, sinceMs, arrival: observer.arrive(), resolve, reject }
        if (input.signed === undefined) idle.add(waiting)
        else news.add(waiting)
      }),
  }
}

/** What changes each time, and a digest of the rest. */
function describeCheckIn({ device, report, digest }: CheckInInput['checkIn']): IdleCheckIn {
  const { at, timestampVerifiedAt } = report
  return {
    device,
    digest: digest ?? digestReport(report),
    reportedAtSeconds: Date.parse(at) / 1000,
    verifiedAtSeconds: timestampVerifiedAt === null ? null : Date.parse(timestampVerifiedAt) / 1000,
  }
}

interface Queue {
  add(waiting: Waiting): void
  waiting(): readonly Waiting[]
  /** When the oldest came of those that are not answered yet, on the monotonic clock. */
  oldestMs(): number | undefined
}

/** One batch at a time. `fewMs` is how long it gathers while they come few at a time. */
function createQueue(
  { clock, sleep }: Pick<Ports, 'clock' | 'sleep'>,
  fewMs: number,
  writeBatch: (batch: Waiting[]) => Promise<void>,
): Queue {
  let queue: Waiting[] = []
  let isWriting = false
  let begunMs = -gatherMs
  let areFew = false
  /** When the oldest of the batch that is being written came. */
  let underWayMs: number | undefined
  let wake: (() => void) | undefined

  const gather = async () => {
    const waitMs = begunMs + (areFew ? fewMs : gatherMs) - clock.monotonicMs()
    if (queue.length >= batchWorthwhile || waitMs <= 0) return
    const enough = Promise.withResolvers<void>()
    wake = enough.resolve
    await Promise.race([sleep(waitMs), enough.promise])
    wake = undefined
  }
  const writeAll = async () => {
    while (queue.length > 0) {
      await gather()
      const nowMs = clock.monotonicMs()
      const { batch, rest } = takeBatch(queue)
      queue = rest
      areFew = batch.length > 1 && batch.length < fewPerMs * (nowMs - begunMs)
      begunMs = nowMs
      underWayMs = Math.min(...batch.map(({ sinceMs }) => sinceMs))
      await writeBatch(batch)
      underWayMs = undefined
    }
    isWriting = false
  }
  return {
    add(waiting) {
      queue.push(waiting)
      if (queue.length === batchWorthwhile) wake?.()
      if (isWriting) return
      isWriting = true
      // After the other requests that have arrived already.
      setImmediate(() => void writeAll())
    },
    waiting: () => queue,
    oldestMs: () => underWayMs ?? queue[0]?.sinceMs,
  }
}

/** At most one check-in per device; a second one of the same device waits for the next batch. */
function takeBatch(queue: readonly Waiting[]): { batch: Waiting[]; rest: Waiting[] } {
  const sorted = queue
    .slice(0, batchMax)
    .toSorted((a, b) => (a.row.device < b.row.device ? -1 : a.row.device > b.row.device ? 1 : 0))
  const batch: Waiting[] = []
  const again: Waiting[] = []
  for (const waiting of sorted) {
    if (batch.at(-1)?.row.device === waiting.row.device) again.push(waiting)
    else batch.push(waiting)
  }
  return { batch, rest: [...again, ...queue.slice(batchMax)] }
}

async function writeNews(db: Db, batch: readonly Waiting[]): Promise<void> {
  const { written, conflicts } = await db.write(async (tx) => {
    const signed = batch.flatMap((waiting) => waiting.signed ?? [])
    const reused = await writeSignedReports(tx, signed)
    const rows = batch.flatMap(({ row, checkIn, signed: own }) =>
      reused.has(row.device)
        ? []
        : { ...row, report: JSON.stringify(checkIn.report), isSigned: own !== undefined },
    )
    return {
      conflicts: reused,
      written: await storeReports(tx, rows, batch.at(-1)!.checkIn.seenAt),
    }
  })
  for (const { row, resolve } of batch) {
    if (conflicts.has(row.device)) resolve({ kind: 'sequence_reused' })
    else resolve(outcomeOf(written.get(row.device)))
  }
}

function outcomeOf(written: WrittenCheckIn | undefined): CheckInOutcome {
  if (written === undefined) return { kind: 'unknown_device' }
  const { isAccepted, ...facts } = written
  return isAccepted ? { kind: 'stored', ...facts } : { kind: 'signature_missing' }
}
