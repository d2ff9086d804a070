/**
 * People who work with the server: how they come in, prove who they are, and what owners decide
 * about them. Promises: a challenge is good for five minutes, one answer, one purpose and one
 * browser; nobody gives or takes more than they have; there is an owner once there has been one; of
 * secrets only hashes are stored; a strange credential and a wrong one get the same answer after
 * the same work. Not handled here: what a session may do on each route (`app/access`), cookies and
 * where a request comes from (`http/browsers`).
 */
export type { Site } from './ceremonies.ts'
export {
  addAccountKey,
  confirmAccountKey,
  judgeAccountKey,
  listAccountKeys,
  listPersonKeys,
  removeAccountKey,
  removePersonKey,
  viewAccountKey,
} from './account-keys.ts'
export { ceremonyMs } from './ceremonies.ts'
export { askFirstOwner, becomeFirstOwner, judgeFirstOwner } from './first-owner.ts'
export type { Invited } from './invitations.ts'
export {
  acceptInvitation,
  askInvitation,
  endInvitation,
  invite,
  judgeInvited,
  listInvitations,
  readInvitation,
  reinvite,
  viewInvitation,
} from './invitations.ts'
export {
  approvePairing,
  askPairing,
  beginPairing,
  checkNewPairing,
  fetchPairing,
  readPairing,
  refusePairing,
} from './pairings.ts'
export { createPairingPaces } from './pairing-codes.ts'
export {
  askProvider,
  judgeAnswer,
  linkIdentity,
  listIdentities,
  signInByProvider,
  stepUpByProvider,
  unlinkIdentity,
} from './identities.ts'
export {
  judgeProvider,
  listProviders,
  removeProvider,
  setProvider,
  viewProvider,
} from './identity-providers.ts'
export { createIdentityProviders } from './provider-client.ts'
export {
  askPassword,
  judgeNewPassword,
  judgePassword,
  judgeStepUpCode,
  knownBrowserMs,
  makeKnown,
  removePassword,
  setPassword,
  signInByPassword,
  stepUpByCode,
} from './passwords.ts'
export type { WantedRole } from './roles.ts'
export { changeRole, createRole, listRoles, removeRole, showRole, viewRole } from './roles.ts'
export { passkeyRoles, setSignInPolicy, viewPolicyChange } from './sign-in-policy.ts'
export {
  addPasskey,
  askPasskey,
  judgePasskey,
  listPasskeys,
  removePasskey,
  renamePasskey,
  viewPasskey,
} from './passkeys.ts'
export {
  disablePerson,
  enablePerson,
  listPeople,
  setPerson,
  showPerson,
  viewPerson,
} from './people.ts'
export {
  askRecovery,
  judgeRecovery,
  makeRecoveryCodes,
  recover,
  storeRecoveryCodes,
} from './recovery-codes.ts'
export { createSlowHashes } from './slow-hashes.ts'
export type { Asked, OpenedSession } from './sessions.ts'
export {
  askSignIn,
  askStepUp,
  judgeSignIn,
  judgeStepUp,
  listSessions,
  revokeSession,
  signIn,
  signOut,
  stepUp,
  viewSelf,
} from './sessions.ts'
