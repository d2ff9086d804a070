/**
 * Who is asking and what they may do: people by sessions and tokens, devices by assertions and
 * access tokens, and the record of what was done. Promises: only the hash of a credential is kept,
 * and it is compared in constant time; whoever may not grant a right may not revoke it, and nobody
 * sees a token that reaches further than they do; everything audited and its audit entry are one
 * transaction, and a refused attempt of a known caller is on record too. Not handled here: how
 * often somebody may try (`http/authenticate`), how people prove who they are (`app/people`),
 * identities of other protocols (`app/foreign`).
 */
export type { Actor, PersonActor } from './actors.ts'
export {
  anonymous,
  checkFleet,
  grantOf,
  holderBehind,
  requireFleet,
  requirePermission,
  requirePerson,
  requireProduct,
  requireUnscoped,
  requireWholeProduct,
} from './actors.ts'
export {
  ClockRefusal,
  createOriginCheck,
  readAssertionIssuer,
  verifyAssertion,
} from './assertions.ts'
export type { LogKeeper } from './audit-log.ts'
export {
  createLog,
  nodeSha256,
  readCheckpoint,
  readLogTile,
  sequenceEntries,
  verifyLogState,
} from './audit-log.ts'
export type { Change, Passage } from './audited.ts'
export { ApprovalNeededRefusal, changeAudited, changeRightsAudited } from './audited.ts'
export type { Current } from './current-actors.ts'
export { readCurrent } from './current-actors.ts'
export { createReview, showChanges } from './access-reviews.ts'
export { listGrants } from './grants.ts'
export type { EndedWithMaker } from './handed-out.ts'
export {
  detailOf,
  endHandedOut,
  findMaker,
  listStaying,
  requireRoomFor,
  viewEnded,
} from './handed-out.ts'
export { createCredential, hashCode, isSameSecret, parseCredential } from './credentials.ts'
export {
  accessTokenLifetimeMs,
  createTokenReader,
  deviceAudience,
  openToken,
  signToken,
} from './device-tokens.ts'
export { KnownPersonRefusal, recordRefusal } from './refusal-records.ts'
export {
  spenderOf,
  spendRegistryChange,
  decideRegistryAccess,
  recordRegistryChange,
  tradeCredential,
} from './registry.ts'
export { readGrant, requireRoleOfTokens } from './role-names.ts'
export { sessionLimits } from './session-limits.ts'
export { requireOwnFactor } from './own-factor.ts'
export { requireStepUp, steppedUpUntil, stepUpMs } from './step-up.ts'
export { identify, identifyDevice, identifySession } from './identify.ts'
export type { Caller } from './identify.ts'
export type { IssuedToken } from './tokens.ts'
export {
  checkRefresh,
  createToken,
  endToken,
  issueToken,
  requireRoomForToken,
  listTokens,
  refreshToken,
  showToken,
  viewToken,
} from './tokens.ts'
