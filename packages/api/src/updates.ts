/**
 * What became of updates: for a device over time, and as the spread of versions over a fleet (D5).
 */
import { z } from 'zod'
import { idField, instant, nameField, pageOf, pageQuery, versionField } from './fields.ts'
import { timeZoneField, updateStateField, updateView, whyView } from './rollouts.ts'
import { defineRoute } from './route.ts'

const deviceParams = z.strictObject({ deviceId: idField('device') })

export const explainDevice = defineRoute({
  name: 'device.why',
  method: 'GET',
  path: '/v1/devices/:deviceId/why',
  auth: 'actor',
  summary: 'Say why a device gets what it gets next, over everything that could decide it.',
  params: deviceParams,
  query: z.strictObject({ timeZone: timeZoneField.optional() }),
  reply: whyView,
})

export const listDeviceUpdates = defineRoute({
  name: 'device.updates',
  method: 'GET',
  path: '/v1/devices/:deviceId/updates',
  auth: 'actor',
  summary: "List a device's updates, newest first, each with every change of its state.",
  params: deviceParams,
  query: pageQuery,
  reply: pageOf(
    updateView.extend({
      version: versionField,
      events: z.array(
        z.object({
          attempt: z.number().int(),
          state: updateStateField,
          code: z.string().nullable(),
          at: instant,
        }),
      ),
    }),
  ),
})

const spread = z.object({
  at: instant,
  devicesCount: z.number().int(),
  /** Devices that are not silent: heard of within a day, or within five polls if that is longer. */
  seenCount: z.number().int(),
  versions: z.array(z.object({ version: versionField.nullable(), count: z.number().int() })),
})

export const showFleetVersions = defineRoute({
  name: 'fleet.versions',
  method: 'GET',
  path: '/v1/fleets/:fleet/versions',
  auth: 'actor',
  summary:
    'Show which versions run in a fleet: now, and over time (oldest first, at most 500 samples).',
  params: z.strictObject({ fleet: nameField }),
  reply: z.object({ now: spread, history: z.array(spread) }),
})
