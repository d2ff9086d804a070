/** Provisioning keys: credentials with which devices join a fleet. */
import { z } from 'zod'
import { credentialField } from './credentials.ts'
import { idField, instant, nameField, pageOf, pageQuery, sha256Hex } from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const fleetParams = z.strictObject({ fleet: nameField })

export const provisioningKeyView = z.object({
  id: idField('provisioning'),
  fleet: nameField,
  usesLeft: z.number().int(),
  expiresAt: instant,
  createdAt: instant,
  createdBy: z.string(),
  /** The key id of the enrolment key that was named with it, if one was. */
  enrolmentKeyId: sha256Hex.nullable(),
})
export type ProvisioningKeyView = z.output<typeof provisioningKeyView>

export const createProvisioningKey = defineRoute({
  name: 'provisioning-key.create',
  method: 'POST',
  path: '/v1/fleets/:fleet/provisioning-keys',
  auth: 'actor',
  stepUp: true,
  summary: 'Make a key with which devices join a fleet. The key itself is shown once.',
  params: fleetParams,
  body: z.strictObject({
    uses: z.number().int().min(1).max(1_000_000),
    lifetimeSeconds: z
      .number()
      .int()
      .min(60)
      .max(365 * 86400),
    /**
     * The key id of the enrolment key that holders signed for its devices. No other provisioning
     * key may have it, or have had it. What the server holds reaches devices that were enrolled by
     * the key named here, and no others.
     */
    enrolmentKeyId: sha256Hex.optional(),
  }),
  reply: z.object({ view: provisioningKeyView, key: credentialField }),
  status: 201,
})

export const listProvisioningKeys = defineRoute({
  name: 'provisioning-key.list',
  method: 'GET',
  path: '/v1/fleets/:fleet/provisioning-keys',
  auth: 'actor',
  summary: 'List provisioning keys, without the keys.',
  params: fleetParams,
  query: pageQuery,
  reply: pageOf(provisioningKeyView),
})

export const revokeProvisioningKey = defineRoute({
  name: 'provisioning-key.revoke',
  method: 'DELETE',
  path: '/v1/provisioning-keys/:provisioningKeyId',
  auth: 'actor',
  stepUp: true,
  summary: 'Revoke a provisioning key. Devices that registered with it stay.',
  params: z.strictObject({ provisioningKeyId: idField('provisioning') }),
  reply: nothing,
  status: 204,
})
