/**
 * Credentials for people to borrow: what opens a system that is not ours. Promises: they are
 * encrypted under a key that neither the data folder nor the database has, each by itself, and only
 * the one that is asked for is opened; who asked, why, who agreed and when it ended is in the log;
 * an account that is made for a lease is on record before there is one, and is dropped at its end,
 * also after a crash. Not handled here: the approval itself (`app/approvals`), and secrets of
 * devices, which the server cannot open (`app/settings`).
 */
export { endLease, leaseEffect, listLeases, openLease, requestLease, viewLease } from './leases.ts'
export { clearMadeAccount, handOut, sweepLeases } from './opening.ts'
export {
  addCredential,
  encryptNew,
  encryptNext,
  listCredentials,
  removeCredential,
  replaceCredential,
  showCredential,
  viewCredential,
} from './stored-credentials.ts'
