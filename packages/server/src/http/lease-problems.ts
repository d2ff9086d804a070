/** The problem codes of the routes for stored credentials and their leases. */
import type { KnownCode } from './problems.ts'

/** Faults of the values of stored credentials. */
const encryptionFaults = [
  'credential_key_missing',
  'credential_key_wrong',
  'stored_credential_malformed',
] as const satisfies readonly KnownCode[]

export const leaseProblems = {
  'stored-credential.list': ['out_of_scope'],
  'stored-credential.show': ['out_of_scope', 'stored_credential_not_found'],
  'stored-credential.add': [
    ...encryptionFaults,
    'out_of_scope',
    'stored_credential_exists',
    'stored_credentials_too_many',
  ],
  'stored-credential.replace': [
    ...encryptionFaults,
    'out_of_scope',
    'stored_credential_changed',
    'stored_credential_held',
    'stored_credential_not_found',
  ],
  'stored-credential.remove': [
    'out_of_scope',
    'stored_credential_held',
    'stored_credential_not_found',
  ],
  'lease.list': ['out_of_scope'],
  'lease.request': ['leases_too_many', 'out_of_scope', 'stored_credential_not_found'],
  'lease.open': [
    'credential_key_missing',
    'credential_key_wrong',
    'lease_closed',
    'lease_needs_rule',
    'lease_not_found',
    'lease_not_own',
    'lease_target_failed',
    'out_of_scope',
    'stored_credential_not_found',
  ],
  'lease.end': ['lease_closed', 'lease_not_found', 'lease_not_own', 'out_of_scope'],
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
