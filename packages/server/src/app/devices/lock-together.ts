/** What is locked before several devices are changed in one transaction. */
import type { WriteTx } from '../../db/connection.ts'
import { lockDevices } from '../../db/devices.ts'
import { lockFleet } from '../../db/fleets.ts'

/**
 * Locks the devices, and the fleets that they leave or join: first the devices by their ids and
 * then the fleets by their names, as a change of one device does. Whoever changes some of the same
 * devices waits, and neither waits for the other for ever.
 */
export async function lockTogether(
  tx: WriteTx,
  ids: readonly string[],
  { leavesFleet, toFleet }: { readonly leavesFleet: boolean; readonly toFleet: string | null },
): Promise<void> {
  const fleets = await lockDevices(tx, ids)
  if (!leavesFleet) return
  const names = new Set(toFleet === null ? fleets : [...fleets, toFleet])
  for (const name of [...names].toSorted()) await lockFleet(tx, name)
}
