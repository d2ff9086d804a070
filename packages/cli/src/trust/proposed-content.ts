/** The content that a proposal is about: file trees against what the channel has now, online or out of an exported file. */
import { base64Decode, base64Encode, concatBytes } from '@seaworthy/std/bytes'
import type { ContentSource } from '@seaworthy/oci/content'
import { missing } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { parseJson } from '@seaworthy/oci/json'
import { mediaTypes } from '@seaworthy/oci/manifests'
import type { CurrentMetadata, JsonObject, Proposal } from '@seaworthy/trust/tuf'
import { isJsonObject, listReleases, roleKindOf } from '@seaworthy/trust/tuf'
import { compareReleases, describeChanges, readRelease } from '../release-changes.ts'

interface ProposedRelease {
  product: string
  version: string
  sha256: string
  /** Of the release that devices of the channel have before. */
  beforeSha256: string | undefined
}

/** Releases that the proposal's channel documents would add. */
function listProposed({ documents }: Proposal, current: CurrentMetadata): ProposedRelease[] {
  return documents.flatMap(({ role, signed }) => {
    const kind = roleKindOf(role)
    if (kind?.kind !== 'channel' || signed._type !== 'targets') return []
    const before = current.roles.get(role)?.signed
    const listed = before === undefined ? [] : listReleases(before).releases
    return listReleases(signed)
      .releases.filter(({ path }) => !listed.some((release) => release.path === path))
      .map(({ product, version, sha256 }) => ({
        product,
        version,
        sha256,
        beforeSha256: listed[0]?.sha256,
      }))
  })
}

type OpenContent = (product: string) => ContentSource

/** Lines about the file trees of all releases that would be added; verified by the digests that would be signed. */
export async function describeProposedFiles(
  proposal: Proposal,
  current: CurrentMetadata,
  open: OpenContent,
): Promise<string[]> {
  const lines: string[] = []
  for (const { product, version, sha256, beforeSha256 } of listProposed(proposal, current)) {
    const source = open(product)
    const before =
      beforeSha256 === undefined ? undefined : await readRelease(source, `sha256:${beforeSha256}`)
    const after = await readRelease(source, `sha256:${sha256}`)
    lines.push(
      `File tree of ${product} ${version}${before === undefined ? ' (the channel has no release yet)' : `, compared with ${before.version}`}`,
      ...describeChanges(await compareReleases(source, before, after)).map((line) => `  ${line}`),
    )
  }
  return lines
}

const contentMember = 'content'
/** More than this is left out of an export: the file stays one that can be carried and read. */
const contentBytesMax = 32 * 1024 * 1024

/** What `describeProposedFiles` reads, by digest, to go into an exported proposal: it needs no trust. */
export async function packContent(
  proposal: Proposal,
  current: CurrentMetadata,
  open: OpenContent,
): Promise<JsonObject> {
  const kept: Record<string, string> = {}
  let bytesTotal = 0
  const keep = (digest: Digest, bytes: Uint8Array) => {
    bytesTotal += bytes.length
    if (bytesTotal <= contentBytesMax) kept[digest] = base64Encode(bytes)
  }
  await describeProposedFiles(proposal, current, (product) => recordReads(open(product), keep))
  return Object.keys(kept).length === 0 ? {} : { [contentMember]: kept }
}

function recordReads(
  source: ContentSource,
  keep: (digest: Digest, bytes: Uint8Array) => void,
): ContentSource {
  return {
    async readManifest(digest) {
      const content = await source.readManifest(digest)
      keep(digest, content.bytes)
      return content
    },
    async *readBlob(expected) {
      const parts: Uint8Array[] = []
      for await (const piece of source.readBlob(expected)) parts.push(piece)
      const bytes = concatBytes(...parts)
      keep(expected.digest, bytes)
      yield bytes
    },
  }
}

/** The content inside an exported proposal. Whoever reads it checks every byte against its digest. */
export function packedContent({ evidence }: Proposal): ContentSource {
  const packed = evidence[contentMember]
  const read = (digest: Digest): Uint8Array => {
    const text = isJsonObject(packed) && Object.hasOwn(packed, digest) ? packed[digest] : undefined
    if (typeof text !== 'string') return missing(digest)
    return base64Decode(text)
  }
  return {
    async readManifest(digest) {
      const bytes = read(digest)
      return { bytes, mediaType: mediaTypeOf(bytes) }
    },
    async *readBlob({ digest }) {
      yield read(digest)
    },
  }
}

/** Ours always say themselves what they are. */
function mediaTypeOf(bytes: Uint8Array): string {
  const manifest = parseJson(bytes)
  const type =
    typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest)
      ? manifest['mediaType']
      : undefined
  return typeof type === 'string' ? type : mediaTypes.index
}
