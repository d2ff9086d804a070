/** Fleets: named sets of devices that share product, channel and policy. */
import { z } from 'zod'
import {
  idField,
  instant,
  nameField,
  pageOf,
  pageQuery,
  productName,
  versionField,
} from './fields.ts'
import { windowsField } from './rollouts.ts'
import { defineRoute, nothing } from './route.ts'

const fleetParams = z.strictObject({ fleet: nameField })

/**
 * When a device may take the step that interrupts its service: restart into the release it has
 * staged.
 */
export const rebootPolicyField = z.discriminatedUnion('strategy', [
  z.strictObject({ strategy: z.literal('immediate') }),
  z.strictObject({ strategy: z.literal('window'), windows: windowsField }),
  z.strictObject({
    strategy: z.literal('coordinated'),
    /** How many devices of the fleet may hold a slot at once. */
    slots: z.number().int().min(1).max(1_000_000),
    /** A slot held longer is given up, with an alarm; null keeps it until it is released. */
    ttlSeconds: z
      .number()
      .int()
      .min(60)
      .max(30 * 86400)
      .nullable(),
    windows: windowsField.optional(),
  }),
  z.strictObject({ strategy: z.literal('off') }),
])

export const fleetView = z.object({
  name: nameField,
  product: productName,
  channel: nameField,
  pollSeconds: z.number().int(),
  /** A version to hold the fleet at; null follows the newest release of the channel. */
  pinnedVersion: versionField.nullable(),
  /** False stops new assignments. */
  updatesEnabled: z.boolean(),
  /**
   * `newest`: the newest release of the channel, or the pin. `rollouts`: only what rollouts offer,
   * and the baseline.
   */
  follow: z.enum(['newest', 'rollouts']),
  /** The release that the last finished rollout brought; devices that join later get it at once. */
  baselineVersion: versionField.nullable(),
  reboot: rebootPolicyField,
  /**
   * What happens when two machines seem to use one identity: `tell` people, or `stop` both until
   * somebody has decided.
   */
  sharedIdentity: z.enum(['tell', 'stop']),
  devicesCount: z.number().int(),
  createdAt: instant,
})
export type FleetView = z.output<typeof fleetView>

const fleetPolicy = {
  pollSeconds: z
    .number()
    .int()
    .min(1)
    .max(7 * 86400)
    .optional(),
  pinnedVersion: versionField.nullable().optional(),
  updatesEnabled: z.boolean().optional(),
  follow: z.enum(['newest', 'rollouts']).optional(),
  reboot: rebootPolicyField.optional(),
  sharedIdentity: z.enum(['tell', 'stop']).optional(),
}

export const createFleet = defineRoute({
  name: 'fleet.create',
  method: 'POST',
  path: '/v1/fleets',
  auth: 'actor',
  summary: 'Create a fleet.',
  body: z.strictObject({
    name: nameField,
    product: productName,
    channel: nameField,
    ...fleetPolicy,
  }),
  reply: fleetView,
  status: 201,
})

export const listFleets = defineRoute({
  name: 'fleet.list',
  method: 'GET',
  path: '/v1/fleets',
  auth: 'actor',
  summary: 'List fleets.',
  query: pageQuery,
  reply: pageOf(fleetView),
})

export const showFleet = defineRoute({
  name: 'fleet.show',
  method: 'GET',
  path: '/v1/fleets/:fleet',
  auth: 'actor',
  summary: 'Show one fleet.',
  params: fleetParams,
  reply: fleetView,
})

export const setFleet = defineRoute({
  name: 'fleet.set',
  method: 'PATCH',
  path: '/v1/fleets/:fleet',
  auth: 'actor',
  summary: 'Change the policy of a fleet.',
  params: fleetParams,
  body: z.strictObject(fleetPolicy),
  reply: fleetView,
})

const count = z.number().int().min(0)

export const showFleetDependents = defineRoute({
  name: 'fleet.dependents',
  method: 'GET',
  path: '/v1/fleets/:fleet/dependents',
  auth: 'actor',
  summary: 'Count what depends on a fleet: what keeps it from being removed, and what would end.',
  params: fleetParams,
  reply: z.object({
    /** Nothing is removed while there are any of these two. */
    devicesCount: count,
    rolloutIds: z.array(idField('rollout')),
    /** These end with the fleet. */
    provisioningKeysCount: count,
    gatewayTokensCount: count,
    rebootLockKeysCount: count,
    settingsCount: count,
  }),
})

export const removeFleet = defineRoute({
  name: 'fleet.remove',
  method: 'DELETE',
  path: '/v1/fleets/:fleet',
  auth: 'actor',
  stepUp: true,
  summary:
    'Remove a fleet without devices and running rollouts. Its keys and settings end, and no other fleet ever gets its name.',
  params: fleetParams,
  reply: nothing,
  status: 204,
})
