/**
 * Restarts that are under way: the slots of fleets whose restarts are coordinated, and keys for
 * FleetLock clients (D13).
 */
import { z } from 'zod'
import { credentialField } from './credentials.ts'
import { updateState } from './device-self.ts'
import { idField, instant, nameField, pageOf, pageQuery, text } from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const fleetParams = z.strictObject({ fleet: nameField })

export const rebootLockView = z.object({
  id: idField('lock'),
  fleet: nameField,
  /** A device by its own credential, or a FleetLock client by a key of the fleet. */
  kind: z.enum(['device', 'client']),
  /** Id of the device, or the id that the client gave itself. */
  holder: z.string(),
  /** What is known of the device that holds it; null for a client that is no device here. */
  device: z
    .object({
      id: idField('device'),
      name: z.string().nullable(),
      lastSeenAt: instant.nullable(),
      updateState: updateState.nullable(),
    })
    .nullable(),
  takenAt: instant,
  ageSeconds: z.number().int().min(0),
  /** When the holder last asked for it. */
  askedAt: instant,
  /** When the lock is given up, with an alarm; null keeps it until it is released. */
  expiresAt: instant.nullable(),
})
export type RebootLockView = z.output<typeof rebootLockView>

export const listRebootLocks = defineRoute({
  name: 'reboot-lock.list',
  method: 'GET',
  path: '/v1/fleets/:fleet/reboot-locks',
  auth: 'actor',
  summary: 'List who holds a restart slot of a fleet, oldest first.',
  params: fleetParams,
  query: pageQuery,
  reply: pageOf(rebootLockView).extend({ slots: z.number().int().nullable() }),
})

export const releaseRebootLock = defineRoute({
  name: 'reboot-lock.release',
  method: 'POST',
  path: '/v1/reboot-locks/:rebootLockId/release',
  auth: 'actor',
  summary:
    'Take a slot from whoever holds it. The holder is not told: it may be in the middle of its restart.',
  params: z.strictObject({ rebootLockId: idField('lock') }),
  body: z.strictObject({ reason: text(500, 1) }),
  reply: rebootLockView,
})

export const fleetLockKeyView = z.object({
  id: idField('fleetlock'),
  fleet: nameField,
  createdAt: instant,
  createdBy: z.string(),
})
export type FleetLockKeyView = z.output<typeof fleetLockKeyView>

export const createFleetLockKey = defineRoute({
  name: 'fleetlock-key.create',
  method: 'POST',
  path: '/v1/fleets/:fleet/fleetlock-keys',
  auth: 'actor',
  stepUp: true,
  summary:
    'Make a key with which FleetLock clients take slots of a fleet. The key itself is shown once.',
  params: fleetParams,
  reply: z.object({ view: fleetLockKeyView, key: credentialField }),
  status: 201,
})

export const listFleetLockKeys = defineRoute({
  name: 'fleetlock-key.list',
  method: 'GET',
  path: '/v1/fleets/:fleet/fleetlock-keys',
  auth: 'actor',
  summary: 'List FleetLock keys, without the keys.',
  params: fleetParams,
  query: pageQuery,
  reply: pageOf(fleetLockKeyView),
})

export const revokeFleetLockKey = defineRoute({
  name: 'fleetlock-key.revoke',
  method: 'DELETE',
  path: '/v1/fleetlock-keys/:fleetLockKeyId',
  auth: 'actor',
  stepUp: true,
  summary: 'Revoke a FleetLock key. Slots taken with it stay until they are released.',
  params: z.strictObject({ fleetLockKeyId: idField('fleetlock') }),
  reply: nothing,
  status: 204,
})
