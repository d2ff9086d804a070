/**
 * What is in a release, computed on this machine from the content itself. What cannot be computed
 * is named as such, and never replaced by what a document beside the content says.
 */
import { requireBundleManifest, requireSameFiles } from '@seaworthy/oci/bundle/contents'
import type { ComparedTree, PlatformTree } from '@seaworthy/oci/changes'
import type { ContentSource } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { readVerified } from '@seaworthy/oci/digests'
import type { Descriptor } from '@seaworthy/oci/manifests'
import type {
  BundlePlatform,
  ImagePlatform,
  ContentKind,
  ReleaseOutline,
} from '@seaworthy/oci/release-content'
import {
  computeBundleFiles,
  describeListLie,
  readReleaseOutline,
  requireFileLists,
} from '@seaworthy/oci/release-content'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { Scan } from '@seaworthy/sbom/scan'
import { createScanner } from '@seaworthy/sbom/scan'
import type { Context } from './context.ts'
import type { HandedOver } from './handed-over-sboms.ts'
import { listHandedOver } from './handed-over-sboms.ts'
import type { SbomCheck } from './release-sboms.ts'
import { checkSboms } from './release-sboms.ts'

export interface ReleaseTree extends ComparedTree {
  product: string
  version: string
  kind: ContentKind
  /** Bills of materials, compared with the content of bundles that could be read. */
  sboms: readonly SbomCheck[]
  /** Bills of materials that its builder was given by others. */
  handedOver: readonly HandedOver[]
  /** Other descriptors of the index, which no device looks at and nobody has checked. */
  others: readonly Descriptor[]
  /** What an earlier signed release wrongly says about itself. */
  lies: readonly string[]
}

/**
 * A `proposed` release is refused when its documents contradict its content. A release `before` was
 * signed already: the contradiction is reported, and whoever signs the next one must accept it
 * explicitly.
 */
export type TreePurpose = 'proposed' | 'before'

export interface TreeReader {
  outline(digest: Digest): Promise<ReleaseOutline>
  /**
   * Missing content is marked as unchecked when `mayMiss`, and throws `content_missing` otherwise.
   * Any other fault of the content throws `Refusal<ReleaseFault>` or `TrustError<ContentFault>` for
   * a proposed release, and is only marked for the release before.
   */
  tree(outline: ReleaseOutline, purpose: TreePurpose, mayMiss: boolean): Promise<ReleaseTree>
  /** The last state of the progress stays on the screen. */
  finish(): void
}

/** Reads every layer once, however many platforms and releases share it. */
export function createTreeReader(
  context: Pick<Context, 'progress'>,
  source: ContentSource,
): TreeReader {
  const known = new Map<string, Awaited<ReturnType<typeof computeContent>>>()
  const progress = context.progress('check')
  let doneBytes = 0
  let totalBytes = 0
  const onBytes = (bytes: number) => progress.update((doneBytes += bytes), totalBytes)

  const readBundle = async (bundle: BundlePlatform, purpose: TreePurpose) => {
    const { digest, size } = bundle.layer
    const key = `${digest} ${size}`
    const before = known.get(key)
    if (before !== undefined && (before.scan !== undefined || purpose === 'before')) return before
    totalBytes += size
    const computed = await computeContent(source, bundle, purpose, onBytes)
    known.set(key, computed)
    return computed
  }

  const readTree = async (
    platform: BundlePlatform,
    purpose: TreePurpose,
    lies: string[],
  ): Promise<{ tree: PlatformTree; scan: Scan | undefined }> => {
    const computed = await readBundle(platform, purpose)
    try {
      requireSameFiles(platform, computed)
    } catch (error) {
      const lie =
        platform.list === undefined
          ? undefined
          : await describeListLie(source, platform.list, computed.files).catch((fault: unknown) => {
              if (purpose === 'before') return `its file list cannot be read: ${reasonOf(fault)}`
              if (!isContentMissing(fault)) throw fault
              return undefined
            })
      if (purpose === 'before') {
        if (lie !== undefined) lies.push(`${platform.platform}: ${lie}`)
      } else if (lie === undefined) throw error
      else requireSameFiles(platform, computed, lie)
    }
    if (purpose === 'proposed') requireBundleManifest(platform.platform, computed)
    const { files, fileBytes: bytes, manifest, scan } = computed
    return { tree: { kind: 'files', files, bytes, manifest }, scan }
  }

  const readImage = async (
    { parts }: ImagePlatform,
    purpose: TreePurpose,
  ): Promise<PlatformTree> => {
    const sizes = parts.map(({ descriptor }) => descriptor.size)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    if (purpose === 'proposed') {
      totalBytes += bytes
      for (const { descriptor } of parts) {
        await readVerified(source.readBlob(descriptor), descriptor, (piece) =>
          onBytes(piece.length),
        )
      }
    }
    const shown = parts.map(({ name, descriptor: { digest, size } }) => ({ name, digest, size }))
    return { kind: 'image', parts: shown, bytes }
  }

  return {
    outline: (digest) => readReleaseOutline(source, digest),
    async tree(outline, purpose, mayMiss) {
      if (purpose === 'proposed') requireFileLists(outline)
      const lies = [...outline.faults]
      const platforms = new Map<string, PlatformTree>()
      const sboms: SbomCheck[] = []
      for (const platform of outline.platforms) {
        try {
          if (platform.kind === 'bundle') {
            const { tree, scan } = await readTree(platform, purpose, lies)
            platforms.set(platform.platform, tree)
            if (scan !== undefined) sboms.push(checkSboms(outline, platform, scan))
          } else platforms.set(platform.platform, await readImage(platform, purpose))
        } catch (error) {
          const content = `its content (${platform.kind === 'bundle' ? platform.layer.digest : platform.manifest.digest})`
          const isBefore = purpose === 'before'
          if (!(mayMiss && isContentMissing(error)) && !(isBefore && isContentFault(error)))
            throw error
          const reason = isContentMissing(error)
            ? `${content} is not here`
            : `${content} cannot be used: ${reasonOf(error)}`
          platforms.set(platform.platform, {
            kind: 'unchecked',
            reason,
            bytes: claimedBytes(platform),
          })
        }
      }
      const { product, version } = outline.release
      const handedOver = listHandedOver(outline.release)
      const checked = new Set([
        ...sboms.flatMap(({ same }) => same),
        ...handedOver.map(({ descriptor }) => descriptor),
      ])
      const others = outline.others.filter((descriptor) => !checked.has(descriptor))
      return { product, version, kind: outline.kind, platforms, sboms, handedOver, others, lies }
    },
    finish: () => progress.finish(),
  }
}

/** Only what is proposed is compared with its bills of materials. */
async function computeContent(
  source: ContentSource,
  bundle: BundlePlatform,
  purpose: TreePurpose,
  onBytes: (bytes: number) => void,
) {
  if (purpose === 'before') {
    return { ...(await computeBundleFiles(source, bundle, { onBytes })), scan: undefined }
  }
  const scanner = createScanner()
  const computed = await computeBundleFiles(source, bundle, { onBytes, watch: scanner })
  return { ...computed, scan: scanner.finish() }
}

export function isContentMissing(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'content_missing'
}

/**
 * Whether the content itself is at fault, and not the way to it: it is missing, malformed, or not
 * what its digest says.
 */
export function isContentFault(error: unknown): error is Refusal | TrustError {
  return error instanceof Refusal || error instanceof TrustError
}

/** Describes for people what is wrong with content. Throws any other error. */
export function reasonOf(error: unknown): string {
  if (!isContentFault(error)) throw error
  return error.message
}

function claimedBytes(platform: BundlePlatform | ImagePlatform): number {
  if (platform.kind === 'bundle') return platform.layer.size
  return platform.parts.reduce((sum, { descriptor }) => sum + descriptor.size, 0)
}
