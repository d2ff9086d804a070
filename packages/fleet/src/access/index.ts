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
  ShownOutcome,
} from './approvals.ts'
export {
  devicePermissions,
  permissions,
  permissionsOf,
  provisioningKeyPermissions,
  roles,
  weightyRoles,
} from './permissions.ts'
export type { Permission, Role, TokenRole } from './permissions.ts'
export { coversNetworks, isNetwork, isWithinNetworks } from './networks.ts'
export {
  checkGrant,
  copyScope,
  coversGrant,
  coversScope,
  reachesEverything,
  reachesFleet,
  reachesProduct,
  reachesWholeProduct,
} from './scopes.ts'
export type { AccessRefusal, Grant, Scope } from './scopes.ts'
