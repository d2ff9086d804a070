/** Devices: what one should run next, and why a request of one is refused. Pure; it verifies no signature. */
export { spend } from './allowance.ts'
export type { Allowance, Spending } from './allowance.ts'
export { mayMatter, noTrace, traceIdentity } from './identity.ts'
export type { IdentityTrace, ReportPosition } from './identity.ts'
export { chooseAssignment, isRunnable } from './assignment.ts'
export type { Assignment, ReportFacts } from './assignment.ts'

export type DeviceRefusal =
  | 'device_not_found'
  | 'device_removed'
  | 'device_already_registered'
  | 'proof_invalid'
  /** Out of form. */
  | 'assertion_invalid'
  | 'assertion_device_unknown'
  | 'assertion_signature_invalid'
  /** Made for a server of another name. */
  | 'assertion_audience_wrong'
  /** The clock of the device is behind, or the assertion is old. */
  | 'assertion_expired'
  /** The clock of the device is ahead. */
  | 'assertion_too_early'
  /** Not a challenge of this server for this device, or one that is over. */
  | 'assertion_challenge_invalid'
  | 'assertion_replayed'
  | 'report_signature_invalid'
  | 'report_signature_missing'
  | 'report_sequence_reused'
  | 'changes_too_often'
  | 'check_ins_waiting'
  | 'identity_shared'
