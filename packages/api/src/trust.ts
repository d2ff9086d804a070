/**
 * The state of the trust plane: online keys that offline roles must name, lifetimes and their
 * alarms.
 */
import { z } from 'zod'
import { instant, publicKeyField } from './fields.ts'
import { defineRoute } from './route.ts'

export const showOnlineKeys = defineRoute({
  name: 'trust.online-keys',
  method: 'GET',
  path: '/v1/trust/online-keys',
  auth: 'actor',
  summary: 'Show the public keys of the online roles, to be named by the root.',
  reply: z.object({ snapshot: z.array(publicKeyField), timestamp: z.array(publicKeyField) }),
})

export const createOnlineKey = defineRoute({
  name: 'trust.create-online-key',
  method: 'POST',
  path: '/v1/trust/online-keys/:role',
  auth: 'actor',
  stepUp: true,
  summary:
    'Make a further key of an online role. It counts once a root names it; then the one it replaces is destroyed.',
  params: z.strictObject({ role: z.enum(['snapshot', 'timestamp']) }),
  reply: z.object({ snapshot: z.array(publicKeyField), timestamp: z.array(publicKeyField) }),
  status: 201,
})

export const trustStatus = z.object({
  initialized: z.boolean(),
  roles: z.array(
    z.object({
      role: z.string(),
      version: z.number().int(),
      expiresAt: instant,
      threshold: z.number().int(),
      keyIds: z.array(z.string()),
      online: z.boolean(),
      /** Share of the lifetime that has passed, in percent. */
      usedPercent: z.number(),
      alarm: z.enum(['none', 'notice', 'warning', 'critical', 'expired']),
    }),
  ),
  /** How long an attacker with every online key could keep devices blind, in seconds. */
  blindTimeSeconds: z.number().int().nullable(),
})
export type TrustStatus = z.output<typeof trustStatus>

export const showTrustStatus = defineRoute({
  name: 'trust.status',
  method: 'GET',
  path: '/v1/trust/status',
  auth: 'actor',
  summary: 'Show every role with its keys, threshold, lifetime and alarm.',
  reply: trustStatus,
})
