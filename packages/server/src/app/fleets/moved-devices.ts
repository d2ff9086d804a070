/** What a fleet tells a device that came from another one, or was enrolled late. */
import type { WriteTx } from '../../db/connection.ts'
import { getFleet, notifyFleets } from '../../db/fleets.ts'
import { lockConfigVersion, setConfigVersion } from '../../db/settings.ts'
import { nextConfigVersion, versionAfterMove } from './config-versions.ts'

/** Lets a device that was moved fetch what its new fleet has. Both fleets must be locked. */
export async function tellMovedDevice(
  tx: WriteTx,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const [left, entered] = [await getFleet(tx, from), await getFleet(tx, to)]
  if (left === undefined || entered === undefined) return
  const version = versionAfterMove(entered.configVersion, left.configVersion)
  if (version === entered.configVersion) return
  await setConfigVersion(tx, to, version)
  await notifyFleets(tx)
}

/**
 * Lets a device of the fleet ask again, which may get by then what the server holds for enrolled
 * devices. It locks the fleet.
 */
export async function tellEnrolledDevice(tx: WriteTx, fleet: string): Promise<void> {
  const before = await lockConfigVersion(tx, fleet)
  // A fleet that never had variables or secrets holds none.
  if (before === undefined || before === 0) return
  await setConfigVersion(tx, fleet, nextConfigVersion(before, await tx.now()))
  await notifyFleets(tx)
}
