/**
 * Check-ins of one worker, written in micro-batches (`batches.ts`). Each is acknowledged only after
 * its batch was committed. Reports that repeat what their devices said before take one statement
 * for the whole batch (`db/check-ins.ts`); a check-in that says something new, or is signed, goes
 * through a second batch, for which no other check-in waits (RFD 7).
 */
import type { Db } from '../../db/connection.ts'
import type { IdleCheckIn, WrittenCheckIn } from '../../db/check-ins.ts'
import { storeReports, writeIdleCheckIns, writeSignedReports } from '../../db/check-ins.ts'
import type { Log } from '@seaworthy/std/log'
import type { Ports, CheckInInput, CheckInOutcome, CheckIns } from '../app.ts'
import type { Arrival, CheckInObserver } from '../metrics/index.ts'
import {
  checkInTimes,
  createBatches,
  createWaitingLimit,
  joinBacklogs,
  refuseOverload,
  slowdownOf,
} from '../worker/index.ts'
import type { Backlog } from '../worker/index.ts'
import { digestReport } from './report-digest.ts'
import type { FollowedReport } from './identity-sharing.ts'
import { followIdentities, tellOfSharing } from './identity-sharing.ts'

interface Waiting extends CheckInInput {
  readonly row: IdleCheckIn
  readonly arrival: Arrival
  readonly resolve: (outcome: CheckInOutcome) => void
  readonly reject: (error: unknown) => void
}

/** New reports rarely come many at a time, and somebody may be watching them. */
const changedTimes = { usualMs: 20, fewMs: 20 }

export function createCheckIns(
  db: Db,
  observer: CheckInObserver,
  ports: Pick<Ports, 'clock' | 'sleep' | 'random' | 'log'>,
  onHeard: () => void,
): CheckIns {
  const write =
    (work: (batch: readonly Waiting[]) => Promise<void>) => async (batch: readonly Waiting[]) => {
      try {
        await observer.batch(
          batch.map(({ arrival }) => arrival),
          () => work(batch),
        )
        onHeard()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
  const keyOf = ({ row }: Waiting) => row.device
  const changed = createBatches<Waiting>(ports, {
    ...{ keyOf, times: changedTimes },
    write: write((batch) => writeChanged(db, ports.log, batch)),
  })
  const idle = createBatches<Waiting>(ports, {
    ...{ keyOf, times: checkInTimes },
    write: write(async (batch) => {
      const facts = await db.writeRows((tx) =>
        writeIdleCheckIns(
          tx,
          batch.map(({ row }) => row),
          batch.at(-1)!.checkIn.seenAt,
        ),
      )
      for (const [i, waiting] of batch.entries()) {
        const known = facts[i]
        if (known === undefined) changed.add(waiting)
        else waiting.resolve({ kind: 'stored', ...known })
      }
    }),
  })
  const limit = createWaitingLimit()
  const backlog = (): Backlog => joinBacklogs(idle.backlog(), changed.backlog())
  observer.watchQueue(backlog)
  return {
    admit: () => refuseOverload(backlog(), ports.random),
    slowdown: () => slowdownOf(backlog()),
    async submit(input) {
      const { device } = input.checkIn
      limit.enter(device)
      try {
        return await new Promise((resolve, reject) => {
          const row = describeCheckIn(input.checkIn)
          const waiting = { ...input, row, arrival: observer.arrive(), resolve, reject }
          if (input.signed === undefined) idle.add(waiting)
          else changed.add(waiting)
        })
      } finally {
        limit.leave(device)
      }
    },
  }
}

/** The parts of a report that change each time, and a digest of the rest. */
function describeCheckIn({ device, report, digest }: CheckInInput['checkIn']): IdleCheckIn {
  const { at, timestampVerifiedAt } = report
  return {
    device,
    digest: digest ?? digestReport(report),
    reportedAtSeconds: Date.parse(at) / 1000,
    verifiedAtSeconds: timestampVerifiedAt === null ? null : Date.parse(timestampVerifiedAt) / 1000,
  }
}

async function writeChanged(db: Db, log: Log, batch: readonly Waiting[]): Promise<void> {
  const { written, conflicts, shared } = await db.write(async (tx) => {
    const signed = batch.flatMap((waiting) => waiting.signed ?? [])
    const reused = await writeSignedReports(tx, signed)
    const rows = batch.flatMap(({ row, checkIn, signed: own }) =>
      reused.has(row.device)
        ? []
        : { ...row, report: JSON.stringify(checkIn.report), isSigned: own !== undefined },
    )
    const stored = await storeReports(tx, rows, batch.at(-1)!.checkIn.seenAt)
    return {
      conflicts: reused,
      written: stored,
      shared: await followIdentities(tx, batch.flatMap(followedReport(stored))),
    }
  })
  tellOfSharing(log, shared)
  for (const { row, resolve } of batch) {
    if (conflicts.has(row.device)) resolve({ kind: 'sequence_reused' })
    else resolve(outcomeOf(written.get(row.device)))
  }
}

function followedReport(stored: ReadonlyMap<string, WrittenCheckIn>) {
  return ({ row: { device }, checkIn }: Waiting): FollowedReport[] => {
    const written = stored.get(device)
    if (written?.isAccepted !== true || written.before === null) return []
    const { bootId = null, sequence } = checkIn.report
    return [{ device, fleet: written.fleet, before: written.before, after: { bootId, sequence } }]
  }
}

function outcomeOf(written: WrittenCheckIn | undefined): CheckInOutcome {
  if (written === undefined) return { kind: 'unknown_device' }
  const { isAccepted, before: _, ...facts } = written
  return isAccepted ? { kind: 'stored', ...facts } : { kind: 'signature_missing' }
}
