/**
 * Who may do what: roles, permissions, scopes, approvals. Pure; it identifies nobody and stores
 * nothing.
 */
export {
  hasApprovalRules,
  hasRight,
  isAsShown,
  mayDecide,
  needsApproval,
  noApprovalRules,
  requireApprover,
  requireRejecter,
  stateOf,
} from './approvals.ts'
export type {
  ApprovalRefusal,
  ApprovalRules,
  ApprovalState,
  Guarded,
  NeededRight,
} from './approvals.ts'
export {
  allowedByBuiltIn,
  builtInRoles,
  isBuiltIn,
  permissionsToAllow,
  permissionsToDeny,
  tokenRoles,
  weightyRoles,
} from './built-in-roles.ts'
export type { BuiltInRole } from './built-in-roles.ts'
export { devicePermissions, permissions, provisioningKeyPermissions } from './permission-names.ts'
export type { Permission } from './permission-names.ts'
export {
  comparePasskeyRoles,
  deniedPermissions,
  denyingRoles,
  heldBuiltIn,
  needsPasskey,
  permissionsOf,
} from './roles.ts'
export type { HeldRoles, RoleNames, RoleRules } from './roles.ts'
export { changesBetween, rightsOf } from './reviews.ts'
export type { ReviewedGrant } from './reviews.ts'
export { coversNetworks, isNetwork, isWithinNetworks } from './networks.ts'
export {
  checkGrant,
  copyScope,
  coversGrant,
  coversScope,
  isSameGrant,
  reachesEverything,
  reachesFleet,
  reachesProduct,
  reachesWholeProduct,
} from './scopes.ts'
export type { AccessRefusal, Grant, Scope } from './scopes.ts'
