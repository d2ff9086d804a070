/**
 * Secrets of applications. The server has them sealed only: a copy for whoever set one, and one for
 * each device that may open it. It can open those that a person gave it to hold, and no other.
 */
import { z } from 'zod'
import {
  base64Field,
  configVersionField,
  idField,
  instant,
  nameField,
  settingName,
} from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const secretParams = z.strictObject({ fleet: nameField, secret: settingName })
/** No device means the whole fleet. */
const ofDevice = z.strictObject({ deviceId: idField('device').optional() })
/** 16 KiB, with what sealing adds. */
const sealedField = base64Field(16_384 + 48)

const secretView = z.object({
  name: settingName,
  /** Null for the whole fleet. */
  deviceId: idField('device').nullable(),
  version: configVersionField,
  setAt: instant,
  setBy: z.string(),
  /** When it was last sealed to devices, and by whom, who can have sealed another value. */
  sealedAt: instant.nullable(),
  sealedBy: z.string().nullable(),
  /** Who can seal it to devices that come later. What the server keeps, it can read. */
  keeper: z.enum(['people', 'server']),
  /** What the server holds does not open as this secret in this version: it must be set again. */
  isDamaged: z.boolean(),
  /**
   * The X25519 key of whoever set it, and the secret sealed to that. Null for a secret that the
   * server holds, which can read it.
   */
  holderKey: z.string().nullable(),
  holderCopy: z.string().nullable(),
})
export type SecretView = z.output<typeof secretView>

export const listSecrets = defineRoute({
  name: 'secret.list',
  method: 'GET',
  path: '/v1/fleets/:fleet/secrets',
  auth: 'actor',
  summary:
    'List the secrets of a fleet, and those of one of its devices where it is named; sealed.',
  params: z.strictObject({ fleet: nameField }),
  query: ofDevice,
  reply: z.object({
    /** The version of all that is set for the fleet and its devices. */
    version: configVersionField,
    /** The version of whatever is set next. */
    nextVersion: configVersionField,
    items: z.array(secretView),
  }),
})

export const setSecret = defineRoute({
  name: 'secret.set',
  method: 'PUT',
  path: '/v1/fleets/:fleet/secrets/:secret',
  auth: 'actor',
  stepUp: true,
  summary:
    'Set a secret, sealed to whoever sets it. Devices keep the version before until this one is sealed to them.',
  params: secretParams,
  body: ofDevice.extend({
    /** Refused unless it is the next one. */
    version: configVersionField,
    holderKey: base64Field(32),
    holderCopy: sealedField,
  }),
  reply: secretView,
})

export const setHeldSecret = defineRoute({
  name: 'secret.set-held',
  method: 'PUT',
  path: '/v1/fleets/:fleet/secrets/:secret/held',
  auth: 'actor',
  stepUp: true,
  summary:
    'Set a secret that the server holds and can read. It seals it to each enrolled device that asks.',
  params: secretParams,
  body: ofDevice.extend({
    /** What the fleet runs, as whoever gives the value knows it: refused for any other. */
    product: nameField,
    value: base64Field(16_384),
  }),
  reply: secretView,
})

export const sealSecret = defineRoute({
  name: 'secret.seal',
  method: 'POST',
  path: '/v1/fleets/:fleet/secrets/:secret/seals',
  auth: 'actor',
  summary: 'Store a secret sealed to devices, which fetch it at their next check-in.',
  params: secretParams,
  body: ofDevice.extend({
    version: configVersionField,
    seals: z
      .array(z.strictObject({ deviceId: idField('device'), sealed: sealedField }))
      .min(1)
      .max(100),
  }),
  reply: z.object({ count: z.number().int() }),
  bodyBytesMax: 4 * 1024 * 1024,
})

export const removeSecret = defineRoute({
  name: 'secret.remove',
  method: 'DELETE',
  path: '/v1/fleets/:fleet/secrets/:secret',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a secret of a fleet, or of one of its devices.',
  params: secretParams,
  query: ofDevice,
  reply: nothing,
  status: 204,
})
