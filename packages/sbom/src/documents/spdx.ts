/** SPDX 2.3 (ISO/IEC 5962 is 2.2.1), as JSON. */
import { createHash } from 'node:crypto'
import type { FoundComponent } from '../components.ts'
import { gatherComponents } from '../components.ts'
import type { Scan } from '../scan.ts'
import { scanVersion } from '../scan.ts'
import type { Subject } from './subject.ts'
import { readLicence } from './licences.ts'

/** The format needs a time; a fixed one keeps the document the same for everybody. */
const noTime = '1970-01-01T00:00:00Z'

export function formatSpdx(scan: Scan, subject: Subject): string {
  const { distribution, unread, unreadCount } = scan
  const { product, version, platform, digest } = subject
  const placed = gatherComponents(scan.components)
  const words = new Map<string, string>()
  const packages = placed.map((one) => viewPackage(one, words))
  const root = 'SPDXRef-Release'
  const comments = [
    `Made from the content ${digest} for ${platform}.`,
    ...(distribution === undefined
      ? []
      : [`Distribution: ${distribution.id} ${distribution.versionId}`.trimEnd()]),
    ...unread.map(({ path, why }) => `Not read: ${path}: ${why}`),
    ...(unreadCount > unread.length ? [`Not read: ${unreadCount - unread.length} more`] : []),
  ]
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${product}-${version}-${platform}`,
    documentNamespace: `https://seaworthy.dev/spdx/${encodeURIComponent(product)}/${encodeURIComponent(version)}/${platform}/${digest.replace(':', '-')}`,
    creationInfo: { created: noTime, creators: [`Tool: seaworthy-sbom-${scanVersion}`] },
    comment: comments.join('\n'),
    packages: [
      {
        SPDXID: root,
        name: product,
        versionInfo: version,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        primaryPackagePurpose: 'APPLICATION',
      },
      ...packages,
    ],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: root,
      },
      ...packages.map(({ SPDXID }) => ({
        spdxElementId: root,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: SPDXID,
      })),
    ],
    ...(words.size === 0
      ? {}
      : {
          hasExtractedLicensingInfos: [...words].map(([text, licenseId]) => ({
            ...{ licenseId, extractedText: text, name: text },
          })),
        }),
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

function viewPackage({ component, paths }: FoundComponent, words: Map<string, string>) {
  const { purl, name, version, licence, source } = component
  const [first, ...others] = paths
  const found = `found in ${first}${others.length > 0 ? `, and in ${others.join(', ')}` : ''}`
  return {
    SPDXID: `SPDXRef-Package-${shortHash(purl)}`,
    name,
    ...(version === '' ? {} : { versionInfo: version }),
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licence === '' ? 'NOASSERTION' : licenceOf(licence, words),
    sourceInfo:
      source === undefined
        ? found
        : `built package from: ${source.name} ${source.version}; ${found}`,
    externalRefs: [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
    ],
  }
}

/** A licence text that SPDX does not list is in the document once, under an identifier. */
function licenceOf(text: string, words: Map<string, string>): string {
  const read = readLicence(text)
  switch (read.kind) {
    case 'id':
      return read.id
    case 'expression':
      return `(${read.expression})`
    case 'words': {
      const known = words.get(read.words) ?? `LicenseRef-${shortHash(read.words)}`
      words.set(read.words, known)
      return known
    }
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 20)
}
