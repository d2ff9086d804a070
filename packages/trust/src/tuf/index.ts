/**
 * The Update Framework: reading and writing its metadata, the client's decision what to trust, our
 * device rules on top, and proposals that wait for offline signatures. Pure, or with ports: files,
 * network and clocks are the caller's. Whether a release *should* run now is not decided here.
 */
export { isTrustError, trustCodes, trustError } from './codes.ts'
export type { TrustCode } from './codes.ts'
export { canonicalJson, isJsonObject, parseJson, wireJson } from './json.ts'
export type { JsonObject, JsonValue } from './json.ts'
export { defaultTufLimits, topLevelRoles } from './metadata.ts'
export type {
  AnySigned,
  ChannelMarks,
  Metadata,
  Profile,
  RoleKeys,
  RoleType,
  RootSigned,
  SnapshotSigned,
  TargetFile,
  TargetsSigned,
  TimestampSigned,
  TufSignature,
} from './metadata.ts'
export { parseMetadata } from './parse-metadata.ts'
export { channelRole, delegatorOf, isName, isVersion, releasePath, roleKindOf } from './names.ts'
export {
  channelMarks,
  chooseRelease,
  findRelease,
  isPlatform,
  listReleases,
  parseRelease,
  releaseKinds,
} from './release.ts'
export type { DeviceFacts, Release, ReleaseKind } from './release.ts'
export {
  addRelease,
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  changeRoot,
  formatMetadata,
  renewRole,
  restartMarks,
  signMetadata,
  signRole,
} from './repository.ts'
export type { NewRelease, RoleAuthority } from './repository.ts'
export { blindTimeMs, expiryOf, lifetimeAlarm, lifetimes } from './lifetimes.ts'
export { findSigners, verifyThreshold } from './threshold.ts'
export type { KeyRing } from './threshold.ts'
export { TrustedSet } from './trusted-set.ts'
export { roleFileName } from './cycle.ts'
export type { FetchMetadata } from './cycle.ts'
export { findKeyRing, matchesPattern } from './delegations.ts'
export { isTrustStateAbsent, parseClientState, readClientState } from './client-state.ts'
export type { StateSlot, StateStore } from './client-state.ts'
export { createTrustState, openTufClient } from './client.ts'
export type { TufClient, TrustedFile, TufNotice } from './client.ts'
export { noMetadata, readCurrentMetadata } from './proposal.ts'
export type {
  CurrentMetadata,
  Proposal,
  ProposalChain,
  ProposalIntent,
  ProposalRefusal,
  PublishedContent,
} from './proposal.ts'
export {
  buildProposal,
  changeAuthority,
  currentAuthority,
  publicationTitle,
  rebaseProposal,
} from './proposal-build.ts'
export { formatProposal, parseIntent, parseProposal, proposalBytesMax } from './proposal-file.ts'
export { verifyChain, withChain } from './proposal-chain.ts'
export type { KnownMetadata, VerifiedChain } from './proposal-chain.ts'
export { checkProposal } from './proposal-check.ts'
export { describeProposal } from './proposal-describe.ts'
export {
  formatProblem,
  formatSignatureFile,
  keepGenuineSignatures,
  mergeSignatures,
  parseSignatureFile,
  prepareProposal,
  proposalProgress,
  refuseProblems,
  signProposal,
  isProposalComplete,
} from './proposal-sign.ts'
export type { PreparedFile, SignatureFile } from './proposal-sign.ts'
export { initPlainClient, refreshPlainClient } from './plain-client.ts'
export type { MetadataFolder } from './plain-client.ts'
export { verifyTarget } from './plain-target.ts'
export type { PlainTarget, StreamingHash, StrongHash } from './plain-target.ts'
