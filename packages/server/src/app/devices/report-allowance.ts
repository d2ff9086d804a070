/**
 * How many reports that say something new one device may send, signed and unsigned ones counted
 * apart. A signed one is kept for long, so that one device's key must not fill the disk; an
 * unsigned one, for which its token is enough, may change its rollouts, under their lock. An honest
 * device stays far below: it keeps at most 128 signed reports when it cannot deliver them, signs a
 * few for each update, and says unsigned how far it is. It keeps what was refused, too, and sends
 * it again when it is told to.
 */
import type { Allowance, DeviceRefusal, Spending } from '@seaworthy/fleet/devices'
import type { Clock } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import { createSpendings, TooOftenRefusal } from '../worker/index.ts'

export interface ReportAllowance {
  /** Throws `reports_too_often` when the device may send none. */
  check(device: string): void
  /** Spends one. Throws `reports_too_often`. */
  spend(device: string): void
}

const newReports: Allowance = { burst: 512, everyMs: 10 * secondMs }

/** Counts in memory; every worker counts for itself. */
export function createReportAllowance(clock: Clock, kind: 'signed' | 'unsigned'): ReportAllowance {
  const spendings = createSpendings(clock, newReports)
  return {
    check: (device) => requireAllowed(kind, spendings.look(device)),
    spend: (device) => requireAllowed(kind, spendings.spend(device)),
  }
}

function requireAllowed(kind: 'signed' | 'unsigned', spending: Spending): void {
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<DeviceRefusal>(
    'reports_too_often',
    `the device has sent more new ${kind} reports than any device needs: it may send the next one in ${seconds} s`,
    seconds,
  )
}
