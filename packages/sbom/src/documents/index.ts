/**
 * What a tree holds, as documents: CycloneDX 1.6 and SPDX 2.3 for other tools, and a list of
 * packages for people and for `grep`. One scan has one form of each, without a time or a number
 * drawn by chance, so that anybody who has the tree can make the same bytes.
 */
import { cycloneDxMediaType } from '@seaworthy/std/media-types'
import type { Scan } from '../scan.ts'
import { formatCycloneDx } from './cyclonedx.ts'
import { formatPackages } from './packages.ts'
import { formatSpdx } from './spdx.ts'
import type { Subject } from './subject.ts'

export const documentKinds = ['cyclonedx', 'spdx', 'packages'] as const
export type DocumentKind = (typeof documentKinds)[number]

/** The names by which other tools know the documents. */
export const mediaTypeOf: Readonly<Record<DocumentKind, string>> = {
  cyclonedx: cycloneDxMediaType,
  spdx: 'application/spdx+json',
  packages: 'application/vnd.seaworthy.packages.v1+tsv',
}

/** The document about a tree: the same scan and subject give the same text. */
export function formatDocument(kind: DocumentKind, scan: Scan, subject: Subject): string {
  switch (kind) {
    case 'cyclonedx':
      return formatCycloneDx(scan, subject)
    case 'spdx':
      return formatSpdx(scan, subject)
    case 'packages':
      return formatPackages(scan)
  }
}
