/** Enrolment: how people know a device's keys without believing a server. */
export type { EnrolmentCode } from './codes.ts'
export { enrol, parseEnrolmentKey, signProvisioningKey, verifyEnrolment } from './enrolment.ts'
export type { Enrolment, EnrolmentKey, ProvisioningCertificate } from './enrolment.ts'
