/**
 * How many signed reports one device may send: each is kept for long, so that one device's key must
 * not fill the disk. An honest device stays far below: it keeps at most 128 reports when it cannot
 * deliver them, and signs a few for each update. It keeps what was refused, too, and sends it again
 * when it is told to.
 */
import type { Allowance, DeviceRefusal, Spending } from '@seaworthy/fleet/devices'
import type { Clock } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import { createSpendings, TooOftenRefusal } from '../worker/index.ts'

export interface ReportAllowance {
  /** Throws `reports_too_often` when the device has no report left. */
  check(device: string): void
  /** Spends one. Throws `reports_too_often`. */
  spend(device: string): void
}

const signedReports: Allowance = { burst: 512, everyMs: 10 * secondMs }

/** Counts in memory; every worker counts for itself. */
export function createReportAllowance(clock: Clock): ReportAllowance {
  const spendings = createSpendings(clock, signedReports)
  return {
    check: (device) => requireAllowed(spendings.look(device)),
    spend: (device) => requireAllowed(spendings.spend(device)),
  }
}

function requireAllowed(spending: Spending): void {
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<DeviceRefusal>(
    'reports_too_often',
    `the device has sent more signed reports than any device needs: it may send the next one in ${seconds} s`,
    seconds,
  )
}
