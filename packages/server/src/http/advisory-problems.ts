/** What the work of routes of advisories refuses. */
import type { KnownCode } from './problems.ts'

const reading = ['advisory_not_found', 'advisory_not_opened', 'out_of_scope'] as const
const writing = ['advisory_unfit', 'vector_malformed'] as const
const changing = [...reading, 'advisory_changed', 'advisory_withdrawn'] as const

export const advisoryProblems = {
  'advisory.list': ['advisory_not_opened', 'out_of_scope'],
  'advisory.show': reading,
  'advisory.create': [
    ...writing,
    'advisory_incomplete',
    'case_not_found',
    'case_not_opened',
    'case_not_taken',
    'out_of_scope',
  ],
  'advisory.edit': [...changing, ...writing],
  'advisory.review': [
    ...changing,
    ...writing,
    'advisory_incomplete',
    'advisory_not_draft',
    'advisory_of_reviewer',
  ],
  'advisory.publish': [
    ...changing,
    ...writing,
    'advisories_too_many',
    'advisory_incomplete',
    'advisory_not_reviewed',
    'advisory_under_embargo',
    'publisher_not_set',
  ],
  'advisory.withdraw': [
    ...reading,
    'advisories_too_many',
    'advisory_not_published',
    'advisory_unfit',
    'advisory_withdrawn',
    'publisher_not_set',
  ],
  'advisory.show-publisher': ['out_of_scope', 'publisher_not_set'],
  'advisory.set-publisher': ['advisory_unfit', 'out_of_scope'],
  'advisory.set-openpgp-key': [
    'out_of_scope',
    'public_key_malformed',
    'public_key_private',
    'public_key_unusable',
    'publisher_not_set',
  ],
  'advisory.show-next-unsigned': ['out_of_scope', 'publisher_not_set'],
  'advisory.sign': [
    'advisory_key_not_set',
    'advisory_not_published',
    'openpgp_signature_malformed',
    'openpgp_signature_wrong',
    'out_of_scope',
    'publisher_not_set',
  ],
  'advisory.list-pages': ['out_of_scope', 'publisher_not_set'],
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
