/**
 * What a DDI device is to install: the engine's answer as an action with a number, and the files of
 * the release. A device has at most one open action; when the answer changes, the client is asked
 * to cancel that action first.
 */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { Effect, Feedback } from '@seaworthy/fleet/protocols'
import {
  applyCancelFeedback,
  applyFeedback,
  applyInstalled,
  heldBackBy,
  notAsked,
  statusesMax,
} from '@seaworthy/fleet/protocols'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Answer } from '@seaworthy/fleet/rollouts'
import { Refusal } from '@seaworthy/std/refusal'
import { channelRole } from '@seaworthy/trust/tuf'
import type { DdiActionRow } from '../../../db/ddi-actions.ts'
import {
  askToCancel,
  getDdiAction,
  insertDdiAction,
  writeDdiAction,
} from '../../../db/ddi-actions.ts'
import { getForeignDevice, replaceAttributes } from '../../../db/foreign-devices.ts'
import type { App, ReleaseFile, ForeignIdentity } from '../../app.ts'
import type { ForeignState, OpenAction } from '../foreign-check-ins.ts'
import { decideForeign, lockForeign, storeChange } from '../foreign-check-ins.ts'
import { mayInterrupt, releaseSlot } from '../../restarts/index.ts'
import type { ServerRefusal } from '../../refusals.ts'
import { refusalOf } from '../../refusals.ts'
import { findReleaseFiles } from '../../content/index.ts'
import { endOverdueCancel } from './cancels.ts'

type Deps = Pick<
  App,
  | 'callerLog'
  | 'db'
  | 'fleets'
  | 'metrics'
  | 'random'
  | 'rebootLocks'
  | 'releaseFiles'
  | 'releases'
  | 'rollouts'
  | 'settlements'
  | 'store'
  | 'trust'
  | 'zones'
>

/** What a poll gets as its answer. */
export interface Agenda {
  readonly fleet: FleetPolicy
  readonly deployment: number | null
  readonly cancel: number | null
  readonly installed: number | null
  readonly wantsAttributes: boolean
}

/** Decides what a poll is answered with, after writing what follows from it. */
export async function answerPoll(app: Deps, state: ForeignState, now: Date): Promise<Agenda> {
  const current = await endOverdueCancel(app, state, now)
  const { answer, fleet } = await decideForeign(app, current, heldBackBy(current.action), now)
  const action = await followAnswer(app, current, answer, now)
  return {
    fleet,
    deployment: action?.state === 'running' ? action.id : null,
    cancel: action?.state === 'canceling' ? action.id : null,
    installed: state.installedAction,
    wantsAttributes: !state.hasAttributes,
  }
}

type Shown = Pick<OpenAction, 'id' | 'state'> | null

async function followAnswer(
  app: Deps,
  state: ForeignState,
  { release, reason, rolloutId }: Answer,
  now: Date,
): Promise<Shown> {
  const { action, device } = state
  if (action !== null) {
    if (action.state === 'canceling' || release?.sha256 === action.sha256) return action
    // While updates are switched off, an action that has begun goes on, and one that has not is not
    // shown.
    if (reason === 'updates_disabled') return action.statusesCount > 0 ? action : null
    if (action.isCancelRejected) return action
    await app.db.write((tx) => askToCancel(tx, device, action.id, now))
    return { id: action.id, state: 'canceling' }
  }
  if (release === null) return null
  const files = await findReleaseFiles(app, release, state.platform)
  if (files.length === 0) {
    await refuseOffer(app, state, release, now)
    return null
  }
  const made = await app.db.write((tx) =>
    insertDdiAction(tx, { ...release, device, rollout: rolloutId, createdAt: now }),
  )
  // Another poll of the device created an action at the same time: the next answer shows it.
  return made === undefined ? null : { id: made.id, state: 'running' }
}

/**
 * Fails an offer whose release has no files for the device at once, where people see it, instead of
 * letting it time out.
 */
async function refuseOffer(
  app: Deps,
  { device }: ForeignState,
  { sha256, targetPath }: ReleaseFacts,
  now: Date,
): Promise<void> {
  const code = 'image_without_files'
  app.callerLog.warn(device, 'ddi.release-refused', { device, code, release: targetPath })
  const changed = await app.db.write(async (tx) => {
    const locked = await lockForeign(tx, device, now)
    return locked && storeChange(tx, locked, { update: { state: 'failed', sha256, code } }, now)
  })
  if (changed !== undefined) await settleChange(app, changed, now)
}

export interface Deployment {
  readonly action: DdiActionRow
  readonly files: readonly ReleaseFile[]
}

/**
 * Finds an action and the files of its release, which must be in the signed metadata now (T10).
 * Answers `undefined` when there is no action of that number, or it was cancelled.
 */
export async function findDeployment(
  app: Deps,
  device: Pick<ForeignState, 'device' | 'fleet' | 'platform'>,
  id: number,
): Promise<Deployment | undefined> {
  const action = await getDdiAction(app.db.reader, device.device, id)
  if (action === undefined || action.state === 'canceling' || action.state === 'canceled') return
  const fleet = app.fleets.get(device.fleet)
  const role = fleet && channelRole(fleet.product, fleet.channel)
  const signed = role === undefined ? undefined : app.trust.state()?.releases.get(role)
  const isSigned = signed?.some(
    ({ product, version, sha256 }) =>
      product === action.product && version === action.version && sha256 === action.sha256,
  )
  if (isSigned !== true) return undefined
  return { action, files: await findReleaseFiles(app, action, device.platform) }
}

/**
 * Whether the client may install now. A DDI client downloads, installs and restarts in one go, so
 * the fleet's rule for restarts holds from the first byte on. An installation that has begun is not
 * stopped.
 */
export async function mayInstall(
  app: Deps,
  state: ForeignState,
  action: DdiActionRow,
  now: Date,
): Promise<boolean> {
  const fleet = app.fleets.get(state.fleet)
  const update = state.report?.update
  if (fleet === undefined) return false
  if (update?.state === 'installing' && update.sha256 === action.sha256) return true
  return mayInterrupt(app, fleet, state, action, now)
}

/**
 * Takes feedback on a deployment. Throws `action_not_found`, `action_closed`, `action_quota`,
 * `device_removed`.
 */
export async function takeFeedback(
  app: Deps,
  identity: ForeignIdentity,
  id: number,
  feedback: Feedback,
  now: Date,
): Promise<void> {
  await change(app, identity, id, now, (action) => applyFeedback(action, feedback, now))
}

/**
 * Takes feedback on a request to cancel. Throws the same, and `action_not_found` for an action that
 * nobody cancels.
 */
export async function takeCancelFeedback(
  app: Deps,
  identity: ForeignIdentity,
  id: number,
  feedback: Feedback,
  now: Date,
): Promise<void> {
  await change(app, identity, id, now, (action) => {
    if (action.state !== 'canceling') throw notFound()
    return applyCancelFeedback(action, feedback, now)
  })
}

/**
 * Stores what was said first, then has the engine decide; the next poll makes up for a crash
 * between the two.
 */
async function change(
  app: Deps,
  identity: ForeignIdentity,
  id: number,
  now: Date,
  apply: (action: DdiActionRow) => Effect,
): Promise<void> {
  const { deviceId: device } = identity
  const changed = await app.db.write(async (tx) => {
    const state = await lockForeign(tx, device, now, identity)
    const action = await getDdiAction(tx, device, id)
    if (state === undefined || action === undefined) throw notFound()
    if (action.closedAt !== null) {
      throw new Refusal<ServerRefusal>('action_closed', 'the action is closed')
    }
    if (action.statusesCount >= statusesMax) {
      throw new Refusal<ServerRefusal>('action_quota', `more than ${statusesMax} statuses`)
    }
    const effect = apply(action)
    await writeDdiAction(tx, { ...action, ...effect.action })
    // An action that has ended needs no permission to restart any more.
    if (effect.action.closedAt !== null) await releaseSlot(tx, device)
    return effect.change === null ? undefined : storeChange(tx, state, effect.change, now)
  })
  if (changed !== undefined) await settleChange(app, changed, now)
}

/**
 * The feedback is already stored, so the client need not repeat it when the engine cannot be asked
 * now.
 */
async function settleChange(app: Deps, state: ForeignState, now: Date): Promise<void> {
  try {
    await decideForeign(app, state, notAsked, now)
  } catch (thrown) {
    const error = refusalOf(thrown)
    if (!(error instanceof Refusal) || error.code !== 'unavailable') throw thrown
    app.callerLog.warn(state.device, 'ddi.settled-later', { device: state.device, error: thrown })
  }
}

/**
 * Stores which signed release of its fleet's channel the client says it already runs. Answers false
 * when the channel has no such release.
 */
export async function takeInstalled(
  app: Deps,
  identity: ForeignIdentity,
  named: { readonly name: string; readonly version: string },
  now: Date,
): Promise<boolean> {
  const changed = await app.db.write(async (tx) => {
    const state = await lockForeign(tx, identity.deviceId, now, identity)
    const fleet = state && app.fleets.get(state.fleet)
    if (state === undefined || fleet === undefined || fleet.product !== named.name) return undefined
    const role = channelRole(fleet.product, fleet.channel)
    const releases = app.trust.state()?.releases.get(role) ?? []
    const release = releases.find(({ version }) => version === named.version)
    if (release === undefined) return undefined
    const { product, version, sha256, counter } = release
    const running = { product, version, sha256, counter }
    const update = state.report?.update ?? { state: 'idle' }
    return storeChange(tx, state, applyInstalled(update, running), now)
  })
  if (changed === undefined) return false
  await settleChange(app, changed, now)
  return true
}

export type AttributeMode = 'merge' | 'replace' | 'remove'

const attributesMax = 100

/** Throws `action_quota`, `action_not_found` for a device that was removed. */
export async function takeAttributes(
  app: Pick<App, 'db'>,
  identity: ForeignIdentity,
  { mode, data }: { mode: AttributeMode; data: Readonly<Record<string, string>> },
  now: Date,
): Promise<void> {
  const { deviceId: device } = identity
  await app.db.write(async (tx) => {
    const state = await lockForeign(tx, device, now, identity)
    if (state === undefined) throw notFound()
    const before =
      mode === 'replace' ? {} : ((await getForeignDevice(tx, device))?.attributes ?? {})
    const after =
      mode === 'remove'
        ? Object.fromEntries(Object.entries(before).filter(([key]) => !Object.hasOwn(data, key)))
        : { ...before, ...data }
    if (Object.keys(after).length > attributesMax) {
      throw new Refusal<ServerRefusal>('action_quota', `more than ${attributesMax} attributes`)
    }
    await replaceAttributes(tx, device, after, now)
  })
}

function notFound(): Refusal<ServerRefusal> {
  return new Refusal<ServerRefusal>('action_not_found', 'the device has no such action')
}
