/**
 * Devices that speak another system's protocol (hawkBit DDI, Omaha) instead of ours: they have a
 * secret token, shown once, instead of a key. Everything else about them is a device like any other
 * (`devices`).
 */
import { z } from 'zod'
import { credentialField } from './credentials.ts'
import { deviceView } from './devices.ts'
import {
  idField,
  instant,
  nameField,
  pageOf,
  pageQuery,
  platformField,
  tagMap,
  text,
  versionField,
} from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const foreignProtocol = z.enum(['ddi', 'omaha'])
const deviceParams = z.strictObject({ deviceId: idField('device') })
const fleetParams = z.strictObject({ fleet: nameField })

/** What a client calls itself: any text of at most 128 characters without control characters. */
export const externalIdField = z.string().regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u)

const tokenReply = z.object({
  device: deviceView,
  /** The whole token, shown this once. */
  token: credentialField,
})

export const createForeignDevice = defineRoute({
  name: 'foreign-device.create',
  method: 'POST',
  path: '/v1/fleets/:fleet/foreign-devices',
  auth: 'actor',
  stepUp: true,
  summary:
    'Add a device that speaks hawkBit DDI or Omaha to a fleet. Its token is shown once; the server keeps its hash.',
  params: fleetParams,
  body: z.strictObject({
    protocol: foreignProtocol,
    /**
     * DDI: the controller id, required. Omaha: the machine id; left out, it is that of the first
     * machine that uses the token.
     */
    externalId: externalIdField.optional(),
    platform: platformField,
    hardware: text(128).optional(),
    tags: tagMap.optional(),
  }),
  reply: tokenReply,
  status: 201,
})

export const rotateForeignDevice = defineRoute({
  name: 'foreign-device.rotate',
  method: 'POST',
  path: '/v1/foreign-devices/:deviceId/rotate',
  auth: 'actor',
  stepUp: true,
  summary: 'Replace the token of such a device; the old one ends at once.',
  params: deviceParams,
  body: z.strictObject({}),
  reply: tokenReply,
})

const actionView = z.object({
  id: z.number().int(),
  version: versionField,
  state: z.enum(['running', 'canceling', 'finished', 'failed', 'canceled']),
  createdAt: instant,
  changedAt: instant,
  /** What the client said, newest first. */
  messages: z.array(z.string()),
})

export const showForeignDevice = defineRoute({
  name: 'foreign-device.show',
  method: 'GET',
  path: '/v1/foreign-devices/:deviceId',
  auth: 'actor',
  summary:
    'Show what only such devices have: their own name, what they say of themselves, their last actions.',
  params: deviceParams,
  reply: z.object({
    device: deviceView,
    externalId: z.string().nullable(),
    gatewayTokenId: idField('gateway').nullable(),
    /** Who made its token; null for a device behind a gateway, and for tokens made earlier. */
    tokenMadeBy: z.string().nullable(),
    attributes: z.record(z.string(), z.string()),
    attributesAt: instant.nullable(),
    actions: z.array(actionView),
  }),
})

export const cancelForeignDevice = defineRoute({
  name: 'foreign-device.cancel',
  method: 'POST',
  path: '/v1/foreign-devices/:deviceId/cancel',
  auth: 'actor',
  summary:
    'End, without an answer of the client, the action that a DDI device was asked to stop; what its client still says of it is refused.',
  params: deviceParams,
  body: z.strictObject({}),
  reply: z.object({ device: deviceView, action: actionView }),
})

export const gatewayTokenView = z.object({
  id: idField('gateway'),
  fleet: nameField,
  platform: platformField,
  hardware: z.string().nullable(),
  usesLeft: z.number().int(),
  createdAt: instant,
  createdBy: z.string(),
})
export type GatewayTokenView = z.output<typeof gatewayTokenView>

export const createGatewayToken = defineRoute({
  name: 'gateway-token.create',
  method: 'POST',
  path: '/v1/fleets/:fleet/gateway-tokens',
  auth: 'actor',
  stepUp: true,
  summary:
    'Make a token for a gateway: it registers DDI devices up to its uses, and speaks for those and no others. Shown once.',
  params: fleetParams,
  body: z.strictObject({
    uses: z.number().int().min(1).max(1_000_000),
    platform: platformField,
    hardware: text(128).optional(),
  }),
  reply: z.object({ view: gatewayTokenView, token: credentialField }),
  status: 201,
})

export const listGatewayTokens = defineRoute({
  name: 'gateway-token.list',
  method: 'GET',
  path: '/v1/fleets/:fleet/gateway-tokens',
  auth: 'actor',
  summary: 'List gateway tokens that are not revoked, without the tokens.',
  params: fleetParams,
  query: pageQuery,
  reply: pageOf(gatewayTokenView),
})

export const revokeGatewayToken = defineRoute({
  name: 'gateway-token.revoke',
  method: 'DELETE',
  path: '/v1/gateway-tokens/:gatewayTokenId',
  auth: 'actor',
  stepUp: true,
  summary:
    'Revoke a gateway token: the devices behind it can no longer be spoken for. They stay in the list.',
  params: z.strictObject({ gatewayTokenId: idField('gateway') }),
  reply: nothing,
  status: 204,
})
