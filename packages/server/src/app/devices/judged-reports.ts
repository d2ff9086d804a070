/**
 * Reports that say something new, judged by what their devices have signed before
 * (`judgeUnsigned`).
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { Judgement, SignedSequence } from '@seaworthy/fleet/devices'
import { judgeSigned, judgeUnsigned, needsOlder, repeatableMax } from '@seaworthy/fleet/devices'
import { isToldFailure } from '@seaworthy/fleet/rollouts'
import { parseAnyJson } from '@seaworthy/std/json'
import type { ReportingDevice, StoredStatement } from '../../db/check-ins.ts'
import { listNewestStatements } from '../../db/check-ins.ts'
import type { WriteTx } from '../../db/connection.ts'

export interface NewReport {
  readonly device: string
  readonly report: DeviceReport
  /** Whether the device signed it, and its signature is stored. */
  readonly isSigned: boolean
}

export type JudgedReport =
  | Exclude<Judgement, { kind: 'accepted' }>
  | {
      readonly kind: 'accepted'
      readonly saidSequence: SignedSequence
      /**
       * The report as it is stored: what no decision rests on as reported, everything else as
       * signed.
       */
      readonly report: DeviceReport
      /** Whether the same report may be taken again by its digest alone, without being judged. */
      readonly isRepeatable: boolean
    }

/** Judges the reports of the devices in `known`, whose rows are locked. */
export async function judgeReports(
  tx: WriteTx,
  reports: readonly NewReport[],
  known: ReadonlyMap<string, ReportingDevice>,
): Promise<Map<string, JudgedReport>> {
  const present = reports.flatMap((one) => {
    const newest = known.get(one.device)?.newest
    return newest === undefined
      ? []
      : { ...one, newest, statement: newest && readStatement(newest) }
  })
  const doubtful = present.filter(
    ({ isSigned, report, statement }) => !isSigned && needsOlder(report, statement ?? undefined),
  )
  const older =
    doubtful.length === 0
      ? new Map<string, StoredStatement[]>()
      : await listNewestStatements(
          tx,
          doubtful.map(({ device }) => device),
          repeatableMax,
        )
  return new Map(
    present.map(({ device, report, isSigned, newest, statement }) => {
      if (isSigned) {
        const judged = judgeSigned(report.sequence, newest?.sequence ?? null)
        return [device, judged.kind === 'accepted' ? accept(judged, report, report) : judged]
      }
      // No report can repeat bytes that cannot be read.
      if (newest !== null && statement === null) return [device, { kind: 'signature_missing' }]
      const signed =
        older.get(device)?.flatMap((one) => readStatement(one) ?? []) ??
        (statement === null ? [] : [statement])
      const judged = judgeUnsigned(report, signed)
      return [device, judged.kind === 'accepted' ? accept(judged, report, statement) : judged]
    }),
  )
}

/**
 * What the device refused, which metadata it has verified, which variables and secrets it has, why
 * its last update failed and what its machine is stays as it was signed, also where its fetcher
 * leaves something out.
 */
function accept(
  { saidSequence }: Extract<Judgement, { kind: 'accepted' }>,
  { configuration: _configuration, failure: _failure, machine: _machine, ...report }: DeviceReport,
  signed: DeviceReport | null,
): JudgedReport {
  const { refusals = [], metadata = {}, configuration, failure, machine } = signed ?? {}
  return {
    kind: 'accepted',
    saidSequence,
    report: {
      ...report,
      refusals,
      metadata,
      ...(configuration === undefined ? {} : { configuration }),
      ...(failure === undefined ? {} : { failure }),
      ...(machine === undefined ? {} : { machine }),
    },
    // A report that is taken by its digest counts with its own number as the statement that
    // reported the failure.
    isRepeatable: !isToldFailure(report.update) || report.sequence === saidSequence,
  }
}

/** `null` for bytes that are no JSON: canonical form lets more characters stand as they are. */
function readStatement({ report }: StoredStatement): DeviceReport | null {
  try {
    return parseAnyJson(report) as DeviceReport
  } catch {
    return null
  }
}
