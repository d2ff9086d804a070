/**
 * How many access tokens one device may fetch: each leaves a row, for as long as its assertion is
 * good. An honest device fetches one an hour, and one after each start.
 */
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app.ts'
import { TooOftenRefusal } from '../worker/index.ts'

/** Throws `tokens_too_often`. */
export async function spendDeviceToken(
  { budgets }: Pick<App, 'budgets'>,
  device: string,
): Promise<void> {
  const spending = await budgets.spend('device-tokens', device)
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<DeviceRefusal>(
    'tokens_too_often',
    `the device has fetched more tokens than any device needs: it may fetch the next one in ${seconds} s`,
    seconds,
  )
}
