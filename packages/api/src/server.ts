/** The server itself: its identity, and the identity of the caller. */
import { z } from 'zod'
import { instant } from './fields.ts'
import { defineRoute } from './route.ts'
import { roleName } from './roles.ts'

export const showServer = defineRoute({
  name: 'server.show',
  method: 'GET',
  path: '/v1/server',
  auth: 'public',
  summary: 'Show the version, the time, and the verification key of the audit log.',
  reply: z.object({
    name: z.literal('seaworthy'),
    version: z.string(),
    time: instant,
    /** C2SP signed-note verifier key of `/log/checkpoint`. */
    logVerifierKey: z.string(),
  }),
})

export const showSelf = defineRoute({
  name: 'server.whoami',
  method: 'GET',
  path: '/v1/whoami',
  auth: 'actor',
  summary: 'Show who calls: the actor behind the credential of this request.',
  reply: z.object({
    actor: z.string(),
    role: roleName,
    /** The single rights, after what its roles deny. */
    permissions: z.array(z.string()),
    expiresAt: instant,
  }),
})
