/**
 * What an Omaha client gets: the engine's answer, as a release with its files and an address that
 * is valid for hours. The client downloads, installs and restarts without asking again, so the
 * fleet's rule for restarts holds from the offer on.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { OmahaStatement } from '@seaworthy/fleet/protocols'
import { noRestart, notAsked, readStatement } from '@seaworthy/fleet/protocols'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import { isEnd } from '@seaworthy/fleet/rollouts'
import { hourMs } from '@seaworthy/std/time'
import type { WriteTx } from '../../../db/connection.ts'
import { getDevice, updateDevice } from '../../../db/devices.ts'
import { bindExternalId } from '../../../db/foreign-devices.ts'
import type { App, ReleaseFile, ForeignIdentity } from '../../app.ts'
import { openToken, signToken } from '../../access/index.ts'
import type { ForeignState } from '../foreign-check-ins.ts'
import { decideForeign, lockForeign, storeChange } from '../foreign-check-ins.ts'
import { mayInterrupt, releaseSlot } from '../../restarts/index.ts'
import { findReleaseFiles } from '../../content/index.ts'

type Deps = Pick<
  App,
  | 'callerLog'
  | 'db'
  | 'fleets'
  | 'foreignCheckIns'
  | 'foreignIdentities'
  | 'metrics'
  | 'random'
  | 'rebootLocks'
  | 'releaseFiles'
  | 'releases'
  | 'removedDevices'
  | 'rollouts'
  | 'secrets'
  | 'settlements'
  | 'store'
  | 'zones'
>

/**
 * Admits the holder of a credential if the machine that sends it is the one that used it first, and
 * notes that it was heard.
 */
export async function admitMachine(
  app: Deps,
  identity: ForeignIdentity,
  machineId: string,
  now: Date,
): Promise<ForeignState | 'revoked' | 'other-machine'> {
  const { deviceId, externalId } = identity
  if (externalId !== null && externalId !== machineId) return 'other-machine'
  const state = await app.foreignCheckIns.poll(identity)
  if (state === undefined) {
    app.foreignIdentities.forget(deviceId)
    return 'revoked'
  }
  if (externalId === null) {
    const isBound = await app.db.write((tx) => bindMachine(tx, identity, machineId, now))
    app.foreignIdentities.forget(deviceId)
    if (!isBound) return 'other-machine'
  }
  return state
}

/**
 * Binds a credential to its first machine. A device that has no name gets the machine id as its
 * name.
 */
async function bindMachine(
  tx: WriteTx,
  by: ForeignIdentity,
  machineId: string,
  now: Date,
): Promise<boolean> {
  const { deviceId } = by
  // The device's row is locked first, as in the removal of a device.
  if ((await lockForeign(tx, deviceId, now, by)) === undefined) return false
  if (!(await bindExternalId(tx, deviceId, machineId))) return false
  const device = await getDevice(tx, deviceId)
  if (device?.name === null) await updateDevice(tx, deviceId, { name: machineId })
  return true
}

export interface Offer {
  readonly release: ReleaseFacts
  /** The files of the release; the client installs the first. */
  readonly files: readonly ReleaseFile[]
  /** The token in the path of the files' address. */
  readonly token: string
}

export interface Outcome {
  readonly fleet: FleetPolicy
  /** The offer; `null` when there is nothing new for the machine. */
  readonly offer: Offer | null
}

/** Stores what was said and decides; an offer is made only to a machine that asks for one. */
export async function takeStatement(
  app: Deps,
  by: ForeignIdentity,
  state: ForeignState,
  said: OmahaStatement,
  isCheck: boolean,
  now: Date,
): Promise<Outcome> {
  const current = await storeStatement(app, by, state, said, now)
  const { answer, fleet } = isCheck
    ? await decideCheck(app, current, now)
    : await decideForeign(app, current, notAsked, now)
  const offer = isCheck ? await makeOffer(app, current, fleet, answer.release, now) : null
  return { fleet, offer }
}

/**
 * The client restarts into an offer without asking again, so nothing is granted before the fleet's
 * rule for restarts allows it. The engine is therefore first asked what it would grant.
 */
async function decideCheck(app: Deps, state: ForeignState, now: Date) {
  const isFree = app.fleets.get(state.fleet)?.reboot.strategy === 'immediate'
  const decided = await decideForeign(app, state, isFree ? null : noRestart, now)
  const { answer, fleet } = decided
  if (answer.reason !== noRestart.reason) return decided
  const rollouts = app.rollouts.of(fleet)
  const wanted = rollouts.find(({ rollout }) => rollout.id === answer.rolloutId)?.release ?? null
  if (wanted === null || !(await mayInterrupt(app, fleet, state, wanted, now))) return decided
  const granted = await decideForeign(app, state, null, now)
  // Another device was granted the last place in the meantime.
  if (granted.answer.release?.sha256 !== wanted.sha256) {
    await app.db.write((tx) => releaseSlot(tx, state.device))
  }
  return granted
}

async function storeStatement(
  app: Deps,
  by: ForeignIdentity,
  state: ForeignState,
  said: OmahaStatement,
  now: Date,
): Promise<ForeignState> {
  const fleet = app.fleets.get(state.fleet)
  const releases = fleet === undefined ? [] : app.releases.of(fleet)
  if (state.report === null || readStatement(state.report, said, releases) === null) return state
  const stored = await app.db.write(async (tx) => {
    const locked = await lockForeign(tx, state.device, now, by)
    const change = locked?.report ? readStatement(locked.report, said, releases) : null
    if (locked === undefined || change === null) return locked
    // An update that has ended needs no permission to restart any more.
    if (isEnd(change.update.state)) await releaseSlot(tx, state.device)
    return storeChange(tx, locked, change, now)
  })
  return stored ?? state
}

async function makeOffer(
  app: Deps,
  state: ForeignState,
  fleet: FleetPolicy,
  release: ReleaseFacts | null,
  now: Date,
): Promise<Offer | null> {
  const update = state.report?.update
  const isSame = release !== null && update?.sha256 === release.sha256
  // The release is installed already, and only the restart is missing.
  if (isSame && update?.state === 'restarting') return null
  const isUnderWay = isSame && (update?.state === 'downloading' || update?.state === 'installing')
  if (!isUnderWay && !(await mayInterrupt(app, fleet, state, release, now))) return null
  if (release === null) return null
  const files = await findReleaseFiles(app, release, state.platform)
  if (files.length === 0) {
    // The update fails at once, where people see it, instead of timing out.
    const { targetPath, sha256 } = release
    const update = { state: 'failed', targetPath, sha256, code: 'image_without_files' } as const
    app.callerLog.warn(state.device, 'omaha.release-refused', {
      device: state.device,
      code: update.code,
      release: targetPath,
    })
    const refused = await storeUpdate(app, state, update, now)
    if (refused !== undefined) await decideForeign(app, refused, notAsked, now)
    return null
  }
  if (!isUnderWay && !(isSame && update?.state === 'idle')) {
    const { targetPath, sha256 } = release
    await storeUpdate(app, state, { state: 'idle', targetPath, sha256 }, now)
  }
  return { release, files, token: signFileToken(app, state.device, release, now) }
}

async function storeUpdate(
  app: Pick<App, 'db'>,
  { device }: ForeignState,
  update: DeviceReport['update'],
  now: Date,
): Promise<ForeignState | undefined> {
  return app.db.write(async (tx) => {
    const locked = await lockForeign(tx, device, now)
    return locked && storeChange(tx, locked, { update }, now)
  })
}

const fileAudience = 'seaworthy-omaha-file'
/**
 * Time for a slow download with pauses; afterwards the client asks again and gets a new address.
 */
const fileTokenMs = 12 * hourMs

function signFileToken(
  app: Pick<App, 'secrets'>,
  device: string,
  release: ReleaseFacts,
  now: Date,
): string {
  const exp = Math.floor((now.getTime() + fileTokenMs) / 1000)
  const claims = { sub: device, release: release.sha256, exp }
  return signToken(app.secrets.deviceTokenKey, fileAudience, claims)
}

/**
 * Finds the file behind such an address; its release must be in the signed metadata now (T10).
 * Writes nothing.
 */
export async function findOfferedFile(
  app: Deps,
  token: string,
  name: string,
  now: Date,
): Promise<ReleaseFile | undefined> {
  const claims = openToken(app.secrets.deviceTokenKey, fileAudience, token, now)
  const deviceId = claims?.['sub']
  if (typeof deviceId !== 'string' || app.removedDevices.has(deviceId)) return undefined
  const device = await getDevice(app.db.reader, deviceId)
  const fleet = device && app.fleets.get(device.fleet)
  if (device === undefined || fleet === undefined) return undefined
  const release = app.releases.of(fleet).find(({ sha256 }) => sha256 === claims!['release'])
  if (release === undefined) return undefined
  const files = await findReleaseFiles(app, release, device.platform)
  return files.find((file) => file.name === name)
}
