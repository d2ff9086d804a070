/**
 * Check-ins of one worker, written in micro-batches (`batches.ts`). Each is acknowledged only after
 * its batch was committed. Reports that repeat what their devices said before take one statement
 * for the whole batch (`db/check-ins.ts`); a check-in that says something new, or is signed, goes
 * through a second batch, for which no other check-in waits (RFD 7).
 */
import type { Db } from '../../db/connection.ts'
import type { IdleCheckIn, ReportingDevice, WholeCheckIn } from '../../db/check-ins.ts'
import {
  lockReporting,
  storeReports,
  writeIdleCheckIns,
  writeSignedReports,
} from '../../db/check-ins.ts'
import { asSignedSequence } from '@seaworthy/fleet/devices'
import { unreachable } from '@seaworthy/std/refusal'
import type { Log } from '@seaworthy/std/log'
import type { App, Ports, CheckInInput, CheckInOutcome, CheckIns } from '../app.ts'
import type { NoteHeard } from '../events/index.ts'
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
import { checkReports, spendReport } from './report-allowance.ts'
import { digestReport } from './report-digest.ts'
import type { FollowedReport } from './identity-sharing.ts'
import { followIdentities, tellOfSharing } from './identity-sharing.ts'
import type { JudgedReport } from './judged-reports.ts'
import { judgeReports } from './judged-reports.ts'

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
  ports: Pick<Ports, 'clock' | 'sleep' | 'random' | 'log'> & Pick<App, 'budgets'>,
  { onHeard, onChanged }: { readonly onHeard: () => void; readonly onChanged: NoteHeard },
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
    write: write(async (batch) => {
      await writeChanged(db, ports.log, batch)
      onChanged(batch.map(({ row }) => row.device))
    }),
  })
  const addUnsigned = (waiting: Waiting) =>
    void spendReport(ports, 'unsigned', waiting.row.device).then(
      () => changed.add(waiting),
      waiting.reject,
    )
  const idle = createBatches<Waiting>(ports, {
    ...{ keyOf, times: checkInTimes },
    write: write(async (batch) => {
      const facts = await db.writeRows((tx) =>
        writeIdleCheckIns(
          tx,
          batch.map(({ row }) => row),
        ),
      )
      for (const [i, waiting] of batch.entries()) {
        const known = facts[i]
        if (known === undefined) addUnsigned(waiting)
        else waiting.resolve({ kind: 'stored', ...known, saidSequence: ownWord(waiting) })
      }
    }),
  })
  const limit = createWaitingLimit()
  const backlog = (): Backlog => joinBacklogs(idle.backlog(), changed.backlog())
  observer.watchQueue(backlog)
  return {
    admit(device, isSigned) {
      refuseOverload(backlog(), ports.random)
      if (isSigned) checkReports(ports, 'signed', device)
    },
    slowdown: () => slowdownOf(backlog()),
    async submit(input) {
      const { device } = input.checkIn
      limit.enter(device)
      try {
        if (input.signed !== undefined) await spendReport(ports, 'signed', device)
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

/**
 * A report that is known by its digest was judged when it was stored, and at that time reported
 * what its own number had signed, or no failure (`isRepeatable`).
 */
const ownWord = ({ checkIn }: Waiting) => asSignedSequence(checkIn.report.sequence)

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
  const { outcomes, shared } = await db.write(async (tx) => {
    const signed = batch.flatMap((waiting) => waiting.signed ?? [])
    const { repeated, reused } = await writeSignedReports(tx, signed)
    const asked = batch.flatMap(({ row: { device }, checkIn: { report }, signed: own }) =>
      reused.has(device) ? [] : { device, report, isSigned: own !== undefined },
    )
    const known = await lockReporting(
      tx,
      asked.map(({ device }) => device),
    )
    const judged = await judgeReports(tx, asked, known)
    const rows = batch.flatMap(({ row }): WholeCheckIn[] => {
      const one = judged.get(row.device)
      if (one?.kind !== 'accepted') return []
      const digest = one.isRepeatable ? row.digest : ''
      const report = JSON.stringify(one.report)
      return [{ ...row, digest, report, isRepeated: repeated.has(row.device) }]
    })
    const updates = await storeReports(tx, rows)
    const stored = { reused, known, judged, updates }
    return {
      outcomes: batch.map(({ row: { device } }) => outcomeOf(device, stored)),
      shared: await followIdentities(tx, batch.flatMap(followedReport(stored))),
    }
  })
  tellOfSharing(log, shared)
  for (const [i, { resolve }] of batch.entries()) resolve(outcomes[i]!)
}

interface Stored {
  readonly reused: ReadonlySet<string>
  readonly known: ReadonlyMap<string, ReportingDevice>
  readonly judged: ReadonlyMap<string, JudgedReport>
  readonly updates: ReadonlyMap<string, readonly unknown[]>
}

function followedReport({ known, judged }: Stored) {
  return ({ row: { device }, checkIn }: Waiting): FollowedReport[] => {
    const { fleet, before = null } = known.get(device) ?? {}
    if (fleet === undefined || before === null) return []
    const { bootId = null, sequence } = checkIn.report
    const kind = judged.get(device)?.kind
    // A report whose number was overtaken is not stored, and counts as a step back all the same.
    // What is known of earlier boots comes from stored reports.
    const isFollowed = kind === 'accepted' || (kind === 'overtaken' && bootId === before.bootId)
    return isFollowed ? [{ device, fleet, before, after: { bootId, sequence } }] : []
  }
}

function outcomeOf(device: string, { reused, known, judged, updates }: Stored): CheckInOutcome {
  if (reused.has(device)) return { kind: 'sequence_reused' }
  const [found, verdict] = [known.get(device), judged.get(device)]
  if (found === undefined || verdict === undefined) return { kind: 'unknown_device' }
  switch (verdict.kind) {
    case 'accepted': {
      const { fleet, hardware, tags } = found
      const { saidSequence } = verdict
      const open = updates.get(device) ?? []
      return { kind: 'stored', fleet, hardware, tags, updates: open, saidSequence }
    }
    case 'overtaken':
      return { kind: 'sequence_reused' }
    case 'signature_missing':
      return { kind: 'signature_missing' }
    default:
      return unreachable(verdict)
  }
}
