/** What lies below a release's OCI index in the store: read from the content itself, never from a list beside it. */
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { Digest } from '@seaworthy/oci/digests'
import type { ImageIndex, Manifest } from '@seaworthy/oci/manifests'
import { formatPlatform, manifestChildren, parseManifest } from '@seaworthy/oci/manifests'
import type { RegistryStore } from '@seaworthy/oci/store'
import { requireClosure } from '@seaworthy/oci/store/collect'
import { Refusal } from '@seaworthy/std/refusal'

export type ReleaseKind = 'bundle' | 'container' | 'os-image'

export interface ReleaseContent {
  readonly kind: ReleaseKind
  /** Of the index, in bytes. */
  readonly length: number
  /** Of everything below the index together, in bytes. */
  readonly totalBytes: number
  readonly platforms: readonly { platform: string; digest: string; bytes: number }[]
}

const releaseType = 'application/vnd.seaworthy.release.v1+json'
const kindTypes: Readonly<Record<string, ReleaseKind>> = {
  'application/vnd.seaworthy.bundle.v1+json': 'bundle',
  'application/vnd.seaworthy.os-image.v1+json': 'os-image',
}

/** Throws `release_content_missing` unless the index and everything below it are in the product's repository. */
export async function requireContent(
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

/** Throws `release_content_missing` or `release_malformed`. */
export async function describeContent(
  store: RegistryStore,
  release: { product: string; version: string; digest: Digest },
): Promise<ReleaseContent> {
  const { product, version, digest } = release
  await requireContent(store, product, digest)
  const stored = await store.getManifest(product, digest)
  if (stored === undefined) throw malformed('the index is gone')
  const index = parseManifest(stored.bytes, stored.mediaType)
  if (index.kind !== 'index' || index.artifactType !== releaseType) {
    throw malformed(`the digest is not of an image index with artifactType ${releaseType}`)
  }
  if (
    index.annotations?.['dev.seaworthy.product'] !== product ||
    index.annotations['dev.seaworthy.version'] !== version
  ) {
    throw malformed('the index is annotated with another product or version')
  }
  return summarize(store, product, index, stored.bytes.length)
}

async function summarize(
  store: RegistryStore,
  product: string,
  index: ImageIndex,
  length: number,
): Promise<ReleaseContent> {
  const platforms: { platform: string; digest: string; bytes: number }[] = []
  const kinds = new Set<ReleaseKind>()
  let totalBytes = 0
  for (const child of index.manifests) {
    const manifest = await readManifest(store, product, child.digest)
    const bytes = child.size + manifestChildren(manifest).reduce((sum, { size }) => sum + size, 0)
    totalBytes += bytes
    // Descriptions such as file lists have their own type; what runs is a bundle, an OS image or a plain image.
    const kind =
      manifest.artifactType === undefined ? 'container' : kindTypes[manifest.artifactType]
    if (child.platform === undefined || kind === undefined) continue
    kinds.add(kind)
    platforms.push({ platform: formatPlatform(child.platform), digest: child.digest, bytes })
  }
  const [kind, ...others] = kinds
  if (kind === undefined || others.length > 0) {
    throw malformed('the index holds no platform, or platforms of different kinds')
  }
  if (new Set(platforms.map(({ platform }) => platform)).size !== platforms.length) {
    throw malformed('the index names a platform twice')
  }
  return { kind, length, totalBytes, platforms }
}

async function readManifest(
  store: RegistryStore,
  product: string,
  digest: Digest,
): Promise<Manifest> {
  const stored = await store.getManifest(product, digest)
  if (stored === undefined) throw malformed(`${digest} is gone`)
  return parseManifest(stored.bytes, stored.mediaType)
}

function malformed(publicMessage: string): Refusal<ReleaseRefusal> {
  return new Refusal<ReleaseRefusal>('release_malformed', publicMessage)
}
