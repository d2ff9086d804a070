/** The single rights, and those of keys that are nobody's: of devices, and of provisioning. */

export const permissions = [
  'server:read',
  'server:write',
  'account:self',
  'person:read',
  'person:write',
  'owner:write',
  'approval:read',
  'approval:decide',
  'token:read',
  'token:write',
  'token:self',
  'role:read',
  'role:write',
  'access:review',
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
  'credential:read',
  'credential:write',
  'credential:lease',
  'case:read',
  'case:handle',
  'advisory:read',
  'advisory:write',
  'advisory:publish',
  'rollout:read',
  'rollout:write',
  'rollout:approve',
  'update:read',
  'vulnerability:read',
  'vulnerability:write',
  'vex:write',
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
