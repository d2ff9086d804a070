/** What lies below a release's OCI index in the store: read from the content itself, never from a list beside it. */
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { ContentSource } from '@seaworthy/oci/content'
import { storeContent } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import type { ImageIndex } from '@seaworthy/oci/manifests'
import { manifestChildren, parseManifest } from '@seaworthy/oci/manifests'
import type { ReleaseFault, ReleaseKind, ReleaseOutline } from '@seaworthy/oci/release-content'
import {
  readReleaseOutline,
  requireClaims,
  verifyReleaseContent,
} from '@seaworthy/oci/release-content'
import type { RegistryStore } from '@seaworthy/oci/store'
import { requireClosure } from '@seaworthy/oci/store/collect'
import { Refusal } from '@seaworthy/std/refusal'
import type { Release as SignedRelease } from '@seaworthy/trust/tuf'
import type { App, ContentVerdict } from '../app.ts'
import { callerLeft } from './content-checks.ts'

export interface ReleaseContent {
  readonly kind: ReleaseKind
  /** Of the index, in bytes. */
  readonly length: number
  /** Of everything below the index together, in bytes. */
  readonly totalBytes: number
  readonly platforms: readonly { platform: string; digest: string; bytes: number }[]
}

/** Throws `release_content_missing` unless the index and everything below it are in the product's repository. */
async function requireContent(
  store: RegistryStore,
  product: string,
  digest: Digest,
): Promise<void> {
  try {
    await requireClosure(store, product, digest)
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new Refusal<ReleaseRefusal>('release_content_missing', cause.message, { cause })
  }
}

/** Throws `release_content_missing`, and `Refusal<ReleaseFault>`. */
export async function describeContent(
  app: ContentDeps,
  wanted: { product: string; version: string; digest: Digest },
  leaving?: AbortSignal,
): Promise<ReleaseContent> {
  const { product, version, digest } = wanted
  await requireContent(app.store, product, digest)
  const outline = await verifyContent(app, product, digest, leaving)
  const { release, kind, length } = outline
  if (release.product !== product || release.version !== version) {
    throw new Refusal<ReleaseFault>(
      'release_mismatch',
      `the index names ${release.product} ${release.version}, and ${product} ${version} is to be registered: push it as what it is`,
    )
  }
  const { totalBytes, byDigest } = await countBytes(app.store, product, release.index)
  const platforms = outline.platforms.map(({ platform, manifest: { digest: child } }) => ({
    platform,
    digest: child,
    bytes: byDigest.get(child)!,
  }))
  return { kind, length, totalBytes, platforms }
}

/** Bytes below each manifest of an index, and of all of them. */
async function countBytes(store: RegistryStore, product: string, index: ImageIndex) {
  const byDigest = new Map<Digest, number>()
  let totalBytes = 0
  for (const child of index.manifests) {
    const stored = await store.getManifest(product, child.digest)
    if (stored === undefined) throw malformed(`${child.digest} is gone`)
    const children = manifestChildren(parseManifest(stored.bytes, stored.mediaType))
    const bytes = children.reduce((sum, { size }) => sum + size, child.size)
    byDigest.set(child.digest, bytes)
    totalBytes += bytes
  }
  return { totalBytes, byDigest }
}

/**
 * What a proposal asks signatures for is what the content is. Throws `release_content_missing`, and `Refusal<ReleaseFault>`.
 */
export async function verifyClaims(
  app: ContentDeps,
  release: SignedRelease,
  leaving?: AbortSignal,
): Promise<void> {
  const digest = `sha256:${release.sha256}` as const
  await requireContent(app.store, release.product, digest)
  requireClaims(await verifyContent(app, release.product, digest, leaving), release)
}

type ContentDeps = Pick<App, 'store' | 'contentChecks'>

/** Reads every bundle of a release once in the life of a worker. */
async function verifyContent(
  { store, contentChecks }: ContentDeps,
  product: string,
  digest: Digest,
  leaving: AbortSignal | undefined,
): Promise<ReleaseOutline> {
  const source = storeContent(store, product)
  try {
    const outline = await readReleaseOutline(source, digest)
    const read = (signal: AbortSignal) => judgeContent(untilLeft(source, signal), outline)
    await contentChecks.check({ product, digest }, read, leaving)
    return outline
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    if (isFaultOfStore(cause)) {
      throw new Refusal<ReleaseRefusal>('release_content_missing', cause.message, { cause })
    }
    throw cause
  }
}

/** What the content deserves; throws what says nothing about it. */
async function judgeContent(
  source: ContentSource,
  outline: ReleaseOutline,
): Promise<ContentVerdict> {
  try {
    await verifyReleaseContent(source, outline)
    return 'good'
  } catch (error) {
    if (!(error instanceof Refusal) || isFaultOfStore(error) || error.code === 'caller_left') {
      throw error
    }
    return error as Refusal<ReleaseFault>
  }
}

function isFaultOfStore({ code }: Refusal): boolean {
  return code === 'content_missing' || code === 'content_damaged'
}

/** The same source, which stops in the middle when nobody waits for it any more. */
function untilLeft(source: ContentSource, signal: AbortSignal): ContentSource {
  return {
    readManifest: (digest) => source.readManifest(digest),
    async *readBlob(expected) {
      for await (const piece of source.readBlob(expected)) {
        if (signal.aborted) throw callerLeft()
        yield piece
      }
    },
  }
}

function malformed(publicMessage: string): Refusal<ReleaseFault> {
  return new Refusal<ReleaseFault>('release_malformed', publicMessage)
}
