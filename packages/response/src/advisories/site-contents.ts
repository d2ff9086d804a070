/** What the pages and feeds about all advisories are made of. */
import type { AdvisoryPublisher } from './advisory.ts'

/** What lists say of an advisory. */
export interface AdvisoryHead {
  readonly name: string
  readonly title: string
  readonly summary: string
  readonly credits: readonly string[]
  readonly score: number | null
  readonly isWithdrawn: boolean
  readonly firstPublishedAt: Date
  readonly changedAt: Date
  /** Whether the publisher's OpenPGP key has signed the CSAF document. */
  readonly isSigned: boolean
}

export interface AdvisorySite {
  readonly publisher: AdvisoryPublisher
  /** When the publisher was set last. */
  readonly setAt: Date
  /** The advisories, the one that was changed last first. */
  readonly heads: readonly AdvisoryHead[]
  readonly openPgpKey: { readonly fingerprint: string; readonly text: string } | null
  readonly hasReportForm: boolean
  readonly now: Date
}

export interface SiteFile {
  readonly mediaType: string
  readonly text: string
}
