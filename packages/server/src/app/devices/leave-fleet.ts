/**
 * What becomes of a device's updates when it is removed or moved to another fleet: they end in the
 * same transaction.
 */
import type { SupersedeCode } from '@seaworthy/fleet/rollouts'
import { endUpdates } from '@seaworthy/fleet/rollouts'
import type { WriteTx } from '../../db/connection.ts'
import { lockDevice } from '../../db/devices.ts'
import { lockFleet } from '../../db/fleets.ts'
import { lockFleetRollouts } from '../../db/rollouts.ts'
import { listOpenUpdates, lockDeviceUpdates } from '../../db/updates.ts'
import { releaseAllSlots } from '../restarts/index.ts'
import { writeWorked } from '../rollouts/index.ts'

/**
 * Locks, until the transaction ends, the device in its fleet (which it answers), the fleets, and
 * the rollouts of the fleet that the device leaves. Nothing is offered to the device meanwhile, and
 * its place in flight is free at the commit. Answers `undefined` when there is no such device.
 */
export async function leaveFleet(
  tx: WriteTx,
  device: { readonly id: string; readonly toFleet: string | null },
  code: SupersedeCode,
): Promise<string | undefined> {
  const { id, toFleet } = device
  const fleet = await lockDevice(tx, id)
  if (fleet === undefined) return undefined
  // Fleets are always locked in the order of their names; a rollout that is just being created
  // waits for us, or we wait for it.
  const names = toFleet === null ? [fleet] : [fleet, toFleet]
  for (const name of names.toSorted()) await lockFleet(tx, name)
  const rollouts = await lockFleetRollouts(tx, fleet)
  const open = await listOpenUpdates(tx, id)
  const stored = await lockDeviceUpdates(tx, [id])
  const now = await tx.now()
  const ended = rollouts.map((rollout) => {
    const own = open.filter(({ rolloutId }) => rolloutId === rollout.id)
    return endUpdates(rollout, own, { kind: 'superseded', code }, now)
  })
  await writeWorked(tx, {
    before: rollouts,
    after: ended.flatMap(({ rollout, changes }) => (changes.length === 0 ? [] : [rollout])),
    changes: ended.flatMap(({ changes }) => changes),
    updates: new Map(),
    stored,
  })
  await releaseAllSlots(tx, id)
  return fleet
}
