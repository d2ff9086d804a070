/** Fleets and their policies. */
import { isDeepStrictEqual } from 'node:util'
import type { FleetView } from '@seaworthy/api/fleets'
import type { FleetPolicy, FleetRefusal, RebootPolicy } from '@seaworthy/fleet/fleets'
import { pollSecondsDefault } from '@seaworthy/fleet/fleets'
import { checkRebootPolicy } from '@seaworthy/fleet/rollouts'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { channelRole } from '@seaworthy/trust/tuf'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/fleets.ts'
import type { FleetRow } from '../../db/fleets.ts'
import {
  countFleets,
  getFleet,
  insertFleet,
  lockFleet,
  notifyFleets,
  updateFleet,
} from '../../db/fleets.ts'
import { countSharedIdentities, notifyStoppedDevices } from '../../db/identity-sharing.ts'
import { lockFleetRollouts } from '../../db/rollouts.ts'
import type { Actor, Current } from '../access/index.ts'
import { checkFleet, grantOf, requireFleet } from '../access/index.ts'
import type { App, TrustState } from '../app.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import { requireKnownChannel, requireTrust } from '../trust/index.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage, viewPage } from '../paging.ts'

export interface FleetChange {
  readonly pollSeconds?: number | undefined
  readonly pinnedVersion?: string | null | undefined
  readonly updatesEnabled?: boolean | undefined
  readonly follow?: FleetPolicy['follow'] | undefined
  readonly reboot?: RebootPolicy | undefined
  readonly sharedIdentity?: FleetRow['sharedIdentity'] | undefined
}

/**
 * The most fleets of one product: workers hold all fleets in memory, and read them again after each
 * change. Calls at the same moment may exceed it by a few.
 */
const fleetsMax = 5000

/**
 * Throws `product_not_found` or `channel_not_found` unless the channel is in the signed metadata,
 * `fleet_exists`, `fleet_name_ended`, `fleets_too_many`, `out_of_scope`.
 */
export async function createFleet(
  tx: WriteTx,
  { zones }: Pick<App, 'zones'>,
  actor: Current,
  trust: TrustState | undefined,
  wanted: FleetChange & { name: string; product: string; channel: string },
  now: Date,
): Promise<FleetRow> {
  requireFleet(actor, wanted)
  requireKnownChannel(requireTrust(trust), wanted.product, wanted.channel)
  if ((await countFleets(tx, wanted.product)) >= fleetsMax) {
    throw new Refusal<FleetRefusal>(
      'fleets_too_many',
      `${wanted.product} has ${fleetsMax} fleets, and a product has no more: put the devices into one of them and tell them apart by tags, or remove one that no device depends on`,
    )
  }
  const row: FleetRow = {
    name: wanted.name,
    product: wanted.product,
    channel: wanted.channel,
    pollSeconds: wanted.pollSeconds ?? pollSecondsDefault,
    pinnedVersion: wanted.pinnedVersion ?? null,
    updatesEnabled: wanted.updatesEnabled ?? true,
    follow: wanted.follow ?? 'newest',
    configVersion: 0,
    baseline: null,
    reboot: wanted.reboot ?? { strategy: 'immediate' },
    sharedIdentity: wanted.sharedIdentity ?? 'tell',
    createdAt: now,
  }
  checkRebootPolicy(row.reboot, zones)
  if (!(await insertFleet(tx, row))) {
    if (await db.isRemovedFleet(tx, wanted.name)) {
      throw new Refusal<FleetRefusal>(
        'fleet_name_ended',
        `a fleet ${wanted.name} was removed, and its name stays with it: signed documents may still say it`,
      )
    }
    throw new Refusal<FleetRefusal>('fleet_exists', `there is a fleet ${wanted.name}`)
  }
  await notifyFleets(tx)
  return row
}

/** Throws `fleet_not_found`, `out_of_scope`. */
export async function findFleet(tx: ReadTx, actor: Actor, name: string): Promise<FleetRow> {
  return checkFleet(await getFleet(tx, name), actor, name)
}

/** Throws `fleet_not_found`, `out_of_scope`, `fleet_has_rollouts`, `rollout_policy_invalid`. */
export async function setFleet(
  tx: WriteTx,
  { zones }: Pick<App, 'zones'>,
  actor: Current,
  name: string,
  change: FleetChange,
): Promise<{ row: FleetRow; isUnchanged: boolean }> {
  const before = checkFleet(await lockFleet(tx, name), actor, name)
  const row: FleetRow = {
    ...before,
    pollSeconds: change.pollSeconds ?? before.pollSeconds,
    pinnedVersion: change.pinnedVersion === undefined ? before.pinnedVersion : change.pinnedVersion,
    updatesEnabled: change.updatesEnabled ?? before.updatesEnabled,
    follow: change.follow ?? before.follow,
    reboot: change.reboot ?? before.reboot,
    sharedIdentity: change.sharedIdentity ?? before.sharedIdentity,
  }
  if (isDeepStrictEqual(row, before)) return { row, isUnchanged: true }
  checkRebootPolicy(row.reboot, zones)
  if (before.follow === 'rollouts' && row.follow === 'newest') await requireNoRollouts(tx, name)
  await updateFleet(tx, row)
  if (row.sharedIdentity !== before.sharedIdentity) await notifyStoppedDevices(tx)
  await notifyFleets(tx)
  return { row, isUnchanged: false }
}

/**
 * What a change of the fleet would bring to its devices; `null` when it brings them no release.
 * Throws `fleet_not_found`, `out_of_scope`.
 */
export async function fleetEffect(
  tx: WriteTx,
  { releases }: Pick<App, 'releases'>,
  actor: Current,
  name: string,
  change: FleetChange,
): Promise<GuardedEffect<'release'> | null> {
  const before = checkFleet(await lockFleet(tx, name), actor, name)
  const { product, channel } = before
  const follow = change.follow ?? before.follow
  const pin = change.pinnedVersion === undefined ? before.pinnedVersion : change.pinnedVersion
  const isOn = change.updatesEnabled ?? before.updatesEnabled
  const isAsBefore =
    follow === before.follow && pin === before.pinnedVersion && isOn === before.updatesEnabled
  const letsGo = before.sharedIdentity === 'stop' && change.sharedIdentity === 'tell'
  if ((isAsBefore && !letsGo) || !isOn) return null
  const brought =
    follow === 'newest' ? newestBrought(before, pin, releases) : await baselineBrought(tx, before)
  if (brought === null) return null
  return {
    kind: 'release',
    devicesMax: await (isAsBefore ? countSharedIdentities : db.countFleetDevices)(tx, name),
    words: [
      ...(letsGo
        ? [
            `Would let the devices of the fleet ${name} whose identity two machines seem to use take again what it runs.`,
          ]
        : []),
      ...(isAsBefore ? [] : brought.words),
    ],
    inputs: {
      ...{ product, channel, follow: before.follow, pinnedVersion: before.pinnedVersion },
      ...{ updatesEnabled: before.updatesEnabled, ...brought.inputs },
    },
    needs: { permission: 'fleet:write', fleet: { name, product } },
  }
}

type Brought = Pick<GuardedEffect, 'words' | 'inputs'>

/** What the newest release of the channel, or the pin, brings to a fleet that follows it. */
function newestBrought(
  { name, product, channel }: FleetRow,
  pin: string | null,
  releases: App['releases'],
): Brought {
  const newest = releases.of({ product, channel })[0]
  return {
    words: [
      pin === null
        ? `Would let every device of the fleet ${name} take the newest release of ${channelRole(product, channel)} at once, without a rollout, and each later one.`
        : `Would let every device of the fleet ${name} take ${product}@${pin} at once, without a rollout.`,
    ],
    inputs: {
      newest: newest === undefined ? null : { sha256: newest.sha256, counter: newest.counter },
    },
  }
}

/**
 * What a fleet that follows rollouts takes without a new one: its baseline, and what its rollouts
 * still offer; `null` for nothing. The fleet must be locked.
 */
async function baselineBrought(
  tx: WriteTx,
  { name, product, baseline }: FleetRow,
): Promise<Brought | null> {
  const rollouts = await listOpenRollouts(tx, name)
  if (baseline === null && rollouts.length === 0) return null
  return {
    words: [
      ...(baseline === null
        ? []
        : [
            `Would let every device of the fleet ${name} take its baseline ${product}@${baseline.version} at once, without a rollout.`,
          ]),
      ...rollouts.map(
        ({ id, version }) =>
          `Would let every device of the fleet ${name} take part in the rollout ${id} of ${product}@${version}.`,
      ),
    ],
    inputs: { baseline: baseline?.sha256 ?? null, rollouts: rollouts.map(({ id }) => id) },
  }
}

/** The rollouts of the fleet that have not ended, locked. */
async function listOpenRollouts(tx: WriteTx, fleet: string) {
  const rollouts = await lockFleetRollouts(tx, fleet)
  return rollouts.filter(({ state }) => state === 'active' || state === 'paused')
}

/** Throws `fleet_has_rollouts`. The fleet must be locked, so that no rollout is being created. */
export async function requireNoRollouts(tx: WriteTx, fleet: string): Promise<void> {
  const ids = (await listOpenRollouts(tx, fleet)).map(({ id }) => id)
  if (ids.length === 0) return
  throw new Refusal<FleetRefusal>(
    'fleet_has_rollouts',
    `rollouts of ${fleet} are under way: abort ${ids.join(', ')} first`,
  )
}

export function viewFleet(row: FleetRow, devicesCount: number): FleetView {
  return {
    name: row.name,
    product: row.product,
    channel: row.channel,
    pollSeconds: row.pollSeconds,
    pinnedVersion: row.pinnedVersion,
    updatesEnabled: row.updatesEnabled,
    follow: row.follow,
    baselineVersion: row.baseline?.version ?? null,
    sharedIdentity: row.sharedIdentity,
    reboot: structuredClone(row.reboot) as FleetView['reboot'],
    devicesCount,
    createdAt: formatInstant(row.createdAt),
  }
}

export async function showFleet(tx: ReadTx, row: FleetRow): Promise<FleetView> {
  return viewFleet(row, await db.countFleetDevices(tx, row.name))
}

/** Lists the fleets within the actor's scope, by name. */
export async function listFleets(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
): Promise<Page<FleetView>> {
  const { products, fleets } = grantOf(actor)
  const page = await readPage(
    query,
    (limit) => db.listFleets(tx, { after: query.after ?? '', limit, products, fleets }),
    (row) => row.name,
  )
  return viewPage(page, (row) => viewFleet(row, row.devicesCount))
}
