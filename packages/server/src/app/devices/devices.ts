/** Devices: registration, tokens, check-ins, and what people see and change of them. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { reportField } from '@seaworthy/api/device-self'
import type { DeviceView } from '@seaworthy/api/devices'
import {
  base64Decode,
  base64Encode,
  concatBytes,
  hexEncode,
  utf8Decode,
  utf8Encode,
} from '@seaworthy/std/bytes'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { FleetPolicy, FleetRefusal } from '@seaworthy/fleet/fleets'
import { newId } from '@seaworthy/std/ids'
import { invariant, Refusal, unreachable } from '@seaworthy/std/refusal'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import type { PublicKey, VerifyingKey } from '@seaworthy/trust/keys'
import { isSignedBy, keyId, parsePublicKey } from '@seaworthy/trust/keys'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/devices.ts'
import type { DeviceRow, DeviceWithState } from '../../db/devices.ts'
import {
  getDevice,
  getDeviceByKey,
  insertDevice,
  isRemovedDevice,
  isRemovedKey,
  removeDevice,
  updateDevice,
  useAssertion,
} from '../../db/devices.ts'
import type { FleetRow } from '../../db/fleets.ts'
import { getFleet } from '../../db/fleets.ts'
import { notifyStoppedDevices, settleSharedIdentity } from '../../db/identity-traces.ts'
import { rememberRemoved } from '../../db/foreign-devices.ts'
import { takeProvisioningUse } from '../../db/provisioning-keys.ts'
import type { Actor } from '../access/actors.ts'
import { grantOf, requireFleet } from '../access/actors.ts'
import type { App } from '../app.ts'
import { ClockRefusal, readAssertionIssuer, verifyAssertion } from '../access/assertions.ts'
import { accessTokenLifetimeMs, deviceAudience, signToken } from '../access/device-tokens.ts'
import { factsOf } from './device-facts.ts'
import { isAsBefore } from './device-metadata.ts'
import { leaveFleet } from './leave-fleet.ts'
import { decideRestart } from '../restarts/restarts.ts'
import { decideFor } from '../rollouts/settlements.ts'
import type { Page, PageQuery } from '../views.ts'
import { instantOrNull, readPage, viewPage } from '../views.ts'

export interface Registration {
  readonly publicKey: PublicKey
  readonly proof: string
  readonly name?: string | undefined
  readonly platform: string
  readonly hardware?: string | undefined
  readonly agentVersion: string
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/**
 * The same key registers once: a repetition answers the same device and takes no further use of the provisioning key.
 * Throws `proof_invalid`, `device_removed`, `device_already_registered`, `provisioning_key_used_up`.
 */
export async function registerDevice(
  app: App,
  tx: WriteTx,
  actor: Actor,
  wanted: Registration,
  now: Date,
): Promise<{ device: DeviceRow; fleet: FleetRow; isNew: boolean }> {
  invariant(actor.kind === 'provisioning-key', 'the route takes provisioning keys alone')
  const key = parsePublicKey(wanted.publicKey)
  const id = await keyId(key.key)
  const message = utf8Encode(`seaworthy-register-v1\n${actor.id}\n${id}`)
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
    return { device, fleet, isNew: true }
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
  return { device: known, fleet: knownFleet, isNew: false }
}

/** Throws one of the codes `assertion_…`; each refusal is in the log, with the device and the reason. */
export async function issueAccessToken(
  app: App,
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
  app: App,
  deviceId: string,
  assertion: string,
  isOwnOrigin: (origin: string) => boolean,
  now: Date,
): Promise<void> {
  const device = await getDevice(app.db.reader, deviceId)
  if (device === undefined && (await isRemovedDevice(app.db.reader, deviceId))) throw removed()
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

/** A smaller change of a device's clock is not written down: most of them move by a second now and then. */
const clockOffsetUnnoticedSeconds = 5

/** Of each device a few a minute; of devices that nobody knows together as many. */
function logRefusedAssertion(app: App, deviceId: string, error: Refusal): void {
  const isUnknown = error.code === 'assertion_device_unknown'
  if (!app.refusals.admits(`assertion ${isUnknown ? 'unknown' : deviceId}`)) return
  app.log.warn('device.assertion-refused', {
    device: deviceId,
    code: error.code,
    reason: error.message,
    ...(error instanceof ClockRefusal ? { clockOffsetSeconds: error.clockOffsetSeconds } : {}),
  })
}

export interface CheckInReply {
  readonly assignment: {
    targetPath: string
    sha256: string
    mayRestart?: boolean
    attempt?: number
  } | null
  readonly fleet: FleetPolicy
  readonly pollSeconds: number
  readonly acknowledgedSequence: number | null
}

/**
 * Stores the report and decides what comes next from memory. Throws `overloaded`, `report_signature_invalid`,
 * `report_signature_missing`, `report_sequence_reused`, `device_removed`.
 */
export async function checkIn(
  app: App,
  deviceId: string,
  input: {
    readonly report: DeviceReport
    readonly signature?: string | undefined
    /** `digestReport(report)`, where it is known already. */
    readonly digest?: string | undefined
  },
  now: Date,
): Promise<CheckInReply> {
  app.checkIns.admit()
  const { report, signature, digest } = input
  const outcome = await app.checkIns.submit({
    checkIn: { device: deviceId, seenAt: now, report, digest },
    signed:
      signature === undefined
        ? undefined
        : await verifyReport(app, deviceId, report, signature, now),
  })
  app.metrics.checkIns.add(1, outcome.kind, 'agent')
  switch (outcome.kind) {
    case 'unknown_device':
      app.removedDevices.add(deviceId)
      throw removed()
    case 'signature_missing':
      throw new Refusal<DeviceRefusal>(
        'report_signature_missing',
        'a report that changes what runs must be signed by the device key',
      )
    case 'sequence_reused':
      throw new Refusal<DeviceRefusal>(
        'report_sequence_reused',
        'this sequence number was used for another report',
      )
    case 'stored': {
      const fleet = await policyOf(app, outcome.fleet)
      const facts = factsOf(deviceId, report, outcome)
      const { release, reason, attempt = 1 } = await decideFor(app, facts, fleet, now)
      app.metrics.decisions.add(1, reason)
      const isSigned = signature !== undefined
      const restart = await decideRestart(
        app,
        { fleet, deviceId, tags: outcome.tags, report, isSigned, assigned: release },
        now,
      )
      return {
        assignment: release && {
          targetPath: release.targetPath,
          sha256: release.sha256,
          ...(restart.mayRestart === undefined ? {} : { mayRestart: restart.mayRestart }),
          ...(attempt === 1 ? {} : { attempt }),
        },
        fleet,
        pollSeconds: Math.min(fleet.pollSeconds, restart.pollSecondsMax),
        acknowledgedSequence: signature === undefined ? null : report.sequence,
      }
    }
    default:
      return unreachable(outcome)
  }
}

async function verifyReport(
  app: App,
  deviceId: string,
  report: DeviceReport,
  signature: string,
  now: Date,
) {
  const device = await getDevice(app.db.reader, deviceId)
  if (!device?.publicKey) throw removed()
  const bytes = canonicalJson(report)
  const message = concatBytes(utf8Encode('seaworthy-report-v1\n'), bytes)
  const key = parsePublicKey(device.publicKey)
  await requireSignature(key, message, signature, 'report_signature_invalid')
  return {
    device: deviceId,
    sequence: report.sequence,
    report: bytes,
    signature: base64Decode(signature),
    receivedAt: now,
  }
}

/** From memory; a fleet that this worker has not heard of yet is looked up once. */
export async function policyOf(app: App, name: string): Promise<FleetPolicy> {
  const known = app.fleets.get(name)
  if (known !== undefined) return known
  await app.fleets.reload()
  const loaded = app.fleets.get(name)
  invariant(loaded !== undefined, 'a device is in a fleet')
  return loaded
}

/** The device's own fleet. Throws `device_removed`. */
export async function findOwnFleet(app: App, deviceId: string): Promise<FleetPolicy> {
  const device = await getDevice(app.db.reader, deviceId)
  if (device === undefined) throw removed()
  return policyOf(app, device.fleet)
}

/** Throws `device_not_found`, `out_of_scope`. */
export async function findDevice(
  tx: ReadTx,
  actor: Actor,
  deviceId: string,
): Promise<DeviceWithState> {
  const device = await getDevice(tx, deviceId)
  const fleet = device && (await getFleet(tx, device.fleet))
  if (device === undefined || fleet === undefined) {
    throw new Refusal<DeviceRefusal>('device_not_found', 'there is no such device')
  }
  requireFleet(actor, fleet)
  return device
}

export interface DeviceChange {
  /** The machines that shared its identity were sorted out. */
  readonly identityShared?: false | undefined
  readonly name?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly fleet?: string | undefined
}

/** A person changes a device; into another fleet only within its product. Throws `device_not_found`, `fleet_not_found`. */
export async function changeDevice(
  tx: WriteTx,
  actor: Actor,
  deviceId: string,
  change: DeviceChange,
): Promise<{ device: DeviceWithState; isUnchanged: boolean }> {
  const device = await findDevice(tx, actor, deviceId)
  const isUnchanged =
    isAsBefore(device, change) &&
    (change.fleet === undefined || change.fleet === device.fleet) &&
    (change.identityShared === undefined || device.sharedSince === null)
  if (isUnchanged) return { device, isUnchanged }
  if (change.fleet !== undefined && change.fleet !== device.fleet) {
    const fleet = await getFleet(tx, change.fleet)
    const before = await getFleet(tx, device.fleet)
    if (fleet === undefined || fleet.product !== before?.product) {
      throw new Refusal<FleetRefusal>('fleet_not_found', 'the product has no fleet of that name')
    }
    requireFleet(actor, fleet)
    const left = await leaveFleet(tx, { id: deviceId, toFleet: fleet.name }, 'device_moved')
    // Moved by somebody else at the same moment: perhaps from a fleet that this actor does not reach.
    if (left !== device.fleet) await findDevice(tx, actor, deviceId)
  }
  await updateDevice(tx, deviceId, change)
  if (change.identityShared === false) await settleSharedIdentity(tx, deviceId)
  // Also of a device that has moved to a fleet with another policy.
  if (device.sharedSince !== null) await notifyStoppedDevices(tx)
  return { device: await findDevice(tx, actor, deviceId), isUnchanged }
}

/** Removes a device; its credential is refused from the commit on. Throws `device_not_found`. */
export async function endDevice(
  tx: WriteTx,
  actor: Actor,
  deviceId: string,
): Promise<DeviceWithState> {
  const device = await findDevice(tx, actor, deviceId)
  await leaveFleet(tx, { id: deviceId, toFleet: null }, 'device_removed')
  const now = await tx.now()
  if (device.protocol !== 'agent') await rememberRemoved(tx, deviceId, now)
  await removeDevice(tx, deviceId, now)
  return device
}

async function requireSignature(
  key: VerifyingKey,
  message: Uint8Array<ArrayBuffer>,
  signature: string,
  code: DeviceRefusal,
): Promise<void> {
  let bytes: Uint8Array
  try {
    bytes = base64Decode(signature)
  } catch (cause) {
    throw new Refusal<DeviceRefusal>(code, 'the signature is not base64', { cause })
  }
  if (await isSignedBy(key, message, hexEncode(bytes))) return
  throw new Refusal<DeviceRefusal>(code, 'the signature is not by the device key over this content')
}

function removed(): Refusal<DeviceRefusal> {
  return new Refusal<DeviceRefusal>('device_removed', 'the device was removed')
}

export function viewDevice(device: DeviceWithState): DeviceView {
  const { report } = device
  const refusal = report?.refusals.at(-1)
  return {
    id: device.id,
    name: device.name,
    fleet: device.fleet,
    protocol: device.protocol,
    platform: device.platform,
    tags: { ...device.tags },
    registeredAt: formatInstant(device.registeredAt),
    lastSeenAt: instantOrNull(device.seenAt),
    running: report?.running ?? null,
    unsignedVersion: report?.unsignedVersion ?? null,
    update: report?.update ?? null,
    timestampAgeSeconds:
      report === null || report.timestampVerifiedAt === null
        ? null
        : ageSeconds(report.at, report.timestampVerifiedAt),
    clockOffsetSeconds: device.clockOffsetSeconds,
    identitySharedSince: instantOrNull(device.sharedSince),
    lastRefusal: refusal === undefined ? null : { code: refusal.code, at: refusal.at },
  }
}

/** By one clock, which may have been set back between the two: an age is never below nothing. */
function ageSeconds(at: string, since: string): number {
  return Math.max(
    0,
    Math.round((parseInstant(at).getTime() - parseInstant(since).getTime()) / 1000),
  )
}

/** Assertions need to be remembered for as long as they could be used again. */
export async function forgetExpiredAssertions(app: App): Promise<void> {
  await app.db.write((tx) => db.deleteExpiredAssertions(tx, app.clock.now()))
}

/** Those within the actor's scope, by id. */
export async function listDevices(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & {
    readonly fleet?: string | undefined
    readonly clock?: 'off' | undefined
    readonly identity?: 'shared' | undefined
  },
): Promise<Page<DeviceView>> {
  const { fleets, products } = grantOf(actor)
  const scope = {
    fleet: query.fleet ?? null,
    isClockOff: query.clock === 'off',
    isShared: query.identity === 'shared',
    fleets,
    products,
  }
  const page = await readPage(
    query,
    (limit) => db.listDevices(tx, { ...scope, after: query.after ?? '', limit }),
    (row) => row.id,
  )
  return viewPage(page, viewDevice)
}

const reportsShownMax = 20

/** The last signed reports, newest first. */
export async function listReports(
  tx: ReadTx,
  deviceId: string,
): Promise<{ report: DeviceReport; signature: string; receivedAt: string }[]> {
  const rows = await db.listReports(tx, deviceId, reportsShownMax)
  return rows.map(({ report, signature, receivedAt }) => ({
    report: reportField.parse(JSON.parse(utf8Decode(report))),
    signature: base64Encode(signature),
    receivedAt: formatInstant(receivedAt),
  }))
}
