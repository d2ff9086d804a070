/** What a device does for itself: it registers, signs in and asks for its application. */
import type { EnrolmentView } from '@seaworthy/api/devices'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { FleetPolicy, FleetRefusal } from '@seaworthy/fleet/fleets'
import { newId } from '@seaworthy/std/ids'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import type { PublicKey } from '@seaworthy/trust/keys'
import { keyId, parsePublicKey, registrationMessage } from '@seaworthy/trust/keys'
import type { WriteTx } from '../../db/connection.ts'
import * as db from '../../db/devices.ts'
import type { DeviceRow } from '../../db/devices.ts'
import {
  findEnrolment,
  getDevice,
  getDeviceByKey,
  insertDevice,
  isRemovedDevice,
  isRemovedKey,
  storeEnrolment,
} from '../../db/devices.ts'
import { deleteExpiredAssertions, useAssertion } from '../../db/assertions.ts'
import type { FleetRow } from '../../db/fleets.ts'
import { getFleet } from '../../db/fleets.ts'
import { takeProvisioningUse } from '../../db/provisioning-keys.ts'
import type { Current } from '../access/index.ts'
import {
  ClockRefusal,
  readAssertionIssuer,
  verifyAssertion,
  accessTokenLifetimeMs,
  deviceAudience,
  signToken,
} from '../access/index.ts'
import type { App } from '../app.ts'
import { policyOf, tellEnrolledDevice } from '../fleets/index.ts'
import { anyone } from '../worker/index.ts'
import { requireSignature } from './device-keys.ts'
import { spendDeviceToken } from './token-allowance.ts'

type Deps = Pick<App, 'budgets' | 'callerLog' | 'db' | 'metrics' | 'secrets' | 'stoppedDevices'>

export interface Registration {
  readonly publicKey: PublicKey
  readonly proof: string
  readonly name?: string | undefined
  readonly platform: string
  readonly hardware?: string | undefined
  readonly agentVersion: string
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Kept as it is, for whoever verifies it. */
  readonly enrolment?: EnrolmentView['enrolment'] | undefined
}

/**
 * Registers a device. The same key registers only once: a repetition answers the same device and
 * takes no further use of the provisioning key; it may bring the enrolment that was left out the
 * first time, as by a fetcher that dropped it. Throws `proof_invalid`, `device_removed`,
 * `device_already_registered`, `provisioning_key_used_up`.
 */
export async function registerDevice(
  app: Pick<App, 'random'>,
  tx: WriteTx,
  actor: Current,
  wanted: Registration,
  now: Date,
): Promise<{ device: DeviceRow; fleet: FleetRow; isUnchanged: boolean }> {
  invariant(actor.kind === 'provisioning-key', 'the route takes provisioning keys alone')
  const key = parsePublicKey(wanted.publicKey)
  const id = await keyId(key.key)
  const message = registrationMessage(actor.id, id)
  await requireSignature(key, message, wanted.proof, 'proof_invalid')
  const fleet = await getFleet(tx, actor.key.fleet)
  invariant(fleet !== undefined, 'a provisioning key is of a fleet')
  if (await isRemovedKey(tx, id)) {
    throw new Refusal<DeviceRefusal>('device_removed', 'a device with this key was removed')
  }
  const device: DeviceRow = {
    id: newId('device', now, app.random),
    fleet: fleet.name,
    protocol: 'agent',
    keyId: id,
    publicKey: key.key,
    name: wanted.name ?? null,
    platform: wanted.platform,
    hardware: wanted.hardware ?? null,
    agentVersion: wanted.agentVersion,
    tags: wanted.tags ?? {},
    provisioningKey: actor.id,
    registeredAt: now,
  }
  if (await insertDevice(tx, device)) {
    if (!(await takeProvisioningUse(tx, actor.id, now))) {
      throw new Refusal<FleetRefusal>(
        'provisioning_key_used_up',
        'the provisioning key has no use left',
      )
    }
    if (wanted.enrolment) await storeEnrolment(tx, device.id, wanted.enrolment)
    return { device, fleet, isUnchanged: false }
  }
  const known = await getDeviceByKey(tx, id)
  if (known === undefined || known.provisioningKey !== actor.id) {
    throw new Refusal<DeviceRefusal>(
      'device_already_registered',
      'this key was registered with another provisioning key',
    )
  }
  const knownFleet = await getFleet(tx, known.fleet)
  invariant(knownFleet !== undefined, 'a device is in a fleet')
  const isLate = wanted.enrolment && (await findEnrolment(tx, known.id)) === null
  if (!isLate) return { device: known, fleet: knownFleet, isUnchanged: true }
  // The fleet is locked before the device, as where one is moved.
  await tellEnrolledDevice(tx, known.fleet)
  const isKept = await storeEnrolment(tx, known.id, wanted.enrolment)
  return { device: known, fleet: knownFleet, isUnchanged: !isKept }
}

/**
 * Throws `device_removed`, `identity_shared`, `tokens_too_often` or one of the codes `assertion_…`.
 * Refusals are logged with the device and the reason, within an allowance.
 */
export async function issueAccessToken(
  app: Deps,
  assertion: string,
  isOwnOrigin: (origin: string) => boolean,
  now: Date,
): Promise<{ accessToken: string; expiresAt: Date }> {
  const deviceId = readAssertionIssuer(assertion)
  try {
    await acceptAssertion(app, deviceId, assertion, isOwnOrigin, now)
  } catch (error) {
    if (error instanceof Refusal) logRefusedAssertion(app, deviceId, error)
    throw error
  }
  const expiresAt = new Date(now.getTime() + accessTokenLifetimeMs)
  const exp = Math.floor(expiresAt.getTime() / 1000)
  const accessToken = signToken(app.secrets.deviceTokenKey, deviceAudience, { sub: deviceId, exp })
  app.metrics.deviceTokens.add(1)
  return { accessToken, expiresAt: new Date(exp * 1000) }
}

async function acceptAssertion(
  app: Deps,
  deviceId: string,
  assertion: string,
  isOwnOrigin: (origin: string) => boolean,
  now: Date,
): Promise<void> {
  const device = await getDevice(app.db.reader, deviceId)
  if (device === undefined && (await isRemovedDevice(app.db.reader, deviceId)))
    throw new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
  if (!device?.publicKey) {
    throw new Refusal<DeviceRefusal>(
      'assertion_device_unknown',
      'the assertion is of no known device',
    )
  }
  const challengeKey = app.secrets.deviceTokenKey
  const rules = { isOwnOrigin, challengeKey, now }
  const verified = await verifyAssertion(assertion, device.publicKey, rules)
  if (app.stoppedDevices.has(deviceId)) {
    throw new Refusal<DeviceRefusal>(
      'identity_shared',
      'two machines use the identity of this device: an operator must decide which one it is',
    )
  }
  // Only the key of the device spends its allowance, so that no stranger keeps it from a token.
  await spendDeviceToken(app, deviceId)
  const { clockOffsetSeconds } = verified
  const before = device.clockOffsetSeconds
  const isMoved =
    before === null || Math.abs(before - clockOffsetSeconds) > clockOffsetUnnoticedSeconds
  const isFirstUse = await app.db.write(async (tx) => {
    if (!(await useAssertion(tx, { device: deviceId, ...verified }))) return false
    if (isMoved) await db.setClockOffset(tx, deviceId, clockOffsetSeconds)
    return true
  })
  if (!isFirstUse) {
    throw new Refusal<DeviceRefusal>('assertion_replayed', 'the assertion was used before')
  }
}

/**
 * Smaller changes of a device's clock offset are not stored: most clocks move by a second now and
 * then.
 */
const clockOffsetUnnoticedSeconds = 5

/**
 * Logs a refused assertion within an allowance: each device has its own, and all unknown devices
 * share one.
 */
function logRefusedAssertion(app: Pick<App, 'callerLog'>, deviceId: string, error: Refusal): void {
  const isUnknown = error.code === 'assertion_device_unknown'
  app.callerLog.warn(isUnknown ? anyone : deviceId, 'device.assertion-refused', {
    device: deviceId,
    code: error.code,
    reason: error.message,
    ...(error instanceof ClockRefusal ? { clockOffsetSeconds: error.clockOffsetSeconds } : {}),
  })
}

/** The device's own fleet. Throws `device_removed`. */
export async function findOwnFleet(
  app: Pick<App, 'db' | 'fleets'>,
  deviceId: string,
): Promise<FleetPolicy> {
  const device = await getDevice(app.db.reader, deviceId)
  if (device === undefined)
    throw new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
  return policyOf(app, device.fleet)
}

/** Forgets assertions that could not be used again anyway. */
export async function forgetExpiredAssertions(app: Pick<App, 'clock' | 'db'>): Promise<void> {
  await app.db.write((tx) => deleteExpiredAssertions(tx, app.clock.now()))
}
