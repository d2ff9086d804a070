/**
 * The Update Framework: reading and writing its metadata, the client's decision what to trust, our
 * device rules on top, and proposals that wait for offline signatures. Pure, or with ports: files,
 * network and clocks are the caller's. Whether a release *should* run now is not decided here.
 */
export { isTrustError, trustCodes, trustError } from './codes.ts'
export type { TrustCode, TufError } from './codes.ts'
export { canonicalJson, isJsonObject, parseJson, wireJson } from './json.ts'
export type { JsonObject, JsonValue } from './json.ts'
export { defaultTufLimits, specVersion, topLevelRoles } from './metadata.ts'
export type {
  AnySigned,
  ChannelMarks,
  DelegatedRole,
  Delegations,
  Envelope,
  FileMeta,
  KeyMap,
  Metadata,
  Profile,
  RoleKeys,
  RoleType,
  RootSigned,
  SignedByType,
  SnapshotSigned,
  TargetFile,
  TargetsSigned,
  TimestampSigned,
  TufLimits,
  TufSignature,
} from './metadata.ts'
export { parseMetadata } from './parse-metadata.ts'
export { channelRole, delegatorOf, isName, isVersion, releasePath, roleKindOf } from './names.ts'
export type { RoleKind } from './names.ts'
export {
  channelMarks,
  chooseRelease,
  findRelease,
  isHardware,
  isPlatform,
  listReleases,
  parseRelease,
  releaseKinds,
  verifyRelease,
} from './release.ts'
export type {
  DeviceFacts,
  Release,
  SignedReleaseFacts,
  ReleaseKind,
  ReleaseListing,
} from './release.ts'
export {
  addRelease,
  authorityOf,
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  changeRoot,
  delegateRole,
  formatMetadata,
  removeDelegation,
  renewRole,
  restartMarks,
  signMetadata,
  signRole,
  withdrawRelease,
} from './repository.ts'
export type { NewRelease, RoleAuthority } from './repository.ts'
export { blindTimeMs, expiryOf, lifetimeAlarms, lifetimes } from './lifetimes.ts'
export type { LifetimeAlarm, RoleLifetime } from './lifetimes.ts'
export { lintLayout } from './layout.ts'
export type { LayoutFinding } from './layout.ts'
export { lintMetadata, lintSigned } from './lint.ts'
export type { Finding, FindingName } from './lint.ts'
export { findSigners, verifyThreshold } from './threshold.ts'
export type { KeyRing } from './threshold.ts'
export { hasHashes, TrustedSet } from './trusted-set.ts'
export { roleFileName } from './cycle.ts'
export type { FetchMetadata, FoundTarget } from './cycle.ts'
export { findKeyRing, matchesPattern } from './delegations.ts'
export { isTrustStateAbsent, parseClientState, readClientState } from './client-state.ts'
export type { ClientState, StateSlot, StateStore } from './client-state.ts'
export { createTrustState, openTufClient } from './client.ts'
export type {
  RoleStatus,
  TufClient,
  TufClientOptions,
  TufClientPorts,
  TrustedFile,
  TufNotice,
  TufStatus,
} from './client.ts'
export { noMetadata, proposalFormat, readCurrentMetadata } from './proposal.ts'
export type {
  CurrentMetadata,
  Proposal,
  ProposalChain,
  ProposalDocument,
  ProposalIntent,
  ProposalRefusal,
  PublishedContent,
} from './proposal.ts'
export {
  buildProposal,
  changeAuthority,
  currentAuthority,
  highestCounter,
  publicationTitle,
  rebaseProposal,
} from './proposal-build.ts'
export { formatProposal, parseIntent, parseProposal, proposalBytesMax } from './proposal-file.ts'
export { verifyChain, withChain } from './proposal-chain.ts'
export type { KnownMetadata, VerifiedChain } from './proposal-chain.ts'
export { checkProposal } from './proposal-check.ts'
export type { ProblemCode, ProposalProblem } from './proposal-check.ts'
export { describeProposal } from './proposal-describe.ts'
export {
  formatProblem,
  formatSignatureFile,
  isProposalComplete,
  keepGenuineSignatures,
  mergeSignatures,
  parseSignatureFile,
  prepareProposal,
  proposalProgress,
  refuseProblems,
  signProposal,
  signaturesFormat,
} from './proposal-sign.ts'
export type {
  DocumentSignature,
  PreparedFile,
  SignatureFile,
  ThresholdProgress,
} from './proposal-sign.ts'
export { initPlainClient, refreshPlainClient } from './plain-client.ts'
export type { MetadataFolder, PlainClientOptions } from './plain-client.ts'
export { verifyTarget } from './plain-target.ts'
export type { PlainTarget, StreamingHash, StrongHash } from './plain-target.ts'
