/**
 * The content that a proposal is about, looked at by whoever signs: file trees computed from the
 * content itself, against what the channel has now. The content comes from the server, out of the
 * exported file, or from a folder that was carried along.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { base64Decode, base64Encode } from '@seaworthy/std/bytes'
import type { LeftOut } from '@seaworthy/oci/changes'
import { compareTrees, describeChanges, nothingLeftOut } from '@seaworthy/oci/changes'
import type { ContentSource } from '@seaworthy/oci/content'
import { copyContent, missing } from '@seaworthy/oci/content'
import type { Digest, ExpectedContent } from '@seaworthy/oci/digests'
import { collectVerified, verifyBytes } from '@seaworthy/oci/digests'
import { parseJson } from '@seaworthy/std/json'
import { createLayout, openLayout } from '@seaworthy/oci/layout'
import { mediaTypes } from '@seaworthy/oci/manifests'
import type { ReleaseClaims, ReleaseOutline } from '@seaworthy/oci/release-content'
import { readReleaseOutline, requireClaims } from '@seaworthy/oci/release-content'
import { Refusal } from '@seaworthy/std/refusal'
import type {
  CurrentMetadata,
  JsonObject,
  Proposal,
  ProposalRefusal,
  Release,
} from '@seaworthy/trust/tuf'
import {
  formatProposal,
  isJsonObject,
  listReleases,
  proposalBytesMax,
  roleKindOf,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { formatBytes, harmless } from '../output/format.ts'
import { describeLies, describeRest } from './release-notes.ts'
import type { ReleaseTree, TreeReader } from '../release-trees.ts'
import { createTreeReader, isContentFault, isContentMissing, reasonOf } from '../release-trees.ts'

interface ProposedRelease {
  release: Release
  /** The release that devices of the channel have before, as signed. */
  before: Release | undefined
}

/** Releases that the proposal's channel documents would add. */
function listProposed({ documents }: Proposal, current: CurrentMetadata): ProposedRelease[] {
  return documents.flatMap(({ role, signed }) => {
    const kind = roleKindOf(role)
    if (kind?.kind !== 'channel' || signed._type !== 'targets') return []
    const metadata = current.roles.get(role)?.signed
    const listed = metadata === undefined ? [] : listReleases(metadata).releases
    return listReleases(signed)
      .releases.filter(({ path }) => !listed.some((release) => release.path === path))
      .map((release) => ({ release, before: listed[0] }))
  })
}

type OpenContent = (product: string) => ContentSource

export interface ShownContent {
  lines: readonly string[]
  /** Content that was not computed here; a signature needs explicit consent to it. */
  unchecked: readonly string[]
  /** Entries that a long list does not show. */
  leftOut: LeftOut
}

export const noContent: ShownContent = { lines: [], unchecked: [], leftOut: nothingLeftOut }

export interface ShowOptions {
  /** Every entry, however many. */
  all?: boolean | undefined
  /** Whether content of the new release may be missing, to be marked as unchecked. */
  mayMiss: boolean
}

/**
 * Lines about the content of all releases that would be added. Throws where a document beside the
 * content says something else.
 */
export async function describeProposedFiles(
  context: Context,
  judged: { proposal: Proposal; current: CurrentMetadata },
  open: OpenContent,
  options: ShowOptions,
): Promise<ShownContent> {
  const all: ShownContent[] = []
  for (const { release, before } of listProposed(judged.proposal, judged.current)) {
    const shown = await describeContentChange(
      context,
      open(release.product),
      { claims: release, sha256: release.sha256, before: before?.sha256 },
      options,
    )
    all.push(shown)
  }
  return {
    lines: all.flatMap(({ lines }) => lines),
    unchecked: all.flatMap(({ unchecked }) => unchecked),
    leftOut: {
      lines: all.flatMap(({ leftOut }) => leftOut.lines),
      kinds: all.flatMap(({ leftOut }) => leftOut.kinds),
    },
  }
}

/**
 * What would be signed about a release, where its content is, and the release that is compared
 * with.
 */
export interface ContentChange {
  claims: ReleaseClaims
  sha256: string
  before: string | undefined
}

export async function describeContentChange(
  context: Pick<Context, 'progress'>,
  source: ContentSource,
  { claims, sha256, before }: ContentChange,
  options: ShowOptions,
): Promise<ShownContent> {
  const reader = createTreeReader(context, source)
  const name = `${claims.product} ${claims.version}`
  try {
    const outline = await ifThere(reader.outline(`sha256:${sha256}`), options.mayMiss)
    if (outline === undefined) {
      const what = `${name}: not even its index (sha256:${sha256}) is here: platforms, kind and sizes are the proposer's word`
      return { ...noContent, lines: [harmless(`! NOT CHECKED  ${what}`)], unchecked: [what] }
    }
    requireClaims(outline, claims)
    const after = await reader.tree(outline, 'proposed', options.mayMiss)
    const old = before === undefined ? undefined : await readBefore(reader, before)
    return describeTrees(name, after, old, options)
  } finally {
    reader.finish()
  }
}

/**
 * Reads the release before, which was signed once: whatever it is, it must not keep a better one
 * from being signed.
 */
async function readBefore(
  reader: TreeReader,
  sha256: string,
): Promise<ReleaseTree | { reason: string }> {
  try {
    return await reader.tree(await reader.outline(`sha256:${sha256}`), 'before', true)
  } catch (error) {
    return { reason: reasonOf(error) }
  }
}

function describeTrees(
  name: string,
  after: ReleaseTree,
  old: ReleaseTree | { reason: string } | undefined,
  options: ShowOptions,
): ShownContent {
  const before = old !== undefined && 'platforms' in old ? old : undefined
  const bytes = [...after.platforms.values()].reduce((sum, tree) => sum + tree.bytes, 0)
  const title =
    old === undefined
      ? ' (the channel has no release yet)'
      : before === undefined
        ? ''
        : `, compared with ${before.version}`
  const unread =
    old !== undefined && 'reason' in old
      ? [`the release before cannot be read (${old.reason}): all of ${name} is shown as new`]
      : []
  const doubts = [...unread.map(harmless), ...(before === undefined ? [] : describeLies(before))]
  const { lines, unchecked, leftOut } = describeChanges(compareTrees(before, after), options)
  return {
    lines: [
      harmless(
        `File tree of ${name}${title}: ${formatBytes(bytes)}, computed here from the content`,
      ),
      ...doubts.map((what) => `  ! NOT CHECKED  ${what}`),
      ...lines.map((line) => `  ${line}`),
      ...describeRest(after).map((line) => `  ${line}`),
    ],
    unchecked: [...doubts, ...unchecked],
    leftOut,
  }
}

async function ifThere<T>(value: Promise<T>, mayMiss: boolean): Promise<T | undefined> {
  try {
    return await value
  } catch (error) {
    if (!mayMiss || !isContentMissing(error)) throw error
    return undefined
  }
}

const contentMember = 'content'
export interface PackedContent {
  /** Goes into the evidence of an exported proposal. It needs no trust. */
  evidence: JsonObject
  /** Digests that the file lacks, because their content did not fit. */
  left: readonly Digest[]
}

/**
 * What a digest and its bytes take up in an exported file: both in quotes, with a colon and a
 * comma.
 */
function packedBytes(digest: Digest, size: number): number {
  return digest.length + Math.ceil(size / 3) * 4 + '"":"",'.length
}

/**
 * What a signer without network computes from: documents first, then as much of the content as
 * fits, that of the new releases before that of the old. `proposal` is what is going to be
 * exported. With what is packed the file has at most `fileBytesMax`, which is what is read.
 */
export async function packContent(
  proposal: Proposal,
  current: CurrentMetadata,
  open: OpenContent,
  fileBytesMax: number = proposalBytesMax,
): Promise<PackedContent> {
  const kept: Record<string, string> = {}
  const left: Digest[] = []
  let bytesTotal = formatProposal(proposal).length + `"${contentMember}":{},`.length
  const keep = (digest: Digest, bytes: Uint8Array) => {
    if (Object.hasOwn(kept, digest)) return
    bytesTotal += packedBytes(digest, bytes.length)
    kept[digest] = base64Encode(bytes)
  }
  const fits = ({ digest, size }: ExpectedContent) =>
    bytesTotal + packedBytes(digest, size) <= fileBytesMax
  const proposed = listProposed(proposal, current)
  const wanted: { source: ContentSource; expected: ExpectedContent; before: boolean }[] = []
  for (const { release, before } of [
    ...proposed.map(({ release }) => ({ release, before: false })),
    ...proposed.flatMap(({ before }) =>
      before === undefined ? [] : [{ release: before, before: true }],
    ),
  ]) {
    const source = open(release.product)
    const recording: ContentSource = {
      ...source,
      async readManifest(digest) {
        const content = await source.readManifest(digest)
        const expected = { digest, size: content.bytes.length }
        verifyBytes(content.bytes, expected)
        if (fits(expected)) keep(digest, content.bytes)
        else left.push(digest)
        return content
      },
    }
    const outline = await readForPacking(recording, release.sha256, before)
    if (outline === undefined) continue
    for (const expected of listContent(outline, before)) wanted.push({ source, expected, before })
  }
  for (const { source, expected, before } of wanted) {
    if (Object.hasOwn(kept, expected.digest)) continue
    if (!fits(expected)) {
      left.push(expected.digest)
      continue
    }
    let bytes: Uint8Array
    try {
      bytes = await collectVerified(source.readBlob(expected), expected)
    } catch (error) {
      if (!isContentMissing(error) && !(before && isContentFault(error))) throw error
      left.push(expected.digest)
      continue
    }
    keep(expected.digest, bytes)
  }
  return { evidence: Object.keys(kept).length === 0 ? {} : { [contentMember]: kept }, left }
}

/**
 * All content of the new releases and of those before them as an OCI layout, whatever its size.
 * Nobody has signed it yet: whoever reads it checks every byte against the digests in the proposal.
 */
export async function layOutContent(
  context: Pick<Context, 'progress'> & { ports: Pick<Context['ports'], 'random'> },
  { proposal, current }: { proposal: Proposal; current: CurrentMetadata },
  open: OpenContent,
  folder: string,
): Promise<void> {
  const layout = await createLayout(folder, context.ports.random)
  const progress = context.progress('content')
  let doneBytes = 0
  const copy = ({ product, sha256 }: Release) =>
    copyContent({
      source: open(product),
      target: layout,
      digest: `sha256:${sha256}`,
      onProgress: (bytes) => progress.update((doneBytes += bytes)),
    })
  try {
    for (const { release, before } of listProposed(proposal, current)) {
      await copy(release)
      // The release before was signed once: its loss or damage must not keep a better one from
      // being signed.
      if (before !== undefined) await copy(before).catch(reasonOf)
    }
  } finally {
    progress.finish()
  }
}

async function readForPacking(
  source: ContentSource,
  sha256: string,
  isBefore: boolean,
): Promise<ReleaseOutline | undefined> {
  try {
    return await readReleaseOutline(source, `sha256:${sha256}`)
  } catch (error) {
    if (!isBefore || !isContentFault(error)) throw error
    return undefined
  }
}

/** Layers and lists of bundles; images only where they are new. */
function listContent(outline: ReleaseOutline, isBefore: boolean): ExpectedContent[] {
  return outline.platforms.flatMap((platform): ExpectedContent[] => {
    if (platform.kind !== 'bundle') {
      return isBefore ? [] : platform.parts.map(({ descriptor }) => descriptor)
    }
    return platform.list === undefined ? [platform.layer] : [platform.list, platform.layer]
  })
}

/**
 * The content inside an exported proposal. Whoever reads it checks every byte against its digest.
 */
function packedContent({ evidence }: Proposal): ContentSource {
  const packed = evidence[contentMember]
  const read = (digest: Digest): Uint8Array => {
    const text = isJsonObject(packed) && Object.hasOwn(packed, digest) ? packed[digest] : undefined
    if (typeof text !== 'string') return missing(digest)
    try {
      return base64Decode(text)
    } catch (cause) {
      throw new Refusal<ProposalRefusal>(
        'proposal_malformed',
        `the content ${digest} in the file is not Base64`,
        {
          cause,
        },
      )
    }
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

/** Returns the media type that the manifest names; ours always name one. */
function mediaTypeOf(bytes: Uint8Array): string {
  let manifest: ReturnType<typeof parseJson>
  try {
    manifest = parseJson(bytes)
  } catch {
    // The parser says what is wrong, once the digest has been verified.
    return mediaTypes.index
  }
  const type =
    typeof manifest === 'object' && manifest !== null && !Array.isArray(manifest)
      ? manifest['mediaType']
      : undefined
  return typeof type === 'string' ? type : mediaTypes.index
}

/** The proposal's own content, then the folders carried along: exported releases or OCI layouts. */
export async function carriedContent(
  context: Context,
  proposal: Proposal,
  folders: readonly string[],
): Promise<ContentSource> {
  const sources: ContentSource[] = [packedContent(proposal)]
  for (const folder of folders) {
    const inner = join(folder, 'oci')
    const isExport = await stat(join(inner, 'oci-layout')).then(
      () => true,
      () => false,
    )
    sources.push(await openLayout(isExport ? inner : folder, context.ports.random))
  }
  return firstOf(sources)
}

/** Reads from the first source that has it. */
function firstOf(sources: readonly ContentSource[]): ContentSource {
  return {
    async readManifest(digest) {
      for (const source of sources) {
        const found = await ifThere(source.readManifest(digest), true)
        if (found !== undefined) return found
      }
      return missing(digest)
    },
    async *readBlob(expected) {
      for (const source of sources) {
        const pieces = source.readBlob(expected)[Symbol.asyncIterator]()
        const first = await ifThere(pieces.next(), true)
        if (first === undefined) continue
        if (first.done !== true) yield first.value
        for (;;) {
          const next = await pieces.next()
          if (next.done === true) return
          yield next.value
        }
      }
      missing(expected.digest)
    },
  }
}
