/**
 * What is known of the components of releases, and which devices run them (RFD 43). Promises: a
 * record is compared with every component, and a component with every record, whichever came first
 * and whenever the server was killed; what cannot be told is counted as unknown, with the reason.
 * Not handled here: what a record means for a component, which is pure (`response/matching`).
 */
export { readSboms } from './sboms.ts'
export { importRecords, readBatch } from './imports.ts'
export {
  countRunningReleases,
  listExposures,
  listSetAsideRecords,
  listVulnerabilities,
  showDeviceExposure,
  showPatching,
  showReleaseExposure,
  showVulnerability,
} from './exposure.ts'
