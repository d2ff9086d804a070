/**
 * Signed metadata on the server's side: what was published, what is proposed and signed, the online
 * keys, the audit log's key and the server's certificate. Promises: what is served was verified
 * from the sealed anchor on every load, whatever the database says; online keys sign only snapshot
 * and timestamp, and are sealed under the master key. Not handled here: the rules of TUF
 * (`trust/tuf`), content (`app/content`).
 */
export { prepareServer } from './first-start.ts'
export type { OwnCertificate } from './own-certificate.ts'
export { CertificateError, judgeCertificate } from './own-certificate.ts'
export { createServedCertificate } from './served-certificate.ts'
export type { OwnTls, ServerTls } from './server-tls.ts'
export {
  addServerName,
  makeCertificateRequest,
  makeChallengeCertificate,
  removeServerName,
  requestCertificateFor,
  viewCertificate,
} from './certificates.ts'
export type { AcmeTrouble } from './acme-trouble.ts'
export { readAcmeTrouble, setAcmeTrouble } from './acme-trouble.ts'
export { readOperatorFile } from './operator-files.ts'
export { announceNextKey, confirmNextPin, useNextKey, viewServerKey } from './server-keys.ts'
export { isNamedBy, loadServerTls, namesOf, pinOf } from './server-tls.ts'
export { raiseLifetimeAlarms } from './lifetime-alarms.ts'
export type { OnlineRole } from './online-keys.ts'
export { addOnlineKey, newestOnlineKeys, openOnlineKeys } from './online-keys.ts'
export type { OnlineSecrets } from './online-secrets.ts'
export { loadOnlineSecrets } from './online-secrets.ts'
export {
  findProduct,
  findProductKind,
  listProducts,
  listPublished,
  requireKnownChannel,
  requireKnownProduct,
} from './products.ts'
export { describeProposalFacts, listProposals, viewProposal } from './proposal-views.ts'
export {
  addSignatures,
  applyProposal,
  exportProposal,
  findProposal,
  rejectProposal,
  submitProposal,
  verifyStored,
  verifySubmitted,
} from './proposals.ts'
export { describeProposalChanges } from './proposal-changes.ts'
export { showProductDependents } from './retirement.ts'
export { renewMetadata } from './publication.ts'
export { listReleaseTags } from './release-tags.ts'
export {
  createRelease,
  findRelease,
  listNeededDigests,
  listReleases,
  verifyNewRelease,
  viewRelease,
} from './releases.ts'
export { createTrustPlane, requireTrust, sha256Hex } from './trust-plane.ts'
export { findHolders, viewTrustStatus } from './trust-status.ts'
