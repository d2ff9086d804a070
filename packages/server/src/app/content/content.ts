/**
 * What lies below a release's OCI index in the store. It is read from the content itself, never
 * from a list beside it.
 */
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { ContentSource } from '@seaworthy/oci/content'
import { storeContent } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import type { ImageIndex } from '@seaworthy/oci/manifests'
import { formatPlatform, manifestChildren, parseManifest } from '@seaworthy/oci/manifests'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import {
  claimsOf,
  readReleaseIndex,
  readReleaseOutline,
  requireSameClaims,
  verifyReleaseContent,
} from '@seaworthy/oci/release-content'
import type { RegistryStore } from '@seaworthy/oci/store'
import { requireClosure } from '@seaworthy/oci/store/garbage'
import { Refusal } from '@seaworthy/std/refusal'
import type { Release as SignedRelease } from '@seaworthy/trust/tuf'
import type { App, ContentVerdict, ReadRelease } from '../app.ts'

/**
 * Throws `release_content_missing` unless the index and everything below it are in the product's
 * repository.
 */
async function requireContent(
  store: RegistryStore,
  { product, digest }: ReleaseName,
  signal: AbortSignal,
): Promise<void> {
  try {
    await requireClosure(store, product, digest, signal)
  } catch (cause) {
    if (!(cause instanceof Refusal) || cause.code === 'caller_left') throw cause
    throw new Refusal<ReleaseRefusal>('release_content_missing', cause.message, { cause })
  }
}

/**
 * Describes a release from its content. Throws `release_content_missing`, and
 * `Refusal<ReleaseFault>`.
 */
export async function describeContent(
  app: ContentDeps,
  wanted: { product: string; version: string; digest: Digest },
  leaving?: AbortSignal,
): Promise<ReadRelease> {
  const { product, version } = wanted
  const release = await readRelease(app, wanted, leaving)
  const { claims } = release
  if (claims.product !== product || claims.version !== version) {
    throw new Refusal<ReleaseFault>(
      'release_mismatch',
      `the index names ${claims.product} ${claims.version}, and ${product} ${version} is to be registered: push it as what it is`,
    )
  }
  return release
}

/**
 * Checks that what a proposal claims about a release is what its content says. Throws
 * `release_content_missing`, and `Refusal<ReleaseFault>`.
 */
export async function verifyClaims(
  app: ContentDeps,
  release: SignedRelease,
  leaving?: AbortSignal,
): Promise<void> {
  const digest = `sha256:${release.sha256}` as const
  const { claims } = await readRelease(app, { product: release.product, digest }, leaving)
  requireSameClaims(claims, release)
}

type ContentDeps = Pick<App, 'store' | 'contentChecks'>

interface ReleaseName {
  readonly product: string
  readonly digest: Digest
}

/**
 * Reads all manifests and bundles of a release once in the life of a worker, and checks each time
 * that all of it is there. Every reading of content waits its turn in the product's queue and ends
 * when its caller has left, because a builder can make it slow.
 */
async function readRelease(
  { store, contentChecks }: ContentDeps,
  name: ReleaseName,
  leaving: AbortSignal | undefined,
): Promise<ReadRelease> {
  let isJustRead = false
  const release = await contentChecks.check(
    name,
    async (signal) => {
      isJustRead = true
      return await judgeContent(store, name, signal)
    },
    leaving,
  )
  if (!isJustRead) {
    const { product } = name
    await contentChecks.queue(product, (signal) => requireContent(store, name, signal), leaving)
  }
  return release
}

/**
 * Answers what the content is, or the refusal it deserves; throws errors that say nothing about the
 * content.
 */
async function judgeContent(
  store: RegistryStore,
  name: ReleaseName,
  signal: AbortSignal,
): Promise<ContentVerdict> {
  const source = untilLeft(storeContent(store, name.product), signal)
  try {
    await readReleaseIndex(source, name.digest)
    await requireContent(store, name, signal)
    const outline = await readReleaseOutline(source, name.digest)
    await verifyReleaseContent(source, outline)
    return { claims: claimsOf(outline), ...(await countBytes(source, outline.release.index)) }
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'caller_left') throw error
    if (error.code === 'release_content_missing') throw error
    if (isFaultOfStore(error)) {
      throw new Refusal<ReleaseRefusal>('release_content_missing', error.message, { cause: error })
    }
    return error as Refusal<ReleaseFault>
  }
}

/**
 * Bytes below each platform's manifest, and below all of an index. Each manifest is parsed once.
 */
async function countBytes(source: ContentSource, { manifests }: ImageIndex) {
  const below = new Map<Digest, number>()
  const platforms: { platform: string; digest: string; bytes: number }[] = []
  let totalBytes = 0
  for (const { digest, size, platform } of manifests) {
    let bytes = below.get(digest)
    if (bytes === undefined) {
      const stored = await source.readManifest(digest)
      const children = manifestChildren(parseManifest(stored.bytes, stored.mediaType))
      bytes = children.reduce((sum, child) => sum + child.size, 0)
      below.set(digest, bytes)
    }
    totalBytes += bytes + size
    if (platform === undefined) continue
    platforms.push({ platform: formatPlatform(platform), digest, bytes: bytes + size })
  }
  platforms.sort((a, b) => (a.platform < b.platform ? -1 : 1))
  return { totalBytes, platforms }
}

function isFaultOfStore({ code }: Refusal): boolean {
  return code === 'content_missing' || code === 'content_damaged'
}

/** Wraps a source, which then stops in the middle when nobody waits for its result any more. */
function untilLeft(source: ContentSource, signal: AbortSignal): ContentSource {
  return {
    async readManifest(digest) {
      signal.throwIfAborted()
      return await source.readManifest(digest)
    },
    async *readBlob(expected) {
      for await (const piece of source.readBlob(expected)) {
        signal.throwIfAborted()
        yield piece
      }
    },
  }
}
