/** What an advisory says, before and after it is published. */

/** Releases of one product, from the first that has the flaw to the first that is rid of it. */
export interface AffectedReleases {
  readonly product: string
  /** `null` where every release before `fixed` has the flaw. */
  readonly introduced: string | null
  /** `null` where no release is rid of it yet. */
  readonly fixed: string | null
}

export interface AdvisoryReference {
  readonly title: string
  readonly url: string
}

/** One flaw. A draft may leave texts empty; what is reviewed has all that is needed. */
export interface AdvisoryContent {
  readonly title: string
  /** One paragraph for whoever decides whether to read on. */
  readonly summary: string
  readonly description: string
  /** What to do; empty for “install the fixed release”. */
  readonly action: string
  /** What helps until the fixed release is installed; may be empty. */
  readonly workaround: string
  /** Identifiers such as CVE-2026-0001 and GHSA-…; at most one of them is a CVE. */
  readonly ids: readonly string[]
  readonly affected: readonly AffectedReleases[]
  /** Vectors; at least one of them is given in the end. */
  readonly cvss3: string | null
  readonly cvss4: string | null
  readonly credits: readonly string[]
  readonly references: readonly AdvisoryReference[]
}

export interface AdvisoryChange {
  readonly at: Date
  /** What was changed, in one line. */
  readonly what: string
}

/** An advisory as the public has it. */
export interface PublishedAdvisory {
  readonly name: string
  readonly content: AdvisoryContent
  /** One for each version, the first of which is the publication. */
  readonly changes: readonly AdvisoryChange[]
  /** Why it does not count any more; `null` while it does. */
  readonly withdrawnBecause: string | null
}

export interface SupportedReleases {
  readonly product: string
  /** Such as `1.4` or `2.x`. */
  readonly versions: string
  /** The day on which support ends, such as 2027-12-31; `null` where it is not known yet. */
  readonly until: string | null
}

/** Who publishes, and what they promise to whoever reports a flaw. */
export interface AdvisoryPublisher {
  readonly name: string
  /** The web site that tells this publisher from all others. */
  readonly namespace: string
  /** Where the public finds the pages: the address of this server, or of a copy. */
  readonly baseUrl: string
  /** An address `mailto:…` or `https://…` for reports. */
  readonly contact: string
  /** The first part of the names of advisories. */
  readonly prefix: string
  readonly scopeIn: string
  readonly scopeOut: string
  readonly supported: readonly SupportedReleases[]
}

export function firstPublishedAt({ changes }: PublishedAdvisory): Date {
  return changes[0]!.at
}

export function changedAt({ changes }: PublishedAdvisory): Date {
  return changes.at(-1)!.at
}

export function cveOf({ ids }: AdvisoryContent): string | undefined {
  return ids.find((id) => id.startsWith('CVE-'))
}

/** Versions of releases as a sentence has them. */
export function describeReleases({ product, introduced, fixed }: AffectedReleases): string {
  const from = introduced === null ? '' : ` from ${introduced}`
  if (fixed !== null) return `${product}${from} before ${fixed}`
  return introduced === null ? `${product}, every release` : `${product}${from} on`
}
