/** The name and tags of a device, which it may change itself. */
import { isDeepStrictEqual } from 'node:util'
import type { Allowance, DeviceRefusal } from '@seaworthy/fleet/devices'
import { spend } from '@seaworthy/fleet/devices'
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { WriteTx } from '../../db/connection.ts'
import type { DeviceRow } from '../../db/devices.ts'
import { lockOwnMetadata, updateDevice } from '../../db/devices.ts'
import { TooOftenRefusal } from '../worker/index.ts'

interface MetadataChange {
  readonly name?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/**
 * A device may make some changes at once, then four an hour: each one is an entry of the log that
 * all share.
 */
const ownChanges: Allowance = { burst: 10, everyMs: 15 * minuteMs }

/**
 * A device changes its own name and tags; answers whether anything is different now. Throws
 * `device_removed`, `changes_too_often`.
 */
export async function changeOwnMetadata(
  tx: WriteTx,
  deviceId: string,
  change: MetadataChange,
): Promise<boolean> {
  const before = await lockOwnMetadata(tx, deviceId)
  if (before === undefined)
    throw new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
  if (isAsBefore(before, change)) return false
  const now = await tx.now()
  const spending = spend(before.usedUntil?.getTime() ?? 0, ownChanges, now.getTime())
  if (!spending.isAllowed) {
    const seconds = Math.ceil(spending.waitMs / secondMs)
    throw new TooOftenRefusal<DeviceRefusal>(
      'changes_too_often',
      `the device has changed its name and tags too often: it may do so again in ${seconds} s`,
      seconds,
    )
  }
  await updateDevice(tx, deviceId, { ...change, usedUntil: new Date(spending.usedUntilMs) })
  return true
}

/** Whether the change leaves name and tags as they are. */
export function isAsBefore(
  before: Pick<DeviceRow, 'name' | 'tags'>,
  { name, tags }: MetadataChange,
): boolean {
  return (
    (name === undefined || name === before.name) &&
    (tags === undefined || isDeepStrictEqual({ ...tags }, { ...before.tags }))
  )
}
