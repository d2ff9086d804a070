/** Why a device gets what it gets, in one sentence with the facts; read in one consistent state. */
import type { WhyView } from '@seaworthy/api/rollouts'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { asSignedSequence } from '@seaworthy/fleet/devices'
import { heldBackBy, noRestart } from '@seaworthy/fleet/protocols'
import type {
  CheckInFacts,
  Heard,
  HeldBack,
  RolloutRefusal,
  Update,
  Why,
} from '@seaworthy/fleet/rollouts'
import {
  explain,
  explainRollout as explainOne,
  mayRestart,
  rankRollouts,
  readActivity,
} from '@seaworthy/fleet/rollouts'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../db/connection.ts'
import { getOpenDdiAction } from '../db/ddi-actions.ts'
import type { DeviceWithState } from '../db/devices.ts'
import type { FleetRow } from '../db/fleets.ts'
import { getFleet } from '../db/fleets.ts'
import { getHearing } from '../db/hearing.ts'
import { countHolders, listLocksOfDevice } from '../db/reboot-locks.ts'
import { getRollout, listLiveRolloutsOf } from '../db/rollouts.ts'
import { listUpdates } from '../db/updates.ts'
import type { Actor } from './access/index.ts'
import { requireFleet } from './access/index.ts'
import type { App } from './app.ts'
import { findDevice } from './devices/index.ts'
import { instantOrNull, viewValues } from './views.ts'

type Deps = Pick<App, 'db' | 'releases' | 'zones'>

/**
 * Explains what a device gets, over everything that could decide it. Throws `device_not_found`,
 * `out_of_scope`.
 */
export async function explainDevice(
  app: Deps,
  actor: Actor,
  asked: { readonly deviceId: string; readonly timeZone: string },
  now: Date,
): Promise<WhyView> {
  const { zones } = app
  return app.db.readSnapshot(async (tx) => {
    const { device, fleet, heldBack } = await readDevice(app, tx, actor, asked.deviceId, now)
    const rollouts = await listLiveRolloutsOf(tx, fleet.name)
    const updates = await listUpdates(tx, {
      rollouts: rollouts.map(({ id }) => id),
      devices: [device.id],
    })
    const releases = app.releases.of(fleet)
    const facts = factsOf(device, heldBack, updates)
    const situation = { fleet, rollouts: rankRollouts(rollouts, releases), releases, zones, now }
    const why = explain(facts, situation, asked.timeZone, await readHeard(tx, device))
    return viewWhy(device.id, why)
  })
}

/**
 * Explains what a device gets from one rollout, even an ended one. Throws `rollout_not_found`,
 * `device_not_found`, `out_of_scope`.
 */
export async function explainRollout(
  app: Deps,
  actor: Actor,
  asked: { readonly rolloutId: string; readonly deviceId: string; readonly timeZone: string },
  now: Date,
): Promise<WhyView> {
  const { zones } = app
  return app.db.readSnapshot(async (tx) => {
    const rollout = await getRollout(tx, asked.rolloutId)
    if (rollout === undefined) {
      const message = `there is no rollout ${asked.rolloutId}`
      throw new Refusal<RolloutRefusal>('rollout_not_found', message)
    }
    requireFleet(actor, { name: rollout.fleet, product: rollout.product })
    const { device, fleet, heldBack } = await readDevice(app, tx, actor, asked.deviceId, now)
    if (fleet.name !== rollout.fleet) {
      const message = `the device is in the fleet ${fleet.name}, the rollout is of ${rollout.fleet}`
      throw new Refusal<DeviceRefusal>('device_not_found', message)
    }
    const updates = await listUpdates(tx, { rollouts: [rollout.id], devices: [device.id] })
    const facts = factsOf(device, heldBack, updates)
    const releases = app.releases.of(fleet)
    const situation = { fleet, releases, zones, now }
    const heard = await readHeard(tx, device)
    const why = explainOne(facts, rollout, situation, asked.timeZone, heard)
    return viewWhy(device.id, why)
  })
}

async function readHeard(tx: ReadTx, device: DeviceWithState): Promise<Heard> {
  const { seenAt, registeredAt, protocol } = device
  return {
    at: seenAt,
    registeredAt,
    // Omaha clients choose their own interval.
    asksAsFleet: protocol !== 'omaha',
    hearing: await getHearing(tx),
  }
}

async function readDevice(
  app: Pick<Deps, 'zones'>,
  tx: ReadTx,
  actor: Actor,
  id: string,
  now: Date,
): Promise<{ device: DeviceWithState; fleet: FleetRow; heldBack: HeldBack | null }> {
  const device = await findDevice(tx, actor, id)
  const fleet = await getFleet(tx, device.fleet)
  invariant(fleet !== undefined, 'a device is in a fleet')
  return { device, fleet, heldBack: await readHeldBack(app, tx, device, fleet, now) }
}

/** What, apart from the rollouts, would keep an offer from the device at its next check-in. */
async function readHeldBack(
  { zones }: Pick<Deps, 'zones'>,
  tx: ReadTx,
  { id, protocol, tags }: DeviceWithState,
  { name, reboot }: FleetRow,
  now: Date,
): Promise<HeldBack | null> {
  if (protocol === 'ddi') return heldBackBy((await getOpenDdiAction(tx, id)) ?? null)
  if (protocol !== 'omaha' || reboot.strategy === 'immediate') return null
  const isHolder = (await listLocksOfDevice(tx, id)).length > 0
  const holders = reboot.strategy === 'coordinated' ? await countHolders(tx, name) : 0
  const { allowed } = mayRestart(reboot, holders, isHolder, tags, now, zones)
  return allowed ? null : noRestart
}

/** The facts that its next check-in would have, if the device said the same again. */
function factsOf(
  device: DeviceWithState,
  heldBack: HeldBack | null,
  updates: readonly Update[],
): CheckInFacts {
  const { report } = device
  const { sequence = 0 } = report ?? {}
  const state = report?.update.state ?? 'idle'
  return {
    deviceId: device.id,
    platform: report?.platform ?? device.platform,
    hardware: device.hardware,
    tags: device.tags,
    running: report?.running ?? null,
    committedCounter: report?.committedCounter ?? 0,
    floor: report?.floor ?? 0,
    // What is stored was judged when it came.
    activity: readActivity({ ...report?.update, state }, asSignedSequence(sequence)),
    countsAttempts: device.protocol === 'agent',
    sequence,
    heldBack,
    updates,
  }
}

function viewWhy(deviceId: string, why: Why): WhyView {
  return {
    deviceId,
    rolloutId: why.rolloutId,
    code: why.code,
    values: viewValues(why.values),
    sentence: why.sentence,
    wave: why.wave === null ? null : why.wave + 1,
    placePercent: why.placePercent,
    earliestAt: instantOrNull(why.earliestAt),
  }
}
