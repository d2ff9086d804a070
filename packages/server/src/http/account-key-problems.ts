/** The problem codes of the routes for people's public keys. */
import type { KnownCode } from './problems.ts'

export const accountKeyProblems = {
  'account-key.create': [
    'account_key_taken',
    'account_keys_too_many',
    'passkey_needed',
    'public_key_malformed',
    'public_key_private',
    'public_key_unusable',
  ],
  'account-key.list': [],
  'account-key.confirm': ['account_key_not_found', 'passkey_needed'],
  'account-key.remove': ['account_key_not_found'],
  'person.keys': ['out_of_scope', 'person_not_found'],
  'person.remove-key': ['account_key_not_found', 'out_of_scope', 'person_not_found'],
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
