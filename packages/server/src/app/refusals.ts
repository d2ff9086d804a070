/** What the server itself refuses, beyond the rules of `fleet` and `trust`. */
import { Refusal } from '@seaworthy/std/refusal'
import { isUnreachable } from '../db/connection.ts'

export type ServerRefusal =
  | 'not_initialized'
  | 'trust_unavailable'
  | 'product_not_found'
  | 'fleets_remain'
  | 'proposal_not_found'
  | 'proposal_exists'
  | 'proposal_closed'
  | 'proposal_too_large'
  | 'proposals_too_many'
  | 'online_keys_not_named'
  | 'token_not_found'
  | 'refreshes_too_often'
  | 'handed_out_too_many'
  | 'credential_ended'
  | 'network_malformed'
  | 'network_not_allowed'
  | 'rights_changed'
  | 'unavailable'
  | 'log_unavailable'
  | 'external_id_taken'
  | 'external_id_missing'
  | 'device_has_no_token'
  | 'gateway_token_not_found'
  | 'action_not_found'
  | 'action_closed'
  | 'action_quota'
  | 'cancel_not_pending'
  | 'confirmation_not_needed'
  | 'time_zone_unknown'

/** Why a statement is not made, or not ended. */
export type VexRefusal =
  | 'vex_component_not_found'
  | 'vex_statement_not_found'
  | 'vex_statement_ended'

/** Why nothing is said of a vulnerability. */
export type VulnerabilityRefusal = 'vulnerability_not_found'

/** Why roles are refused that people make or give, and reviews of who has them. */
export type RoleRefusal =
  | 'role_unknown'
  | 'role_not_found'
  | 'role_not_for_tokens'
  | 'role_name_taken'
  | 'role_built_in'
  | 'role_contradicts'
  | 'permission_unknown'
  | 'role_changed'
  | 'role_in_use'
  | 'roles_too_many'
  | 'review_needs_person'
  | 'review_stale'

/** Why the server's certificate stays as it is. */
export type CertificateRefusal =
  | 'server_name_malformed'
  | 'server_name_not_found'
  | 'server_name_needed'
  | 'server_names_too_many'
  | 'certificate_from_files'
  | 'pin_not_announced'
  | 'pin_unconfirmed'

/** Why people are refused who sign in, or who decide who may. */
export type PersonRefusal =
  | 'step_up_required'
  | 'host_unnamed'
  | 'challenge_missing'
  | 'challenge_wrong'
  | 'challenge_used'
  | 'origin_wrong'
  | 'passkey_refused'
  | 'passkey_copied'
  | 'passkey_known'
  | 'passkey_not_found'
  | 'passkey_last'
  | 'passkeys_too_many'
  | 'first_owner_code_wrong'
  | 'owner_exists'
  | 'owner_last'
  | 'owner_scoped'
  | 'invitation_not_found'
  | 'invitation_used'
  | 'invitation_expired'
  | 'invitation_void'
  | 'person_not_found'
  | 'person_disabled'
  | 'session_not_found'
  | 'recovery_code_wrong'
  | 'hashes_waiting'
  | 'pairing_not_found'
  | 'pairing_expired'
  | 'pairing_refused'
  | 'pairing_decided'
  | 'pairing_void'
  | 'pairings_too_many'
  | 'password_wrong'
  | 'password_weak'
  | 'password_missing'
  | 'sign_in_name_taken'
  | 'totp_wrong'
  | 'totp_clock_off'
  | 'code_used'
  | 'passkey_needed'
  | 'policy_loosened'
  | 'account_key_not_found'
  | 'account_key_taken'
  | 'account_keys_too_many'
  | 'tries_too_many'
  | 'account_changes_too_often'
  | 'provider_not_found'
  | 'provider_issuer_fixed'
  | 'provider_changed'
  | 'provider_scope_wrong'
  | 'provider_unreachable'
  | 'provider_unusable'
  | 'provider_refused'
  | 'provider_answer_wrong'
  | 'providers_too_many'
  | 'identity_unknown'
  | 'identity_taken'
  | 'identity_missing'
  | 'group_missing'
  | 'confirmation_stale'

/** Why stored credentials are not kept, or not lent. */
export type LeaseRefusal =
  | 'credential_key_missing'
  | 'credential_key_wrong'
  | 'stored_credential_malformed'
  | 'stored_credential_exists'
  | 'stored_credential_not_found'
  | 'stored_credential_changed'
  | 'stored_credential_held'
  | 'stored_credentials_too_many'
  | 'lease_not_found'
  | 'lease_not_own'
  | 'lease_closed'
  | 'lease_needs_rule'
  | 'lease_target_failed'
  | 'leases_too_many'

/** Why a case stays as it is, or is not shown. */
export type CaseRefusal =
  | 'case_not_found'
  | 'case_not_taken'
  | 'case_not_opened'
  | 'case_full'
  | 'case_has_no_reporter'
  | 'case_embargo_time'
  | 'case_reader_unfit'
  | 'case_reader_not_found'
  | 'case_readers_too_many'
  | 'case_handler_stays'
  | 'report_not_found'
  | 'reports_waiting'

/** Why an advisory stays as it is, or is not shown or published. */
export type AdvisoryRefusal =
  | 'advisory_not_found'
  | 'advisory_not_opened'
  | 'advisory_changed'
  | 'advisory_incomplete'
  | 'advisory_not_draft'
  | 'advisory_of_reviewer'
  | 'advisory_not_reviewed'
  | 'advisory_under_embargo'
  | 'advisory_not_published'
  | 'advisory_withdrawn'
  | 'advisories_too_many'
  | 'publisher_not_set'
  | 'advisory_key_not_set'

export type RebootLockRefusal = 'reboot_lock_not_found' | 'fleetlock_key_not_found'

/** Why people are refused who set variables and secrets. */
export type SettingRefusal =
  | 'variable_not_found'
  | 'secret_not_found'
  | 'setting_of_other_kind'
  | 'configuration_changed'
  | 'configuration_too_large'
  | 'device_elsewhere'
  | 'seal_unusable'

/**
 * Turns the error of an unreachable database, which is no fault of the request, into `unavailable`.
 * Any other error stays as it is.
 */
export function refusalOf(error: unknown): unknown {
  return isUnreachable(error)
    ? new Refusal<ServerRefusal>('unavailable', 'Try again.', { cause: error })
    : error
}
