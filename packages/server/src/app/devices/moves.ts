/** Moves of many devices from one fleet into another, all at once. */
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { lockDevicesOf, updateDevice } from '../../db/devices.ts'
import type { FleetRow } from '../../db/fleets.ts'
import { getFleet, lockFleet } from '../../db/fleets.ts'
import { notifyStoppedDevices } from '../../db/identity-sharing.ts'
import type { Actor, Current } from '../access/index.ts'
import { checkFleet } from '../access/index.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import { tellMovedDevice } from '../fleets/index.ts'
import { leaveFleet } from './leave-fleet.ts'

export interface WantedMove {
  readonly fleet: string
  readonly toFleet: string
  readonly deviceIds: readonly string[]
}

/** Throws `fleet_not_found`, `out_of_scope`. */
async function findFleets(
  tx: ReadTx,
  actor: Actor,
  { fleet, toFleet }: WantedMove,
): Promise<{ from: FleetRow; to: FleetRow }> {
  const from = checkFleet(await getFleet(tx, fleet), actor, fleet)
  const to = checkFleet(await getFleet(tx, toFleet), actor, toFleet)
  if (to.product === from.product) return { from, to }
  throw new Refusal<FleetRefusal>(
    'fleet_not_found',
    `the product ${from.product} has no fleet ${toFleet}`,
  )
}

/** Locks the devices and then both fleets, in the order in which a move of one device does. */
async function lockMove(
  tx: WriteTx,
  { fleet, toFleet, deviceIds }: WantedMove,
): Promise<readonly string[]> {
  const ids = await lockDevicesOf(tx, fleet, deviceIds)
  for (const name of [fleet, toFleet].toSorted()) await lockFleet(tx, name)
  return ids
}

/**
 * What the move would do; `null` where it moves nothing. Throws `fleet_not_found`, `out_of_scope`.
 */
export async function moveEffect(
  tx: WriteTx,
  actor: Current,
  wanted: WantedMove,
): Promise<GuardedEffect<'release'> | null> {
  const { from, to } = await findFleets(tx, actor, wanted)
  const ids = await lockMove(tx, wanted)
  if (ids.length === 0 || from.name === to.name) return null
  const { name, product, follow, pinnedVersion, updatesEnabled, baseline } = to
  return {
    kind: 'release',
    devicesMax: ids.length,
    words: [
      `Would move ${ids.length} devices from the fleet ${from.name} to the fleet ${name}, where they take what that one runs: ${ids.join(', ')}.`,
    ],
    inputs: {
      ...{ ids: [...ids], fleet: from.name, follow, pinnedVersion, updatesEnabled },
      baseline: baseline?.sha256 ?? null,
    },
    needs: { permission: 'device:write', fleet: { name, product, from: from.name } },
  }
}

/**
 * Moves those of the devices that are in the fleet, and answers which they are. Throws
 * `fleet_not_found`, `out_of_scope`.
 */
export async function moveDevices(
  tx: WriteTx,
  actor: Current,
  wanted: WantedMove,
): Promise<readonly string[]> {
  const { from, to } = await findFleets(tx, actor, wanted)
  if (from.name === to.name) return []
  const ids = await lockMove(tx, wanted)
  for (const id of ids) {
    await leaveFleet(tx, { id, toFleet: to.name }, 'device_moved')
    await updateDevice(tx, id, { fleet: to.name })
  }
  if (ids.length === 0) return ids
  await tellMovedDevice(tx, { from: from.name, to: to.name })
  // Their new fleet may have another policy for an identity that two machines use.
  await notifyStoppedDevices(tx)
  return ids
}
