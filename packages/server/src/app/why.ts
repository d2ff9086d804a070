/** Why a device gets what it gets, in one sentence with the facts; read in one consistent state. */
import type { WhyView } from '@seaworthy/api/rollouts'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { CheckInFacts, RolloutRefusal, Update, Why } from '@seaworthy/fleet/rollouts'
import { explain, explainRollout as explainOne, rankRollouts } from '@seaworthy/fleet/rollouts'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../db/connection.ts'
import type { DeviceWithState } from '../db/devices.ts'
import type { FleetRow } from '../db/fleets.ts'
import { getFleet } from '../db/fleets.ts'
import { getRollout, listUnsettledRolloutsOf } from '../db/rollouts.ts'
import { listUpdates } from '../db/updates.ts'
import type { Actor } from './actors.ts'
import { requireFleet } from './actors.ts'
import type { App } from './app.ts'
import { findDevice } from './devices.ts'
import { activityOf } from './foreign-check-ins.ts'
import { instantOrNull } from './views.ts'

type Deps = Pick<App, 'db' | 'releases' | 'zones'>

/** Over everything that could decide it. Throws `device_not_found`, `out_of_scope`. */
export async function explainDevice(
  app: Deps,
  actor: Actor,
  asked: { readonly deviceId: string; readonly timeZone: string },
  now: Date,
): Promise<WhyView> {
  const { zones } = app
  return app.db.readSnapshot(async (tx) => {
    const { device, fleet } = await readDevice(tx, actor, asked.deviceId)
    const rollouts = await listUnsettledRolloutsOf(tx, fleet.name)
    const updates = await listUpdates(tx, {
      rollouts: rollouts.map(({ id }) => id),
      devices: [device.id],
    })
    const releases = app.releases.of(fleet)
    const facts = factsOf(device, fleet, updates)
    const ranked = rankRollouts(rollouts, releases)
    const why = explain(facts, fleet, ranked, releases, now, zones, asked.timeZone)
    return viewWhy(device.id, why)
  })
}

/** For one rollout alone, also one that has ended. Throws `rollout_not_found`, `device_not_found`, `out_of_scope`. */
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
    const { device, fleet } = await readDevice(tx, actor, asked.deviceId)
    if (fleet.name !== rollout.fleet) {
      const message = `the device is in the fleet ${fleet.name}, the rollout is of ${rollout.fleet}`
      throw new Refusal<DeviceRefusal>('device_not_found', message)
    }
    const updates = await listUpdates(tx, { rollouts: [rollout.id], devices: [device.id] })
    const facts = factsOf(device, fleet, updates)
    const releases = app.releases.of(fleet)
    const why = explainOne(facts, fleet, rollout, releases, now, zones, asked.timeZone)
    return viewWhy(device.id, why)
  })
}

async function readDevice(
  tx: ReadTx,
  actor: Actor,
  id: string,
): Promise<{ device: DeviceWithState; fleet: FleetRow }> {
  const device = await findDevice(tx, actor, id)
  const fleet = await getFleet(tx, device.fleet)
  invariant(fleet !== undefined, 'a device is in a fleet')
  return { device, fleet }
}

/** As its next check-in would have them, if it said the same again. */
function factsOf(
  device: DeviceWithState,
  fleet: FleetRow,
  updates: readonly Update[],
): CheckInFacts {
  const { report } = device
  const state = report?.update.state ?? 'idle'
  return {
    deviceId: device.id,
    platform: report?.platform ?? device.platform,
    hardware: device.hardware,
    tags: device.tags,
    running: report?.running ?? null,
    committedCounter: report?.committedCounter ?? 0,
    floor: report?.floor ?? 0,
    activity: {
      state: device.protocol === 'agent' ? state : activityOf(fleet, state),
      sha256: report?.update.sha256 ?? null,
      code: report?.update.code ?? null,
    },
    sequence: report?.sequence ?? 0,
    updates,
  }
}

function viewWhy(deviceId: string, why: Why): WhyView {
  return {
    deviceId,
    rolloutId: why.rolloutId,
    code: why.code,
    sentence: why.sentence,
    wave: why.wave === null ? null : why.wave + 1,
    placePercent: why.placePercent,
    earliestAt: instantOrNull(why.earliestAt),
  }
}
