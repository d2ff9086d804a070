/** The end of a fleet, and what depends on it until then (RFD 46). */
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../../db/connection.ts'
import type { FleetDependents } from '../../db/fleets.ts'
import { countDependents, endFleet, lockFleet, notifyFleets } from '../../db/fleets.ts'
import type { RightsTx } from '../../db/rights.ts'
import { listLiveRolloutsOf } from '../../db/rollouts.ts'
import type { Actor, Current } from '../access/index.ts'
import { checkFleet } from '../access/index.ts'
import { findFleet, requireNoRollouts } from './fleets.ts'

/** Throws `fleet_not_found`, `out_of_scope`. */
export async function showDependents(
  tx: ReadTx,
  actor: Actor,
  name: string,
  now: Date,
): Promise<FleetDependents & { rolloutIds: string[] }> {
  await findFleet(tx, actor, name)
  const live = await listLiveRolloutsOf(tx, name)
  const running = live.filter(({ state }) => state === 'active' || state === 'paused')
  return {
    ...(await countDependents(tx, name, now)),
    rolloutIds: running.map(({ id }) => id),
  }
}

/**
 * Answers what ended with the fleet. Throws `fleet_not_found`, `out_of_scope`,
 * `fleet_has_rollouts`, `fleet_has_devices`.
 */
export async function removeFleet(
  tx: RightsTx,
  actor: Current,
  name: string,
): Promise<FleetDependents> {
  // Whoever adds a device waits for this lock, and then finds its key revoked.
  checkFleet(await lockFleet(tx, name), actor, name)
  await requireNoRollouts(tx, name)
  const now = await tx.now()
  const dependents = await countDependents(tx, name, now)
  if (dependents.devicesCount > 0) {
    throw new Refusal<FleetRefusal>(
      'fleet_has_devices',
      `${name} has devices, which would be left without a fleet: ${dependents.devicesCount}`,
    )
  }
  await endFleet(tx, name, now)
  await notifyFleets(tx)
  return dependents
}
