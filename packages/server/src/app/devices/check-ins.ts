/** A check-in of one of our agents: its report is stored, and it is told what comes next. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import { base64Decode } from '@seaworthy/std/bytes'
import { Refusal, unreachable } from '@seaworthy/std/refusal'
import { parsePublicKey, reportMessage } from '@seaworthy/trust/keys'
import { canonicalJson } from '@seaworthy/trust/tuf'
import { getDevice } from '../../db/devices.ts'
import type { App } from '../app.ts'
import { policyOf } from '../fleets/index.ts'
import { decideRestart } from '../restarts/index.ts'
import { decideFor } from '../rollouts/index.ts'
import { factsOf } from './device-facts.ts'
import { requireSignature } from './device-keys.ts'
import { spendCheckIn } from './report-allowance.ts'

export interface CheckInReply {
  readonly assignment: {
    targetPath: string
    sha256: string
    mayRestart?: boolean
    attempt?: number
  } | null
  readonly fleet: FleetPolicy
  readonly pollSeconds: number
  readonly acknowledgedSequence: number | null
}

/**
 * Stores the report and decides what comes next from memory. Throws `overloaded`,
 * `check_ins_too_often`, `reports_too_often`, `check_ins_waiting`, `report_signature_invalid`,
 * `report_signature_missing`, `report_sequence_reused`, `device_removed`.
 */
export async function checkIn(
  app: Pick<
    App,
    | 'budgets'
    | 'checkIns'
    | 'db'
    | 'fleets'
    | 'metrics'
    | 'random'
    | 'rebootLocks'
    | 'releases'
    | 'removedDevices'
    | 'rollouts'
    | 'settlements'
    | 'zones'
  >,
  deviceId: string,
  input: {
    readonly report: DeviceReport
    readonly signature?: string | undefined
    /** The result of `digestReport(report)`, where it is known already. */
    readonly digest?: string | undefined
  },
  now: Date,
): Promise<CheckInReply> {
  const { report, signature, digest } = input
  await spendCheckIn(app, deviceId)
  app.checkIns.admit(deviceId, signature !== undefined)
  const outcome = await app.checkIns.submit({
    checkIn: { device: deviceId, report, digest },
    signed:
      signature === undefined ? undefined : await verifyReport(app, deviceId, report, signature),
  })
  app.metrics.checkIns.add(1, outcome.kind, 'agent')
  switch (outcome.kind) {
    case 'unknown_device':
      app.removedDevices.add(deviceId)
      throw new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
    case 'signature_missing':
      throw new Refusal<DeviceRefusal>(
        'report_signature_missing',
        'a report that says what the device has not signed must be signed by the device key',
      )
    case 'sequence_reused':
      throw new Refusal<DeviceRefusal>(
        'report_sequence_reused',
        'this sequence number was used for another report, or a newer report is stored',
      )
    case 'stored': {
      const fleet = await policyOf(app, outcome.fleet)
      const facts = factsOf(deviceId, report, outcome)
      const { release, reason, attempt = 1 } = await decideFor(app, facts, fleet, now)
      app.metrics.decisions.add(1, reason)
      const { saidSequence } = outcome
      const isSigned = signature !== undefined
      const restart = await decideRestart(
        app,
        { fleet, deviceId, tags: outcome.tags, report, saidSequence, isSigned, assigned: release },
        now,
      )
      return {
        assignment: release && {
          targetPath: release.targetPath,
          sha256: release.sha256,
          ...(restart.mayRestart === undefined ? {} : { mayRestart: restart.mayRestart }),
          ...(attempt === 1 ? {} : { attempt }),
        },
        fleet,
        pollSeconds: Math.min(fleet.pollSeconds, restart.pollSecondsMax),
        acknowledgedSequence: signature === undefined ? null : report.sequence,
      }
    }
    default:
      return unreachable(outcome)
  }
}

async function verifyReport(
  app: Pick<App, 'db'>,
  deviceId: string,
  report: DeviceReport,
  signature: string,
) {
  const device = await getDevice(app.db.reader, deviceId)
  if (!device?.publicKey)
    throw new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
  const bytes = canonicalJson(report)
  const message = reportMessage(bytes)
  const key = parsePublicKey(device.publicKey)
  await requireSignature(key, message, signature, 'report_signature_invalid')
  return {
    device: deviceId,
    sequence: report.sequence,
    report: bytes,
    signature: base64Decode(signature),
  }
}
