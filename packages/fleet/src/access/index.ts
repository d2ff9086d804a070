/** Who may do what: roles, permissions, scopes. Pure; it identifies nobody and stores nothing. */
export {
  devicePermissions,
  permissions,
  permissionsOf,
  provisioningKeyPermissions,
  roles,
} from './permissions.ts'
export type { Permission, Role } from './permissions.ts'
export { checkGrant, reachesFleet, reachesProduct } from './scopes.ts'
export type { AccessRefusal, Grant } from './scopes.ts'
