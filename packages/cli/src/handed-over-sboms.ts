/**
 * Bills of materials that a build hands over: stored beside those that are computed from the
 * content, under types of their own, because nobody here can check what they say.
 */
import { readSbom } from '@seaworthy/response/components'
import type { ReadSbom } from '@seaworthy/response/components'
import { digestOf } from '@seaworthy/oci/digests'
import type { Descriptor } from '@seaworthy/oci/manifests'
import type { BundleDocument } from '@seaworthy/oci/release-documents'
import { listDocuments } from '@seaworthy/oci/release-documents'
import type { ReleaseIndex } from '@seaworthy/oci/release-index'
import { Refusal } from '@seaworthy/std/refusal'
import { CliError } from './failure.ts'
import { formatCount } from './output/format.ts'
import { readBounded } from './state/files.ts'

export type HandedOverFormat = ReadSbom['format']

export const handedOverTypes: Readonly<Record<HandedOverFormat, string>> = {
  cyclonedx: 'application/vnd.seaworthy.handed-over.cyclonedx+json',
  spdx: 'application/vnd.seaworthy.handed-over.spdx+json',
}

const sbomBytesMax = 64 * 1024 * 1024
const filesMax = 32

/** `FILE`, or `OS/ARCH=FILE` where the release has several platforms. */
export async function readHandedOver(
  texts: readonly string[],
  platforms: readonly string[],
): Promise<ReadonlyMap<string, readonly BundleDocument[]>> {
  if (texts.length > filesMax) {
    throw new CliError('usage', `more than ${filesMax} bills of materials are handed over`)
  }
  const known = [...new Set(platforms)]
  const documents = new Map<string, BundleDocument[]>()
  for (const text of texts) {
    const named = known.find((platform) => text.startsWith(`${platform}=`))
    const platform = named ?? (known.length === 1 ? known[0]! : undefined)
    if (platform === undefined) {
      throw new CliError('usage', `--sbom ${text} does not say which platform it is about`, {
        wayOut: `Put the platform before it, such as --sbom ${known[0] ?? 'linux/amd64'}=FILE.`,
      })
    }
    const file = named === undefined ? text : text.slice(named.length + 1)
    const document = await readDocumentFile(file)
    const before = documents.get(platform) ?? []
    const isTwice = before.some(({ bytes }) => digestOf(bytes) === digestOf(document.bytes))
    documents.set(platform, isTwice ? before : [...before, document])
  }
  return documents
}

async function readDocumentFile(file: string): Promise<BundleDocument> {
  const bytes = await readBounded(file, sbomBytesMax)
  try {
    return { mediaType: handedOverTypes[readSbom(bytes).format], bytes }
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new CliError('refused', `${file}: ${cause.message}`, {
      wayOut: 'Hand over CycloneDX 1.2 to 1.7, or SPDX 2.2 or 2.3, as JSON.',
      cause,
    })
  }
}

export interface HandedOver {
  readonly platform: string
  readonly format: HandedOverFormat
  readonly descriptor: Descriptor
}

export function listHandedOver(release: ReleaseIndex): HandedOver[] {
  return (Object.keys(handedOverTypes) as HandedOverFormat[]).flatMap((format) =>
    listDocuments(release, handedOverTypes[format]).map((one) => ({ ...one, format })),
  )
}

/** Says it to signers as what it is. */
export function describeHandedOver(handedOver: readonly HandedOver[]): string[] {
  const platforms = [...new Set(handedOver.map(({ platform }) => platform))]
  return platforms.map((platform) => {
    const count = handedOver.filter((one) => one.platform === platform).length
    return `Handed over for ${platform}: ${formatCount(count, 'bill', 'bills')} of materials, which nothing here has checked: the word of whoever built it`
  })
}
