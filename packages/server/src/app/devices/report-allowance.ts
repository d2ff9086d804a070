/**
 * How many signed reports one device may send: each is kept for long, so that one device's key must
 * not fill the disk. An honest device stays far below: it keeps at most 128 reports when it cannot
 * deliver them, and signs a few for each update. It keeps what was refused, too, and sends it again
 * when it is told to.
 */
import type { Allowance, DeviceRefusal } from '@seaworthy/fleet/devices'
import { spend } from '@seaworthy/fleet/devices'
import type { Clock } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import { TooOftenRefusal } from '../worker/index.ts'

export interface ReportAllowance {
  /** Throws `reports_too_often` when the device has no report left. */
  check(device: string): void
  /** Spends one. Throws `reports_too_often`. */
  spend(device: string): void
}

const signedReports: Allowance = { burst: 512, everyMs: 10 * secondMs }
const devicesMax = 100_000

/** Counts in memory; every worker counts for itself. */
export function createReportAllowance(clock: Clock): ReportAllowance {
  // Devices in the order of their last report.
  const usedUntilMs = new Map<string, number>()
  const look = (device: string): number => {
    const spending = spend(usedUntilMs.get(device) ?? 0, signedReports, clock.monotonicMs())
    if (spending.isAllowed) return spending.usedUntilMs
    const seconds = Math.ceil(spending.waitMs / secondMs)
    throw new TooOftenRefusal<DeviceRefusal>(
      'reports_too_often',
      `the device has sent more signed reports than any device needs: it may send the next one in ${seconds} s`,
      seconds,
    )
  }
  return {
    check: look,
    spend(device) {
      const untilMs = look(device)
      usedUntilMs.delete(device)
      if (usedUntilMs.size >= devicesMax) usedUntilMs.delete(usedUntilMs.keys().next().value!)
      usedUntilMs.set(device, untilMs)
    },
  }
}
