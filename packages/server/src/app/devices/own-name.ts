/**
 * The name of a device, which it may change itself. Its tags are for people: they say which wave a
 * device is in and when it may update, which decides about other devices too.
 */
import { isDeepStrictEqual } from 'node:util'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { Allowance } from '@seaworthy/std/allowance'
import { spend } from '@seaworthy/std/allowance'
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { WriteTx } from '../../db/connection.ts'
import type { DeviceRow } from '../../db/devices.ts'
import { lockOwnMetadata, updateDevice } from '../../db/devices.ts'
import { TooOftenRefusal } from '../worker/index.ts'

/** What a device may change of itself. Nothing may be decided by it. */
interface OwnChange {
  readonly name?: string | undefined
}

interface MetadataChange extends OwnChange {
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/**
 * A device may make some changes at once, then four an hour: each one is an entry of the log that
 * all share.
 */
const ownChanges: Allowance = { burst: 10, everyMs: 15 * minuteMs }

/**
 * A device changes its own name; answers whether anything is different now. Throws
 * `device_removed`, `changes_too_often`.
 */
export async function changeOwnMetadata(
  tx: WriteTx,
  deviceId: string,
  { name }: OwnChange,
): Promise<boolean> {
  const before = await lockOwnMetadata(tx, deviceId)
  if (before === undefined)
    throw new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
  if (name === undefined || name === before.name) return false
  const now = await tx.now()
  const spending = spend(before.usedUntil?.getTime() ?? 0, ownChanges, now.getTime())
  if (!spending.isAllowed) {
    const seconds = Math.ceil(spending.waitMs / secondMs)
    throw new TooOftenRefusal<DeviceRefusal>(
      'changes_too_often',
      `the device has changed its name too often: it may do so again in ${seconds} s`,
      seconds,
    )
  }
  await updateDevice(tx, deviceId, { name, usedUntil: new Date(spending.usedUntilMs) })
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
