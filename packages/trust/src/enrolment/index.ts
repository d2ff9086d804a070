/** Enrolment: how people know a device's keys without believing a server. */
export {
  enrol,
  parseEnrolmentKey,
  readerIdOf,
  signProvisioningKey,
  verifyEnrolment,
} from './enrolment.ts'
export type {
  Enrolment,
  EnrolmentKey,
  ProvisioningCertificate,
  VerifiedEnrolment,
} from './enrolment.ts'
