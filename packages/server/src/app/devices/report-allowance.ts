/**
 * How many check-ins one device may send, and how many of their reports may say something new,
 * signed and unsigned ones counted apart. A signed one is kept for long, so that one device's key
 * must not fill the disk; an unsigned one, for which its token is enough, may change its rollouts,
 * under their lock. An honest device stays far below: it keeps at most 128 signed reports when it
 * cannot deliver them, signs a few for each update, and says unsigned how far it is. It keeps what
 * was refused, too, and sends it again when it is told to.
 */
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { Spending } from '@seaworthy/std/allowance'
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app.ts'
import { TooOftenRefusal } from '../worker/index.ts'

type Kind = 'signed' | 'unsigned'

/** Throws `reports_too_often` when it is known that the device may send no new report now. */
export function checkReports({ budgets }: Pick<App, 'budgets'>, kind: Kind, device: string): void {
  requireAllowed(kind, budgets.look(`${kind}-reports`, device))
}

/** Spends one new report. Throws `reports_too_often`. */
export async function spendReport(
  { budgets }: Pick<App, 'budgets'>,
  kind: Kind,
  device: string,
): Promise<void> {
  requireAllowed(kind, await budgets.spend(`${kind}-reports`, device))
}

/**
 * Spends one check-in. Most of them cost no question to anybody, and this answers at once. Throws
 * `check_ins_too_often`.
 */
export async function spendCheckIn(
  { budgets }: Pick<App, 'budgets'>,
  device: string,
): Promise<void> {
  const spending = await budgets.spend('check-ins', device)
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<DeviceRefusal>(
    'check_ins_too_often',
    `the device checks in more often than any device needs: it may do so again in ${seconds} s`,
    seconds,
  )
}

function requireAllowed(kind: Kind, spending: Spending): void {
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<DeviceRefusal>(
    'reports_too_often',
    `the device has sent more new ${kind} reports than any device needs: it may send the next one in ${seconds} s`,
    seconds,
  )
}
