/**
 * Recently removed devices in the memory of every worker, so that a check-in needs no query for
 * them.
 */
import type { Db } from '../../db/connection.ts'
import { listRemovedDevices } from '../../db/devices.ts'
import type { RemovedDevices } from '../app.ts'
import { accessTokenLifetimeMs } from '../access/index.ts'
import { createSingleflight } from '../worker/index.ts'

export function createRemovedDevices(db: Db): RemovedDevices {
  let removed = new Set<string>()
  return {
    has: (deviceId) => removed.has(deviceId),
    add(deviceId) {
      removed.add(deviceId)
    },
    reload: createSingleflight(async () => {
      const listed = await listRemovedDevices(db.reader, 2 * accessTokenLifetimeMs)
      removed = new Set([...removed, ...listed])
    }),
  }
}
