/** Which roles need a passkey for sign-in and confirmation (A2). */
import { z } from 'zod'
import { idField } from './fields.ts'
import { dryRunQuery } from './handed-out.ts'
import { builtInRole, roleName } from './roles.ts'
import { defineRoute } from './route.ts'

const policy = z.object({ passkeyRoles: z.array(builtInRole) })

const policyOutcome = policy.extend({
  isDryRun: z.boolean(),
  /** Roles that need a passkey now, and needed none before. */
  tightened: z.array(builtInRole),
  /** Roles that no longer need one. */
  loosened: z.array(builtInRole),
  /** Sessions that no longer suffice, and ended. */
  endedSessionsCount: z.number().int().min(0),
  /** People who have no passkey and now need one. */
  shutOutCount: z.number().int().min(0),
  /** The first of them. */
  shutOut: z.array(z.object({ id: idField('person'), name: z.string(), role: roleName })),
})
export type SignInPolicyOutcome = z.output<typeof policyOutcome>

export const showSignInPolicy = defineRoute({
  name: 'sign-in-policy.show',
  method: 'GET',
  path: '/auth/sign-in-policy',
  auth: 'actor',
  summary: 'Show which roles need a passkey.',
  reply: policy,
})

export const setSignInPolicy = defineRoute({
  name: 'sign-in-policy.set',
  method: 'PUT',
  path: '/auth/sign-in-policy',
  auth: 'actor',
  stepUp: true,
  summary:
    'Set which roles need a passkey: whoever manages people adds roles, owners remove them too. Sessions that no longer suffice end.',
  query: dryRunQuery,
  body: z.strictObject({ passkeyRoles: z.array(builtInRole).max(builtInRole.options.length) }),
  reply: policyOutcome,
})
