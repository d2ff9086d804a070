/** What a fleet tells a device that came from another one. */
import type { WriteTx } from '../../db/connection.ts'
import { getFleet, notifyFleets } from '../../db/fleets.ts'
import { setConfigVersion } from '../../db/settings.ts'
import { versionAfterMove } from './config-versions.ts'

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
