/**
 * How many calls of one caller may wait for their turn at once: one device's key must not fill
 * everybody's batches.
 */
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { TooOftenRefusal } from './overload.ts'

export interface WaitingLimit {
  /** Throws `check_ins_waiting` for one call too many. Every admitted call leaves once. */
  enter(device: string): void
  leave(device: string): void
}

/** A device asks one call after another; a few of its calls may overlap after connections broke. */
const waitingMax = 4
const retryAfterSeconds = 5

export function createWaitingLimit(): WaitingLimit {
  const counts = new Map<string, number>()
  return {
    enter(device) {
      const count = counts.get(device) ?? 0
      if (count >= waitingMax) {
        throw new TooOftenRefusal<DeviceRefusal>(
          'check_ins_waiting',
          `${waitingMax} check-ins of this device already wait to be stored: ask again once they are answered`,
          retryAfterSeconds,
        )
      }
      counts.set(device, count + 1)
    },
    leave(device) {
      const count = counts.get(device)! - 1
      if (count === 0) counts.delete(device)
      else counts.set(device, count)
    },
  }
}
