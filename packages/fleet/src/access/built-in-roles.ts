/** The built-in roles and what each may do. The table is the policy: review it as such. */
import type { Permission } from './permission-names.ts'
import { permissions } from './permission-names.ts'

/** The built-in roles of tokens. */
export const tokenRoles = [
  'admin',
  'releaser',
  'builder',
  'operator',
  'responder',
  'support',
  'auditor',
  'viewer',
  'monitor',
] as const

/**
 * The built-in roles of people. An owner may do what admins may, and makes and unmakes owners; that
 * is never in the hands of a token, which can be copied.
 */
export const builtInRoles = ['owner', ...tokenRoles] as const
export type BuiltInRole = (typeof builtInRoles)[number]

/** What every role may do: without it nobody could sign in, or see what they are refused by. */
export const leastPermissions = ['server:read', 'account:self', 'token:self'] as const
const looks = [...leastPermissions, 'trust:read', 'product:read', 'release:read'] as const
const watches = [
  ...looks,
  'proposal:read',
  'fleet:read',
  'device:read',
  'rollout:read',
  'update:read',
  'vulnerability:read',
  'reboot-lock:read',
  'metrics:read',
  'approval:read',
] as const

const ofPeople = permissions.filter((p) => !p.startsWith('device-self:'))

const table: Record<BuiltInRole, readonly Permission[]> = {
  owner: ofPeople,
  admin: ofPeople.filter((p) => p !== 'owner:write'),
  releaser: [
    ...watches,
    'proposal:write',
    'proposal:apply',
    'release:write',
    'registry:pull',
    'registry:push',
    'credential:read',
    'credential:lease',
    'rollout:write',
    'rollout:approve',
    'vulnerability:write',
    'approval:decide',
    'log:read',
  ],
  builder: [...looks, 'release:write', 'registry:pull', 'registry:push'],
  operator: [
    ...watches,
    'registry:pull',
    'fleet:write',
    'provisioning-key:read',
    'provisioning-key:write',
    'device:write',
    'variable:read',
    'variable:write',
    'secret:read',
    'secret:write',
    'credential:read',
    'credential:lease',
    'rollout:write',
    'rollout:approve',
    'vulnerability:write',
    'approval:decide',
    'reboot-lock:write',
    'log:read',
  ],
  // What they see of a case also depends on whether they are read in to it.
  responder: [
    ...watches,
    'case:read',
    'case:handle',
    'advisory:read',
    'advisory:write',
    'advisory:publish',
    'vex:write',
  ],
  // They help with one device at a time: they see what its application was given, and no secret.
  support: [...watches, 'variable:read'],
  auditor: [
    ...watches,
    'person:read',
    'token:read',
    'role:read',
    'access:review',
    'provisioning-key:read',
    'variable:read',
    'secret:read',
    'credential:read',
    'registry:pull',
    'log:read',
  ],
  viewer: watches,
  // Its token lies in the configuration of a monitoring system: it reads numbers and nothing else.
  monitor: [...leastPermissions, 'metrics:read'],
}

/**
 * What a role that people make may allow. Whoever makes owners is an owner, and nobody else is: so
 * there is always somebody whom no other role limits.
 */
export const permissionsToAllow: readonly Permission[] = table.admin
/** What a role may deny: not what every role may do. */
export const permissionsToDeny: readonly Permission[] = permissionsToAllow.filter(
  (p) => !leastPermissions.some((one) => one === p),
)

export function isBuiltIn(role: string): role is BuiltInRole {
  return Object.hasOwn(table, role)
}

/** Everything that a built-in role allows. It denies nothing. */
export function allowedByBuiltIn(role: BuiltInRole): readonly Permission[] {
  return table[role]
}

/** Whoever has one of these publishes, or gives rights to others. */
const weighty: readonly Permission[] = [
  'proposal:apply',
  'person:write',
  'token:write',
  'role:write',
]

/** The built-in roles that publish or grant. */
export function weightyRoles(): BuiltInRole[] {
  return builtInRoles.filter((role) => table[role].some((one) => weighty.includes(one)))
}
