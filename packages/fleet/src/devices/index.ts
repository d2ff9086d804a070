/**
 * Devices: what a device should run next, and why a device's request is refused. Pure; no signature
 * is verified here.
 */
export {
  missedPollsMin,
  onlineSecondsMin,
  presenceOf,
  presences,
  silentSecondsDefault,
} from './presence.ts'
export type { Presence } from './presence.ts'
export { mayMatter, noTrace, traceIdentity } from './identity-sharing.ts'
export type { IdentityTrace, ReportPosition } from './identity-sharing.ts'
export {
  judgeSigned,
  judgeUnsigned,
  needsOlder,
  repeatableMax,
  asSignedSequence,
} from './statements.ts'
export type { Judgement, SignedSequence } from './statements.ts'
export { chooseAssignment } from './assignment.ts'

export type DeviceRefusal =
  | 'device_not_found'
  | 'device_removed'
  | 'tags_too_many'
  | 'device_already_registered'
  | 'proof_invalid'
  /** The assertion is malformed. */
  | 'assertion_invalid'
  | 'assertion_device_unknown'
  | 'assertion_signature_invalid'
  /** The assertion was made for a server of another name. */
  | 'assertion_audience_wrong'
  /** The clock of the device is behind, or the assertion is old. */
  | 'assertion_expired'
  /** The clock of the device is ahead. */
  | 'assertion_too_early'
  /** The challenge is not one of this server for this device, or it is over. */
  | 'assertion_challenge_invalid'
  | 'assertion_replayed'
  | 'report_signature_invalid'
  | 'report_signature_missing'
  | 'report_sequence_reused'
  | 'changes_too_often'
  | 'check_ins_too_often'
  | 'check_ins_waiting'
  | 'reports_too_often'
  | 'tokens_too_often'
  | 'identity_shared'
