/** Devices as people see them. */
import { presences } from '@seaworthy/fleet/devices'
import { z } from 'zod'
import {
  failureField,
  machineField,
  reportedSettings,
  reportField,
  runningField,
  updateState,
} from './device-self.ts'
import {
  configVersionField,
  enrolmentField,
  idField,
  instant,
  nameField,
  pageOf,
  pageQuery,
  platformField,
  productName,
  publicKeyField,
  refusalCode,
  settingName,
  tagMap,
  tagName,
  tagText,
  text,
  wholeInQuery,
} from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const deviceParams = z.strictObject({ deviceId: idField('device') })

/**
 * How long ago a device was heard of: `online` within its last five polls, five minutes at least;
 * `silent` neither within these nor within a day; `late` in between. One that was never heard of
 * counts from its registration.
 */
export const devicePresence = z.enum(presences)

/** The protocol that the device speaks: ours, or another system's. */
export const deviceProtocol = z.enum(['agent', 'ddi', 'omaha'])

export const deviceView = z.object({
  id: idField('device'),
  name: z.string().nullable(),
  fleet: nameField,
  protocol: deviceProtocol,
  platform: platformField,
  hardware: text(128).nullable(),
  agentVersion: text(64),
  tags: tagMap,
  registeredAt: instant,
  lastSeenAt: instant.nullable(),
  presence: devicePresence,
  running: runningField.nullable(),
  /**
   * What a device of another protocol says it runs, where nobody has signed that for its channel.
   */
  unsignedVersion: text(128).nullable(),
  update: z
    .object({ state: updateState, targetPath: z.string().optional(), code: z.string().optional() })
    .nullable(),
  /**
   * Seconds since the device last verified a timestamp, as of its last report; null before the
   * first.
   */
  timestampAgeSeconds: z.number().int().nullable(),
  /**
   * How far its clock was ahead of the server's when it last got a token, negative when behind;
   * null for other protocols.
   */
  clockOffsetSeconds: z.number().int().nullable(),
  /**
   * Start of the time in which two machines seem to use its identity; null without a sign of that.
   */
  identitySharedSince: instant.nullable(),
  /** Which variables and secrets its application has, as it signed it; null where it has none. */
  configuration: reportedSettings.nullable(),
  /** What it said of its machine when it last signed a report; null where it said nothing. */
  machine: machineField.nullable(),
  lastRefusal: z
    .object({ code: z.string(), at: instant, reason: z.string().nullable() })
    .nullable(),
})
export type DeviceView = z.output<typeof deviceView>

/** Which devices are meant: those for which everything holds that is given. */
export const deviceFilter = z.strictObject({
  fleet: nameField.optional(),
  product: productName.optional(),
  /** The whole name, exactly. */
  name: text(128, 1).optional(),
  namePrefix: text(128, 1).optional(),
  tag: tagText.optional(),
  /** The version that the device runs, signed or not. */
  version: text(128, 1).optional(),
  /** What the device does, as it said last. */
  state: updateState.optional(),
  /** Those that said last that an update failed, or that they rolled it back. */
  update: z.enum(['failed']).optional(),
  presence: devicePresence.optional(),
  protocol: deviceProtocol.optional(),
  platform: platformField.optional(),
  agentVersion: text(64, 1).optional(),
  /** The code of the last refusal. */
  refusal: refusalCode.optional(),
  /** Last seen before this instant; registered before it, if never seen since. */
  seenBefore: instant.optional(),
  /** Last seen at this instant or later; registered then, if never seen since. */
  seenSince: instant.optional(),
  /** Those whose clock is off by more than a minute. */
  clock: z.enum(['off']).optional(),
  /** Those whose clock is off by more than this many seconds, ahead or behind. */
  clockOffSeconds: wholeInQuery(60, 1_000_000_000).optional(),
  /** Those that run a release after which their channel has at least this many newer ones. */
  behind: wholeInQuery(1, 10_000).optional(),
  /** Those whose identity two machines seem to use. */
  identity: z.enum(['shared']).optional(),
  /**
   * Part of the id, the name, the fleet, the platform, the hardware or a tag, in letters of either
   * case.
   */
  q: text(128, 1).optional(),
})
export type DeviceFilter = z.output<typeof deviceFilter>

/**
 * The order of a list of devices, ascending, or descending with `-` in front: `registered` is the
 * order in which they came, `seen` that in which they were heard of last, where one that never was
 * counts from its registration.
 */
export const deviceSort = z.enum([
  'registered',
  '-registered',
  'name',
  '-name',
  'fleet',
  '-fleet',
  'seen',
  '-seen',
])
export type DeviceSort = z.output<typeof deviceSort>

export const listDevices = defineRoute({
  name: 'devices.list',
  method: 'GET',
  path: '/v1/devices',
  auth: 'actor',
  summary: 'List devices, all of them or those that a filter leaves.',
  query: pageQuery.extend(deviceFilter.shape).extend({ sort: deviceSort.optional() }),
  reply: pageOf(deviceView),
})

export const countDevices = defineRoute({
  name: 'devices.count',
  method: 'GET',
  path: '/v1/devices/count',
  auth: 'actor',
  summary: 'Count devices, all of them or those that a filter leaves.',
  query: deviceFilter,
  reply: z.object({ count: z.number().int() }),
})

export const showDevice = defineRoute({
  name: 'devices.show',
  method: 'GET',
  path: '/v1/devices/:deviceId',
  auth: 'actor',
  summary: 'Show one device with its key and its last signed reports.',
  params: deviceParams,
  reply: deviceView.extend({
    /** Why its last update failed, as it signed it; null once a release has committed since. */
    failure: failureField.nullable(),
    /** Null for devices that have a secret instead. */
    publicKey: publicKeyField.nullable(),
    /** What it showed when it registered, for whoever verifies it; null where it showed nothing. */
    enrolment: enrolmentField.nullable(),
    reports: z.array(z.object({ report: reportField, signature: z.string(), receivedAt: instant })),
  }),
})

/** What a device showed when it registered, for whoever verifies it. */
const enrolmentView = z.object({
  deviceId: idField('device'),
  name: z.string().nullable(),
  publicKey: publicKeyField,
  /** Null for a device that registered without an enrolment key. */
  enrolment: enrolmentField.nullable(),
  /** What is sealed to it. */
  seals: z.array(
    z.object({ name: settingName, isOfFleet: z.boolean(), version: configVersionField }),
  ),
})
export type EnrolmentView = z.output<typeof enrolmentView>

export const listEnrolments = defineRoute({
  name: 'devices.enrolments',
  method: 'GET',
  path: '/v1/fleets/:fleet/enrolments',
  auth: 'actor',
  summary:
    'List what devices of a fleet showed to prove that they were enrolled. The server does not verify it.',
  params: z.strictObject({ fleet: nameField }),
  query: pageQuery,
  reply: pageOf(enrolmentView),
})

export const setDevice = defineRoute({
  name: 'devices.set',
  method: 'PATCH',
  path: '/v1/devices/:deviceId',
  auth: 'actor',
  summary: "Change a device's name, tags or fleet.",
  params: deviceParams,
  body: z.strictObject({
    name: text(128, 1).optional(),
    /** All its tags, in place of those that it has. */
    tags: tagMap.optional(),
    /** Tags that it gets, or gets other values for, beside those that it keeps. */
    addTags: tagMap.optional(),
    /** Names of tags that it loses; it need not have them. */
    removeTags: z.array(tagName).max(64).optional(),
    fleet: nameField.optional(),
    /**
     * False: the machine that shared its identity was found and turned off; tokens are issued
     * again.
     */
    identityShared: z.literal(false).optional(),
  }),
  reply: deviceView,
})

/** How many devices one call moves at most. */
export const movedDevicesMax = 100

export const moveDevices = defineRoute({
  name: 'devices.move',
  method: 'POST',
  path: '/v1/fleets/:fleet/devices/move',
  auth: 'actor',
  summary:
    'Move devices into another fleet of the same product, all of them or none. Those that are not in the fleet of the path are left where they are.',
  params: z.strictObject({ fleet: nameField }),
  body: z.strictObject({
    deviceIds: z.array(idField('device')).min(1).max(movedDevicesMax),
    toFleet: nameField,
  }),
  reply: z.object({
    movedIds: z.array(idField('device')),
    /** Those that were not in the fleet. */
    leftIds: z.array(idField('device')),
  }),
})

export const removeDevice = defineRoute({
  name: 'devices.remove',
  method: 'DELETE',
  path: '/v1/devices/:deviceId',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a device and revoke its credential at once.',
  params: deviceParams,
  reply: nothing,
  status: 204,
})
