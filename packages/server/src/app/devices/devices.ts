/** What people see of devices and change about them. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { reportField } from '@seaworthy/api/device-self'
import type { DeviceFilter, DeviceSort, DeviceView, EnrolmentView } from '@seaworthy/api/devices'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { presenceOf } from '@seaworthy/fleet/devices'
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import { base64Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import { quoted } from '@seaworthy/std/printable'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/devices.ts'
import type { DeviceCursor, DeviceSelection, DeviceWithState } from '../../db/devices.ts'
import { getDevice, lockDevice, removeDevice, updateDevice } from '../../db/devices.ts'
import type { FleetRow } from '../../db/fleets.ts'
import { getFleet } from '../../db/fleets.ts'
import { rememberRemoved } from '../../db/foreign-devices.ts'
import { notifyStoppedDevices, endIdentitySharing } from '../../db/identity-sharing.ts'
import type { Actor, Current } from '../access/index.ts'
import { checkFleet, grantOf, requireFleet } from '../access/index.ts'
import type { App, TrustState } from '../app.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import { tellMovedDevice } from '../fleets/index.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { listById, readPage, viewPage } from '../paging.ts'
import { isAsBefore } from './own-name.ts'
import { leaveFleet } from './leave-fleet.ts'

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

/** A device never has more; the schema of the tags that are set at once says so too. */
const tagsMax = 64

/** Throws `tags_too_many`. */
function changedTags(
  { id, tags: before }: Pick<DeviceWithState, 'id' | 'tags'>,
  { tags = before, addTags = {}, removeTags = [] }: DeviceChange,
): Readonly<Record<string, string>> {
  const kept = Object.entries(tags).filter(([name]) => !removeTags.includes(name))
  const changed = { ...Object.fromEntries(kept), ...addTags }
  const count = Object.keys(changed).length
  if (count <= tagsMax) return changed
  throw new Refusal<DeviceRefusal>(
    'tags_too_many',
    `the device ${id} would have ${count} tags, and a device has at most ${tagsMax}: remove some`,
  )
}

export interface DeviceChange {
  /** `false` says that the machines that shared the device's identity were told apart. */
  readonly identityShared?: false | undefined
  readonly name?: string | undefined
  /** Some are removed and added after all are set. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly addTags?: Readonly<Record<string, string>> | undefined
  readonly removeTags?: readonly string[] | undefined
  readonly fleet?: string | undefined
}

/**
 * A person changes a device, and moves it into another fleet only within its product. Throws
 * `device_not_found`, `fleet_not_found`, `tags_too_many`.
 */
export async function changeDevice(
  tx: WriteTx,
  actor: Current,
  deviceId: string,
  wanted: DeviceChange,
): Promise<{ device: DeviceWithState; isUnchanged: boolean }> {
  // Two who change one tag each at the same moment both find what the other did.
  await lockDevice(tx, deviceId)
  const device = await findDevice(tx, actor, deviceId)
  const change = { ...wanted, tags: changedTags(device, wanted) }
  const isUnchanged =
    isAsBefore(device, change) &&
    (change.fleet === undefined || change.fleet === device.fleet) &&
    (change.identityShared === undefined || device.sharedSince === null)
  if (isUnchanged) return { device, isUnchanged }
  if (change.fleet !== undefined && change.fleet !== device.fleet) {
    const fleet = await findTarget(tx, actor, device.fleet, change.fleet)
    const left = await leaveFleet(tx, { id: deviceId, toFleet: fleet.name }, 'device_moved')
    // Somebody else moved the device at the same moment, perhaps from a fleet that this actor does
    // not reach.
    if (left !== device.fleet) await findDevice(tx, actor, deviceId)
    if (left !== undefined) await tellMovedDevice(tx, { from: left, to: fleet.name })
  }
  await updateDevice(tx, deviceId, change)
  if (change.identityShared === false) await endIdentitySharing(tx, deviceId)
  // This is also for a device that only moved: its new fleet may have another policy.
  if (device.sharedSince !== null) await notifyStoppedDevices(tx)
  return { device: await findDevice(tx, actor, deviceId), isUnchanged }
}

/** Finds the fleet to move into. Throws `fleet_not_found`, `out_of_scope`. */
async function findTarget(tx: ReadTx, actor: Actor, from: string, to: string): Promise<FleetRow> {
  const fleet = checkFleet(await getFleet(tx, to), actor, to)
  const before = await getFleet(tx, from)
  if (fleet.product === before?.product) return fleet
  throw new Refusal<FleetRefusal>('fleet_not_found', 'the product has no fleet of that name')
}

/**
 * What a change would do that brings the device what a fleet runs: a move into another one, or the
 * end of its stop for a shared identity; `null` for any other change. Throws `device_not_found`,
 * `fleet_not_found`, `out_of_scope`.
 */
export async function deviceEffect(
  tx: ReadTx,
  actor: Current,
  deviceId: string,
  change: DeviceChange,
): Promise<GuardedEffect<'release'> | null> {
  const device = await findDevice(tx, actor, deviceId)
  if (change.fleet === undefined || change.fleet === device.fleet) {
    return change.identityShared === undefined ? null : identityEffect(tx, device)
  }
  const fleet = await findTarget(tx, actor, device.fleet, change.fleet)
  const { name, product, follow, pinnedVersion, updatesEnabled, baseline } = fleet
  return {
    kind: 'release',
    devicesMax: 1,
    words: [
      `Would move the device ${device.id} from the fleet ${device.fleet} to the fleet ${name}, where it takes what that one runs.`,
    ],
    inputs: {
      ...{ fleet: device.fleet, follow, pinnedVersion, updatesEnabled },
      baseline: baseline?.sha256 ?? null,
    },
    needs: { permission: 'device:write', fleet: { name, product, from: device.fleet } },
  }
}

/** What a device gets again that its fleet has stopped because two machines use its identity. */
async function identityEffect(
  tx: ReadTx,
  device: DeviceWithState,
): Promise<GuardedEffect<'release'> | null> {
  const { name, product, sharedIdentity, ...fleet } = (await getFleet(tx, device.fleet))!
  if (device.sharedSince === null || sharedIdentity !== 'stop') return null
  const { follow, pinnedVersion, updatesEnabled, baseline } = fleet
  return {
    kind: 'release',
    devicesMax: 1,
    words: [
      `Would let ${describeDevice(device)} take again what its fleet ${name} runs: two machines were seen to use its identity.`,
    ],
    inputs: { follow, pinnedVersion, updatesEnabled, baseline: baseline?.sha256 ?? null },
    needs: { permission: 'device:write', fleet: { name, product } },
  }
}

/** The device by its id, and the name that it or somebody gave it. */
export function describeDevice({ id, name }: Pick<DeviceWithState, 'id' | 'name'>): string {
  return name === null ? id : `${id}, named ${quoted(name)}`
}

/** What the removal of a device would do. Throws `device_not_found`, `out_of_scope`. */
export async function removalEffect(
  tx: ReadTx,
  actor: Current,
  deviceId: string,
): Promise<GuardedEffect<'device-removal'>> {
  const device = await findDevice(tx, actor, deviceId)
  const { fleet, keyId } = device
  const { product } = (await getFleet(tx, fleet))!
  return {
    kind: 'device-removal',
    devicesMax: 1,
    words: [
      `Would remove from the fleet ${fleet} the device ${describeDevice(device)}; its credential ends at once, and it gets no update until it registers anew.`,
    ],
    inputs: { fleet, keyId },
    needs: { permission: 'device:write', fleet: { name: fleet, product } },
  }
}

/** Removes a device; its credential is refused from the commit on. Throws `device_not_found`. */
export async function endDevice(
  tx: WriteTx,
  actor: Current,
  deviceId: string,
): Promise<DeviceWithState> {
  const device = await findDevice(tx, actor, deviceId)
  await leaveFleet(tx, { id: deviceId, toFleet: null }, 'device_removed')
  const now = await tx.now()
  if (device.protocol !== 'agent') await rememberRemoved(tx, deviceId, now)
  await removeDevice(tx, deviceId, now)
  return device
}

export function viewDevice(device: DeviceWithState, now: Date): DeviceView {
  const { report } = device
  const refusal = report?.refusals.at(-1)
  return {
    id: device.id,
    name: device.name,
    fleet: device.fleet,
    protocol: device.protocol,
    platform: device.platform,
    hardware: device.hardware,
    agentVersion: device.agentVersion,
    tags: { ...device.tags },
    registeredAt: formatInstant(device.registeredAt),
    lastSeenAt: instantOrNull(device.seenAt),
    presence: presenceOf(device, device, now),
    running: report?.running ?? null,
    unsignedVersion: report?.unsignedVersion ?? null,
    update: report?.update ?? null,
    timestampAgeSeconds:
      report === null || report.timestampVerifiedAt === null
        ? null
        : ageSeconds(report.at, report.timestampVerifiedAt),
    clockOffsetSeconds: device.clockOffsetSeconds,
    identitySharedSince: instantOrNull(device.sharedSince),
    configuration: report?.configuration ?? null,
    machine: report?.machine ?? null,
    lastRefusal:
      refusal === undefined
        ? null
        : { code: refusal.code, at: refusal.at, reason: refusal.reason ?? null },
  }
}

/**
 * Both times are by one clock, which may have been set back between them; an age is never negative.
 */
function ageSeconds(at: string, since: string): number {
  return Math.max(
    0,
    Math.round((parseInstant(at).getTime() - parseInstant(since).getTime()) / 1000),
  )
}

/** Lists the devices within the actor's scope that the filter leaves, in the order of `sort`. */
export async function listDevices(
  app: Pick<App, 'clock' | 'db' | 'trust'>,
  actor: Actor,
  {
    after,
    limit,
    sort = 'registered',
    ...filter
  }: PageQuery & DeviceFilter & { readonly sort?: DeviceSort | undefined },
): Promise<Page<DeviceView>> {
  const selection = await selectionOf(app, actor, filter)
  const now = app.clock.now()
  const cursor = after === undefined ? null : parseCursor(after)
  const page = await readPage(
    { limit },
    (count) => db.listDevices(app.db.reader, { ...selection, after: cursor, limit: count, sort }),
    ({ id, key }) => (key === '' ? id : `${id} ${key}`),
  )
  return viewPage(page, (device) => viewDevice(device, now))
}

/** The id of the last device and, after a space, what the list is sorted by. */
function parseCursor(text: string): DeviceCursor {
  const [id = '', ...key] = text.split(' ')
  return { id, key: key.join(' ') }
}

/** Counts what `listDevices` lists. */
export async function countDevices(
  app: Pick<App, 'clock' | 'db' | 'trust'>,
  actor: Actor,
  filter: DeviceFilter,
): Promise<{ count: number }> {
  return { count: await db.countDevices(app.db.reader, await selectionOf(app, actor, filter)) }
}

async function selectionOf(
  app: Pick<App, 'clock' | 'trust'>,
  actor: Actor,
  { tag, seenBefore, seenSince, presence, behind, ...rest }: DeviceFilter,
): Promise<DeviceSelection> {
  const { fleets, products } = grantOf(actor)
  const at = tag?.indexOf('=') ?? 0
  return {
    ...rest,
    tag: tag === undefined ? undefined : { name: tag.slice(0, at), value: tag.slice(at + 1) },
    seenBefore: seenBefore === undefined ? undefined : parseInstant(seenBefore),
    seenSince: seenSince === undefined ? undefined : parseInstant(seenSince),
    presence: presence === undefined ? undefined : { is: presence, now: app.clock.now() },
    behind: behind === undefined ? undefined : listCounters(await app.trust.freshState(), behind),
    fleets,
    products,
  }
}

/**
 * The counter of the release that is the `count`th newest of its channel, by `product.channel`: a
 * device that runs a lower one is behind by at least `count`.
 */
function listCounters(state: TrustState | undefined, count: number): Record<string, number> {
  const channels = [...(state?.releases ?? [])].flatMap(([role, releases]) => {
    const release = releases[count - 1]
    return release === undefined ? [] : [[role, release.counter] as const]
  })
  return Object.fromEntries(channels)
}

/** Lists what the devices of a fleet showed of their enrolment. Throws `fleet_not_found`. */
export async function listEnrolments(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly fleet: string },
): Promise<Page<EnrolmentView>> {
  const fleet = checkFleet(await getFleet(tx, query.fleet), actor, query.fleet)
  return listById(
    query,
    (part) => db.listEnrolments(tx, { ...part, fleet: fleet.name }),
    ({ id: deviceId, name, publicKey, enrolment, seals }) => {
      return { deviceId, name, publicKey, enrolment, seals }
    },
  )
}

/** What a device showed of its enrolment; the device was found before. */
export async function showEnrolment(
  tx: ReadTx,
  deviceId: string,
): Promise<EnrolmentView['enrolment']> {
  return await db.findEnrolment(tx, deviceId)
}

const reportsShownMax = 20

/** Lists the last signed reports of a device, newest first. */
export async function listReports(
  tx: ReadTx,
  deviceId: string,
): Promise<{ report: DeviceReport; signature: string; receivedAt: string }[]> {
  const rows = await db.listReports(tx, deviceId, reportsShownMax)
  return rows.map(({ report, signature, receivedAt }) => ({
    report: reportField.parse(parseAnyJson(report)),
    signature: base64Encode(signature),
    receivedAt: formatInstant(receivedAt),
  }))
}
