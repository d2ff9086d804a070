/**
 * Bills of materials of a release's bundles: made from the files that go into a bundle, and
 * compared with what is made from its content by whoever is to sign or believe them.
 */
import type { Descriptor } from '@seaworthy/oci/manifests'
import type { BundlePlatform, ReleaseOutline } from '@seaworthy/oci/release-content'
import type { BundleDescriber, BundleDocument } from '@seaworthy/oci/release-documents'
import { encodeDocument, findDocuments } from '@seaworthy/oci/release-documents'
import type { DocumentKind } from '@seaworthy/sbom/documents'
import { documentKinds, formatDocument, mediaTypeOf } from '@seaworthy/sbom/documents'
import type { Scan } from '@seaworthy/sbom/scan'
import { createScanner } from '@seaworthy/sbom/scan'
import { utf8Encode } from '@seaworthy/std/bytes'
import { formatCount } from './output/format.ts'

interface Named {
  readonly product: string
  readonly version: string
}

/** Makes the documents of each bundle of a release while it is packed. */
export function createSbomDescriber(release: Named): () => BundleDescriber {
  return () => {
    const scanner = createScanner()
    return {
      files: scanner,
      describe: (platform, { digest }) => makeSboms(release, platform, digest, scanner.finish()),
    }
  }
}

function makeSboms(
  { product, version }: Named,
  platform: string,
  digest: string,
  scan: Scan,
): (BundleDocument & { kind: DocumentKind })[] {
  return documentKinds.map((kind) => ({
    kind,
    mediaType: mediaTypeOf[kind],
    bytes: utf8Encode(formatDocument(kind, scan, { product, version, platform, digest })),
  }))
}

/** What the bills of materials of one bundle are worth. */
export interface SbomCheck {
  readonly platform: string
  readonly components: number
  /** Files that say what is there, and could not be read. */
  readonly unread: number
  /** Artifacts that are exactly what is made here from the content. */
  readonly same: readonly Descriptor[]
  /** The kinds of which the release carries something else. */
  readonly differing: readonly DocumentKind[]
}

/**
 * Compares by digests alone: the artifacts that the content gives have one form, so that none that
 * the release carries needs to be read.
 */
export function checkSboms(
  { release }: ReleaseOutline,
  { platform, manifest }: BundlePlatform,
  scan: Scan,
): SbomCheck {
  const same: Descriptor[] = []
  const differing: DocumentKind[] = []
  for (const document of makeSboms(release, platform, manifest.digest, scan)) {
    const carried = findDocuments(release, document.mediaType).get(platform)
    if (carried === undefined) continue
    const { descriptor } = encodeDocument(platform, manifest, document).manifest
    const isSame = carried.digest === descriptor.digest && carried.size === descriptor.size
    if (isSame) same.push(carried)
    else differing.push(document.kind)
  }
  const { components, unreadCount: unread } = scan
  return { platform, components: components.length, unread, same, differing }
}

/** What is wrong comes first, behind a `!`. */
export function describeSboms(checks: readonly SbomCheck[]): string[] {
  return [
    ...checks.flatMap(({ platform, differing }) =>
      differing.length === 0
        ? []
        : [
            `! The bill of materials of ${platform} (${differing.join(', ')}) is not what is computed here from the content: it is its builder's word`,
          ],
    ),
    ...checks.flatMap(({ platform, components, unread, same }) =>
      same.length === 0
        ? []
        : [
            `Bill of materials of ${platform}: ${formatCount(components, 'component')}, as computed here${unread === 0 ? '' : `; ${formatCount(unread, 'file')} could not be read for it`}`,
          ],
    ),
  ]
}
