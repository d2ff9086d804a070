/** Roles and the single rights they bundle. The table is the policy: review it as such. */

export const permissions = [
  'server:read',
  'account:self',
  'person:read',
  'person:write',
  'owner:write',
  'approval:read',
  'approval:decide',
  'token:read',
  'token:write',
  'token:self',
  'trust:read',
  'trust:write',
  'proposal:read',
  'proposal:write',
  'proposal:apply',
  'product:read',
  'release:read',
  'release:write',
  'registry:pull',
  'registry:push',
  'registry:delete',
  'fleet:read',
  'fleet:write',
  'provisioning-key:read',
  'provisioning-key:write',
  'device:read',
  'device:write',
  'variable:read',
  'variable:write',
  'secret:read',
  'secret:write',
  'rollout:read',
  'rollout:write',
  'rollout:approve',
  'update:read',
  'reboot-lock:read',
  'reboot-lock:write',
  'log:read',
  'metrics:read',
  'device-self:register',
  'device-self:sign-in',
  'device-self:update',
  'device-self:metadata',
  'device-self:application',
  'device-self:configuration',
] as const
export type Permission = (typeof permissions)[number]

/** Roles of tokens. */
export const roles = [
  'admin',
  'releaser',
  'builder',
  'operator',
  'auditor',
  'viewer',
  'monitor',
] as const
export type TokenRole = (typeof roles)[number]

/**
 * Roles of people. An owner may do what admins may, and makes and unmakes owners; that is never in
 * the hands of a token, which can be copied.
 */
export type Role = 'owner' | TokenRole

const looks = [
  'server:read',
  'account:self',
  'token:self',
  'trust:read',
  'product:read',
  'release:read',
] as const
const watches = [
  ...looks,
  'proposal:read',
  'fleet:read',
  'device:read',
  'rollout:read',
  'update:read',
  'reboot-lock:read',
  'metrics:read',
  'approval:read',
] as const

const ofPeople = permissions.filter((p) => !p.startsWith('device-self:'))

const table: Record<Role, readonly Permission[]> = {
  owner: ofPeople,
  admin: ofPeople.filter((p) => p !== 'owner:write'),
  releaser: [
    ...watches,
    'proposal:write',
    'proposal:apply',
    'release:write',
    'registry:pull',
    'registry:push',
    'rollout:write',
    'rollout:approve',
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
    'rollout:write',
    'rollout:approve',
    'approval:decide',
    'reboot-lock:write',
    'log:read',
  ],
  auditor: [
    ...watches,
    'person:read',
    'token:read',
    'provisioning-key:read',
    'variable:read',
    'secret:read',
    'registry:pull',
    'log:read',
  ],
  viewer: watches,
  // Its token lies in the configuration of a monitoring system: it reads numbers and nothing else.
  monitor: ['server:read', 'account:self', 'token:self', 'metrics:read'],
}

/** Everything a role may do, within the scope of the token or person that has it. */
export function permissionsOf(role: Role): readonly Permission[] {
  return table[role]
}

/** Whoever has one of these publishes, or gives rights to others. */
const weighty: readonly Permission[] = ['proposal:apply', 'person:write', 'token:write']

/** The roles that publish or grant. */
export function weightyRoles(): Role[] {
  const all: readonly Role[] = ['owner', ...roles]
  return all.filter((role) => table[role].some((one) => weighty.includes(one)))
}

/**
 * What a device credential may do, and nothing else (V4): ask for updates (which includes reading
 * its own product's release content), change its own metadata, read its own application's
 * metadata, variables and sealed secrets. It may trade its key for a token. Build logs join the
 * list when they exist.
 */
export const devicePermissions: readonly Permission[] = [
  'device-self:sign-in',
  'device-self:update',
  'device-self:metadata',
  'device-self:application',
  'device-self:configuration',
]

/** A provisioning key makes a device, and nothing else. */
export const provisioningKeyPermissions: readonly Permission[] = ['device-self:register']
