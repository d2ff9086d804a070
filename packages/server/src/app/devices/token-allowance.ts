/**
 * How many access tokens one device may fetch: each leaves a row, for as long as its assertion is
 * good. An honest device fetches one an hour, and one after each start.
 */
import type { Allowance, DeviceRefusal } from '@seaworthy/fleet/devices'
import type { Clock } from '@seaworthy/std/time'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { TokenAllowance } from '../app.ts'
import { createSpendings, TooOftenRefusal } from '../worker/index.ts'

const tokensOfOneDevice: Allowance = { burst: 60, everyMs: minuteMs }

/** Counts in memory; every worker counts for itself. */
export function createTokenAllowance(clock: Clock): TokenAllowance {
  const spendings = createSpendings(clock, tokensOfOneDevice)
  return {
    spend(device) {
      const spending = spendings.spend(device)
      if (spending.isAllowed) return
      const seconds = Math.ceil(spending.waitMs / secondMs)
      throw new TooOftenRefusal<DeviceRefusal>(
        'tokens_too_often',
        `the device has fetched more tokens than any device needs: it may fetch the next one in ${seconds} s`,
        seconds,
      )
    },
  }
}
