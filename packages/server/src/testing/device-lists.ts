/** Lists of devices from a database without a server. */
import type { DeviceSort } from '@seaworthy/api/devices'
import type { Db } from '../db/connection.ts'
import type { DeviceSelection } from '../db/devices.ts'
import { countDevices, listDevices } from '../db/devices.ts'

export type DevicesWanted = Omit<DeviceSelection, 'fleets' | 'products'>

const all = { fleets: null, products: null }

/** The first devices of the list, as many as `limit` says. */
export async function listFirstDevices(
  { reader }: Db,
  wanted: DevicesWanted,
  { limit, sort }: { readonly limit: number; readonly sort?: DeviceSort },
): Promise<unknown[]> {
  return listDevices(reader, { ...all, ...wanted, after: null, limit, sort })
}

export async function countWantedDevices({ reader }: Db, wanted: DevicesWanted): Promise<number> {
  return countDevices(reader, { ...all, ...wanted })
}
