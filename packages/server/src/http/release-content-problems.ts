/** What the routes refuse that show what is in releases and proposals. */
import type { KnownCode } from './problems.ts'

const reading = [
  'content_checks_waiting',
  'out_of_scope',
  'product_not_found',
  'release_not_found',
] as const

export const releaseContentProblems = {
  'proposal.changes': ['content_checks_waiting', 'out_of_scope', 'proposal_not_found'],
  'release.changes': reading,
  'release.files': reading,
  'release.packages': reading,
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
