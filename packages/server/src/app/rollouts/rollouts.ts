/**
 * Rollouts as people create and steer them. Every change is written under the rollout's lock (RFD
 * 12).
 */
import type { RolloutView } from '@seaworthy/api/rollouts'
import type { Permission } from '@seaworthy/fleet/access'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type {
  Rollout,
  RolloutPolicy,
  RolloutRefusal,
  RolloutState,
} from '@seaworthy/fleet/rollouts'
import {
  abort,
  approveWave as approve,
  checkNewer,
  checkPolicy,
  checkRelease,
  createRollout as begin,
  describePolicy,
  pause,
  resume,
} from '@seaworthy/fleet/rollouts'
import { utf8Encode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { JsonValue } from '@seaworthy/trust/tuf'
import { channelRole } from '@seaworthy/trust/tuf'
import type { WriteTx } from '../../db/connection.ts'
import type { FleetRow } from '../../db/fleets.ts'
import { countFleetDevices, lockFleet } from '../../db/fleets.ts'
import { countTagged } from '../../db/rollout-members.ts'
import * as db from '../../db/rollouts.ts'
import {
  insertRollout,
  lockFleetRollouts,
  lockRollouts,
  notifyRollouts,
  writeRollout,
} from '../../db/rollouts.ts'
import type { Actor, Current } from '../access/index.ts'
import { checkFleet, grantOf, requireFleet } from '../access/index.ts'
import type { App } from '../app.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import { togetherMs } from '../approvals/index.ts'
import { viewRollout } from './rollout-views.ts'
import { requireTrust, sha256Hex } from '../trust/index.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage, viewPage } from '../paging.ts'

export interface WantedRollout {
  readonly fleet: string
  readonly version: string
  readonly policy: RolloutPolicy
  readonly startAt: Date | null
  readonly wayBackOf: string | null
}

export interface CreatedRollout {
  readonly rollout: Rollout
  /** The new rollout and, if it ends that one, the rollout that it goes back from. */
  readonly changed: readonly Rollout[]
  /** Facts for the audit log. */
  readonly detail: Readonly<Record<string, JsonValue>>
}

/** What a rollout needs to begin, read under the locks of the fleet and its rollouts. */
interface Grounds {
  readonly fleet: FleetRow
  readonly release: ReleaseFacts
  readonly back: Rollout | null
}

/**
 * Throws `fleet_not_found`, `out_of_scope`, `fleet_follows_newest`, `release_not_published`,
 * `release_not_newer`, `release_not_security`, `rollout_exists`, `rollout_policy_invalid`,
 * `way_back_not_possible`.
 */
async function requireGrounds(
  app: Pick<App, 'trust' | 'releases' | 'zones'>,
  tx: WriteTx,
  actor: Actor,
  wanted: WantedRollout,
): Promise<Grounds> {
  const fleet = await requireFleetOnRollouts(tx, actor, wanted.fleet)
  checkPolicy(wanted.policy, app.zones)
  const { releases } = requireTrust(await app.trust.freshState())
  const others = await lockFleetRollouts(tx, fleet.name, wanted.wayBackOf)
  const back = wanted.wayBackOf === null ? null : requireBack(others, fleet, wanted.wayBackOf)
  // The release is checked last, so that its refusal before it is signed says that everything else
  // is in order.
  const listed = releases.get(channelRole(fleet.product, fleet.channel)) ?? []
  const release = requireRelease({ listed, offered: app.releases.of(fleet) }, fleet, wanted.version)
  checkRelease(release, fleet.name, wanted.policy, back)
  checkNewer(release, fleet, others, wanted.policy, back)
  return { fleet, release, back }
}

/**
 * Checks a rollout without creating it, and answers how many devices waves by tag find. Throws what
 * `createRollout` throws.
 */
export async function checkRollout(
  app: Pick<App, 'trust' | 'releases' | 'zones'>,
  tx: WriteTx,
  actor: Actor,
  wanted: WantedRollout,
): Promise<{ waves: { taggedCount: number | null }[] }> {
  const { fleet } = await requireGrounds(app, tx, actor, wanted)
  const waves: { taggedCount: number | null }[] = []
  for (const { members } of wanted.policy.waves) {
    const isTag = members.kind === 'tag'
    waves.push({ taggedCount: isTag ? await countTagged(tx, fleet.name, members) : null })
  }
  return { waves }
}

/** What such a rollout would do. Throws what `createRollout` throws. */
export async function rolloutEffect(
  app: Pick<App, 'trust' | 'releases' | 'zones'>,
  tx: WriteTx,
  actor: Current,
  wanted: WantedRollout,
): Promise<GuardedEffect<'release'>> {
  const { fleet, release, back } = await requireGrounds(app, tx, actor, wanted)
  const { name, product, channel, updatesEnabled, pollSeconds, baseline } = fleet
  const isFar =
    wanted.startAt !== null && wanted.startAt.getTime() > (await tx.now()).getTime() + togetherMs
  const from = wanted.startAt === null ? '' : `, from ${formatInstant(wanted.startAt)} on`
  return {
    kind: 'release',
    // Nobody knows how many devices the fleet has by then.
    devicesMax: isFar ? null : await countFleetDevices(tx, name),
    words: [
      `Would move the fleet ${name} to ${product}@${release.version}${from}.`,
      ...(back === null
        ? []
        : [`Only devices that run ${back.version} take part: it is the way back of ${back.id}.`]),
      ...describePolicy(wanted.policy, { pollSeconds }),
    ],
    inputs: {
      ...{ product, channel, updatesEnabled },
      baseline: baseline?.sha256 ?? null,
      release: { sha256: release.sha256, counter: release.counter, security: release.security },
      back: back && { id: back.id, state: back.state },
    },
    needs: { permission: 'rollout:write', fleet: { name, product } },
  }
}

/** Throws what `requireGrounds` throws. */
export async function createRollout(
  app: Pick<App, 'trust' | 'releases' | 'zones' | 'random'>,
  tx: WriteTx,
  actor: Current,
  wanted: WantedRollout,
): Promise<CreatedRollout> {
  const { fleet, release, back } = await requireGrounds(app, tx, actor, wanted)
  const now = await tx.now()
  const rollout = begin({
    id: newId('rollout', now, app.random),
    fleet: fleet.name,
    release,
    policy: wanted.policy,
    createdBy: actor.id,
    startAt: wanted.startAt,
    wayBackOf: back,
    now,
  })
  const changed = [rollout]
  await insertRollout(tx, rollout)
  await db.countDevicesIn(tx, rollout.id)
  if (back !== null) {
    if (back.state === 'active' || back.state === 'paused') {
      const ended = abort(back, `the way back ${rollout.id} takes its place`, now)
      await writeRollout(tx, back, ended)
      changed.push(ended)
    }
  }
  await notifyRollouts(
    tx,
    changed.map(({ id }) => id),
  )
  return { rollout, changed, detail: describeCreation(rollout) }
}

async function requireFleetOnRollouts(tx: WriteTx, actor: Actor, name: string): Promise<FleetRow> {
  const fleet = checkFleet(await lockFleet(tx, name), actor, name)
  if (fleet.follow === 'rollouts') return fleet
  throw new Refusal<RolloutRefusal>(
    'fleet_follows_newest',
    `${name} follows the newest release: seaworthy fleet set ${name} --follow rollouts`,
  )
}

/** What is listed and not offered lies below the floor of the channel. */
function requireRelease(
  { listed, offered }: { listed: readonly { version: string }[]; offered: readonly ReleaseFacts[] },
  fleet: FleetRow,
  version: string,
): ReleaseFacts {
  const release = offered.find((candidate) => candidate.version === version)
  if (release !== undefined) return release
  const role = channelRole(fleet.product, fleet.channel)
  if (listed.some((candidate) => candidate.version === version)) {
    throw new Refusal<RolloutRefusal>(
      'release_not_newer',
      `${version} lies below the floor that ${role} signs, and no device takes it any more`,
    )
  }
  throw new Refusal<RolloutRefusal>(
    'release_not_published',
    `${version} is not published on ${role}`,
  )
}

/** Finds the rollout to go back from. */
function requireBack(locked: readonly Rollout[], fleet: FleetRow, id: string): Rollout {
  const back = locked.find((rollout) => rollout.id === id)
  if (back?.fleet === fleet.name) return back
  throw new Refusal<RolloutRefusal>('rollout_not_found', `${fleet.name} has no rollout ${id}`)
}

/** Reads one consistent state. Throws `rollout_not_found`, `out_of_scope`. */
export async function findRollout(
  app: Pick<App, 'db'>,
  actor: Actor,
  id: string,
): Promise<Rollout> {
  const rollout = await app.db.readSnapshot((tx) => db.getRollout(tx, id))
  return requireReached(rollout, actor, id)
}

function requireReached(rollout: Rollout | undefined, actor: Actor, id: string): Rollout {
  if (rollout === undefined)
    throw new Refusal<RolloutRefusal>('rollout_not_found', `there is no rollout ${id}`)
  requireFleet(actor, { name: rollout.fleet, product: rollout.product })
  return rollout
}

/** Throws `rollout_not_found`, `out_of_scope`. */
export async function lockRollout(tx: WriteTx, actor: Actor, id: string): Promise<Rollout> {
  const [locked] = await lockRollouts(tx, [id])
  return requireReached(locked, actor, id)
}

/** Throws `rollout_not_found`, `out_of_scope`, and what the change throws. */
export async function changeRollout(
  tx: WriteTx,
  actor: Actor,
  id: string,
  change: (rollout: Rollout, now: Date) => Rollout,
): Promise<Rollout> {
  const before = await lockRollout(tx, actor, id)
  const after = change(before, await tx.now())
  await writeRollout(tx, before, after)
  await notifyRollouts(tx, [id])
  return after
}

/** Throws `rollout_not_active`, `rollout_ended`. */
export function pauseRollout(
  tx: WriteTx,
  actor: Actor,
  id: string,
  reason: string | null,
): Promise<Rollout> {
  return changeRollout(tx, actor, id, (rollout, now) => pause(rollout, reason, now))
}

/** Failures so far count as accepted. Throws `rollout_not_paused`, `rollout_ended`. */
export async function resumeRollout(tx: WriteTx, actor: Actor, id: string): Promise<Rollout> {
  const after = await changeRollout(tx, actor, id, resume)
  await db.countDevicesIn(tx, id)
  return after
}

/** What `resumeRollout` would bring to devices. Throws what it throws. */
export function resumeEffect(
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<GuardedEffect<'release'> | null> {
  return growthEffect(tx, actor, id, {
    change: resume,
    permission: 'rollout:write',
    says: (rollout) => `Would let ${rollout} go on`,
  })
}

/**
 * What the rollout would bring if it went on, as the rules for approvals judge it: its release to
 * devices that have joined the fleet since somebody last let it begin or go on; `null` when there
 * are none.
 */
async function growthEffect(
  tx: WriteTx,
  actor: Current,
  id: string,
  step: {
    readonly change: (rollout: Rollout, now: Date) => Rollout
    readonly permission: Permission
    readonly says: (rollout: string) => string
  },
): Promise<GuardedEffect<'release'> | null> {
  const rollout = await lockRollout(tx, actor, id)
  step.change(rollout, await tx.now())
  const { fleet, product, version, sha256, counter } = rollout
  const joined = (await countFleetDevices(tx, fleet)) - (await db.readDevicesCounted(tx, id))
  if (joined <= 0) return null
  return {
    kind: 'release',
    devicesMax: joined,
    words: [
      `${step.says(`the rollout ${id} of ${product}@${version}`)}, in the fleet ${fleet}, also for devices that have joined the fleet since it began or last went on.`,
    ],
    inputs: { sha256, counter },
    needs: { permission: step.permission, fleet: { name: fleet, product } },
  }
}

/** Throws `rollout_ended`. */
export function abortRollout(
  tx: WriteTx,
  actor: Actor,
  id: string,
  reason: string | null,
): Promise<Rollout> {
  return changeRollout(tx, actor, id, (rollout, now) => abort(rollout, reason, now))
}

/**
 * `wave` is an index. Throws `wave_needs_no_approval`, `wave_approved_already`, `rollout_ended`.
 */
export async function approveWave(
  tx: WriteTx,
  actor: Actor,
  id: string,
  wave: number,
): Promise<Rollout> {
  const after = await changeRollout(tx, actor, id, (rollout, now) =>
    approve(rollout, wave, actor.id, now),
  )
  await db.countDevicesIn(tx, id)
  return after
}

/** What `approveWave` would bring to devices. Throws what it throws. */
export function waveEffect(
  tx: WriteTx,
  actor: Current,
  id: string,
  wave: number,
): Promise<GuardedEffect<'release'> | null> {
  return growthEffect(tx, actor, id, {
    change: (rollout, now) => approve(rollout, wave, actor.id, now),
    permission: 'rollout:approve',
    says: (rollout) => `Would let wave ${wave + 1} of ${rollout} open`,
  })
}

/** Lists the rollouts within the actor's scope, newest first. */
export async function listRollouts(
  app: Pick<App, 'db' | 'releases' | 'zones'>,
  actor: Actor,
  query: PageQuery & {
    readonly fleet?: string | undefined
    readonly state?: RolloutState | undefined
  },
  now: Date,
): Promise<Page<RolloutView>> {
  const { fleets, products } = grantOf(actor)
  const { after = null, fleet = null, state = null } = query
  const page = await app.db.readSnapshot((tx) =>
    readPage(
      query,
      (limit) => db.listRollouts(tx, { after, limit, fleet, state, fleets, products }),
      ({ id }) => id,
    ),
  )
  return viewPage(page, (rollout) => viewRollout(rollout, now))
}

function describeCreation(rollout: Rollout): Readonly<Record<string, JsonValue>> {
  return {
    fleet: rollout.fleet,
    product: rollout.product,
    channel: rollout.channel,
    version: rollout.version,
    sha256: rollout.sha256,
    counter: rollout.counter,
    policySha256: digestOfPolicy(rollout.policy),
    waves: rollout.policy.waves.length,
    isEmergency: rollout.policy.isEmergency,
    wayBackOf: rollout.wayBackOf,
    startAt: formatInstant(rollout.startAt),
  }
}

export function digestOfPolicy(policy: RolloutPolicy): string {
  return sha256Hex(utf8Encode(JSON.stringify(sortMembers(policy))))
}

/**
 * Sorts the members of objects by name, so that the digest does not depend on who wrote the policy
 * down.
 */
function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sortMembers(member)]),
  )
}
