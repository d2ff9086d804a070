/**
 * The policies of all fleets in the memory of every worker, so that a check-in needs no query for
 * them.
 */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import { invariant } from '@seaworthy/std/refusal'
import type { Db } from '../../db/connection.ts'
import { listAllFleets } from '../../db/fleets.ts'
import type { App, FleetTable } from '../app.ts'
import { createSingleflight } from '../worker/index.ts'

export function createFleetTable(db: Db): FleetTable {
  let fleets = new Map<string, FleetPolicy>()
  return {
    get: (name) => fleets.get(name),
    reload: createSingleflight(async () => {
      fleets = new Map((await listAllFleets(db.reader)).map((fleet) => [fleet.name, fleet]))
    }),
  }
}

/**
 * The policy of a fleet from memory; a fleet that this worker does not know yet is looked up once.
 */
export async function policyOf(app: Pick<App, 'fleets'>, name: string): Promise<FleetPolicy> {
  const known = app.fleets.get(name)
  if (known !== undefined) return known
  await app.fleets.reload()
  const loaded = app.fleets.get(name)
  invariant(loaded !== undefined, 'a device is in a fleet')
  return loaded
}
