/** What every worker keeps in memory so that a check-in needs no query of its own. */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { Db } from '../../db/connection.ts'
import { listRemovedDevices } from '../../db/devices.ts'
import { listAllFleets } from '../../db/fleets.ts'
import type { FleetTable, RemovedDevices } from '../app.ts'
import { accessTokenLifetimeMs } from '../access/device-tokens.ts'

export function createFleetTable(db: Db): FleetTable {
  let fleets = new Map<string, FleetPolicy>()
  return {
    get: (name) => fleets.get(name),
    async reload() {
      fleets = new Map((await listAllFleets(db.reader)).map((fleet) => [fleet.name, fleet]))
    },
  }
}

export function createRemovedDevices(db: Db): RemovedDevices {
  let removed = new Set<string>()
  return {
    has: (deviceId) => removed.has(deviceId),
    add(deviceId) {
      removed.add(deviceId)
    },
    async reload() {
      const listed = await listRemovedDevices(db.reader, 2 * accessTokenLifetimeMs)
      removed = new Set([...removed, ...listed])
    },
  }
}
