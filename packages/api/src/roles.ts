/** Roles: the built-in ones, which stay as they are, and those that people make (A4). */
import { builtInRoles } from '@seaworthy/fleet/access'
import { z } from 'zod'
import { lineField } from './ceremonies.ts'
import { instant, nameField } from './fields.ts'
import { defineRoute, nothing } from './route.ts'

/** The name of a role, a built-in one or one of one’s own. */
export const roleName = nameField

/** The built-in roles. A token may have any of them but `owner`. */
export const builtInRole = z.enum(builtInRoles)

/** Further roles, of which nothing counts but what they deny. */
export const deniedByField = z.array(roleName).max(10)

const permissionField = z
  .string()
  .regex(/^[a-z-]{1,40}:[a-z-]{1,40}$/, 'a permission such as device:read')
const permissionList = z.array(permissionField).max(100)

const purposeField = lineField(200)

const holders = z.object({
  /** People, disabled ones included. */
  people: z.array(z.object({ id: z.string(), name: z.string() })),
  /** Tokens that work. */
  tokens: z.array(z.object({ id: z.string(), name: z.string() })),
  /** Invitations that are open. */
  invitations: z.array(z.string()),
  /** Identity providers of which a group gives the role. */
  identityProviders: z.array(z.string()),
})

export const roleView = z.object({
  name: roleName,
  purpose: z.string(),
  isBuiltIn: z.boolean(),
  /** What it allows whoever has it as their role. */
  allows: z.array(z.string()),
  /** What it denies whoever has it, whatever other role allows it. */
  denies: z.array(z.string()),
  /** Rises with every change; 0 for built-in roles. */
  version: z.number().int().min(0),
  changedAt: instant.nullable(),
  changedBy: z.string().nullable(),
  /** How many hold a role that people have made; null where it is built in or out of scope. */
  holdersCount: z.number().int().min(0).nullable(),
})
export type RoleView = z.output<typeof roleView>

const roleParams = z.strictObject({ role: roleName })

export const listRoles = defineRoute({
  name: 'role.list',
  method: 'GET',
  path: '/v1/roles',
  auth: 'actor',
  summary: 'List roles, built-in ones first, with what they allow and deny.',
  reply: z.object({
    items: z.array(roleView),
    /** Every permission that a role may allow; it may deny all but those of `always`. */
    permissions: z.array(z.string()),
    /** What every role allows. */
    always: z.array(z.string()),
  }),
})

export const showRole = defineRoute({
  name: 'role.show',
  method: 'GET',
  path: '/v1/roles/:role',
  auth: 'actor',
  summary: 'Show one role and who holds it.',
  params: roleParams,
  reply: roleView.extend({ holders: holders.nullable() }),
})
export type RoleFacts = z.output<typeof showRole.reply>

export const createRole = defineRoute({
  name: 'role.create',
  method: 'POST',
  path: '/v1/roles',
  auth: 'actor',
  stepUp: true,
  summary: 'Make a role out of what the caller may do.',
  body: z.strictObject({
    name: roleName,
    purpose: purposeField,
    allows: permissionList,
    denies: permissionList,
  }),
  reply: roleView,
  status: 201,
})

export const changeRole = defineRoute({
  name: 'role.change',
  method: 'PUT',
  path: '/v1/roles/:role',
  auth: 'actor',
  stepUp: true,
  summary:
    'Change what a role allows and denies, for all who hold it. What they handed out beyond that ends.',
  params: roleParams,
  body: z.strictObject({
    purpose: purposeField,
    allows: permissionList,
    denies: permissionList,
    /** The version that was seen: a role that was changed meanwhile is not changed again. */
    version: z.number().int().min(1).max(2_147_483_647),
  }),
  reply: roleView,
})

export const removeRole = defineRoute({
  name: 'role.remove',
  method: 'DELETE',
  path: '/v1/roles/:role',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a role that nobody holds.',
  params: roleParams,
  reply: nothing,
  status: 204,
})
