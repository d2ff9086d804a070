/**
 * The bytes of releases. Promises: what this room answers about a release was computed from its
 * content, each byte under the digest that signed metadata names; what people or builders wrote
 * beside it, and what the database says, is compared with that and never believed. Not handled
 * here: how bytes are stored (`oci/store`), which releases are signed (`app/trust`).
 */
export type { OpenBlobStore } from './blob-store.ts'
export { openBlobStore } from './blob-store.ts'
export { describeContent, verifyClaims } from './content.ts'
export { describeReleaseChanges, listFolder, listPackages } from './release-contents.ts'
export { describeMissing, findMissingContent } from './missing-content.ts'
export { createReleaseFileLists, findReleaseFiles, measureReleaseFiles } from './release-files.ts'
export {
  addContent,
  beginUpload,
  dropUpload,
  giveBackRest,
  keepUpload,
  recountStorage,
  removeContent,
  setAside,
  setQuota,
} from './storage.ts'
export type { StorageRefusal } from './storage.ts'
export type { ContentCheckRefusal } from './content-checks.ts'
export { createContentChecks } from './content-checks.ts'
