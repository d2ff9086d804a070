/** Devices: what one should run next, and why a request of one is refused. Pure; it verifies no signature. */
export { spend } from './allowance.ts'
export type { Allowance, Spending } from './allowance.ts'
export { chooseAssignment, isRunnable } from './assignment.ts'
export type { Assignment, ReportFacts } from './assignment.ts'

export type DeviceRefusal =
  | 'device_not_found'
  | 'device_removed'
  | 'device_already_registered'
  | 'proof_invalid'
  | 'assertion_invalid'
  | 'assertion_replayed'
  | 'report_signature_invalid'
  | 'report_signature_missing'
  | 'report_sequence_reused'
  | 'changes_too_often'
