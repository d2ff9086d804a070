/**
 * The documents of a release, read from bytes that were verified. Devices read a release by these
 * functions, and so do all programs that admit, sign or check one: what a device would refuse for
 * good is refused by the same code before anybody signs it.
 */
import { refusalAs } from '@seaworthy/std/refusal'
import { platformAnnotation, sortFileLists } from './bundle/file-list.ts'
import { digestAlgorithm } from './digests.ts'
import type { Descriptor, ImageIndex, Manifest } from './manifests.ts'
import {
  formatPlatform,
  isPlatformName,
  manifestSizeMax,
  mediaTypes,
  parseManifest,
} from './manifests.ts'

export const releaseArtifactType = 'application/vnd.seaworthy.release.v1+json'
export const bundleArtifactType = 'application/vnd.seaworthy.bundle.v1+json'
export const releaseAnnotations = {
  product: 'dev.seaworthy.product',
  version: 'dev.seaworthy.version',
  platform: platformAnnotation,
  encoder: 'dev.seaworthy.bundle.encoder',
  unpackedSize: 'dev.seaworthy.bundle.unpacked-size',
} as const

/** The most platforms, more than anybody builds for: each is read, listed and signed. */
export const platformsMax = 64
/**
 * The most entries of an index: a bundle, its file list and its documents for each platform, and as
 * many others.
 */
const entriesMax = 8 * platformsMax

export type ReleaseIndexRefusal = 'release_malformed'

/** The signed facts about a release, its index and its manifests do not all say the same. */
export type ReleaseContentRefusal = 'release_mismatch'

export const releaseMalformed = refusalAs<ReleaseIndexRefusal>('release_malformed')
export const releaseMismatch = refusalAs<ReleaseContentRefusal>('release_mismatch')

/**
 * Throws `release_malformed` for content that no device asks for: a device knows content only by
 * its SHA-256 digest.
 */
function requireSha256({ digest }: Pick<Descriptor, 'digest'>, what: string): void {
  if (digestAlgorithm(digest) === 'sha256') return
  throw releaseMalformed(
    `${what} is named by a SHA-512 digest, and devices take content of a bundle by SHA-256 digests alone: name it by its sha256 digest`,
  )
}

/**
 * Throws `release_malformed` unless devices can ask for this manifest of a bundle or of its file
 * list.
 */
export function requireDocument(
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  what: string,
): void {
  requireSha256(descriptor, what)
  if (descriptor.size <= manifestSizeMax) return
  throw releaseMalformed(`${what} has ${descriptor.size} bytes, and devices read at most 4 MiB`)
}

/** Throws `release_malformed` for more platforms than a release may have. */
export function requireFewPlatforms(count: number): void {
  if (count <= platformsMax) return
  throw releaseMalformed(
    `the release is for ${count} platforms, and at most ${platformsMax} are accepted: make several releases of it`,
  )
}

/**
 * Throws `release_malformed` for an index that takes too long to follow. Whoever admits or signs a
 * release asks for it; a device follows one entry alone.
 */
export function requireBoundedIndex({ platforms, index }: ReleaseIndex): void {
  requireFewPlatforms(platforms.size)
  if (index.manifests.length <= entriesMax) return
  throw releaseMalformed(
    `the index has ${index.manifests.length} entries, and at most ${entriesMax} are accepted`,
  )
}

export interface ReleaseIndex {
  product: string
  version: string
  index: ImageIndex
  /** One manifest per platform, by the platform's name. */
  platforms: ReadonlyMap<string, Descriptor>
  /** The file list artifacts, by the platform of the release that each is filed under. */
  fileLists: ReadonlyMap<string, Descriptor>
  /**
   * Why each other file list artifact is not in `fileLists`. A release that is to be signed or
   * installed has no such artifact.
   */
  fileListFaults: readonly string[]
}

/**
 * Reads a release's index, whose bytes must have been verified. Throws `Refusal<ReleaseIndexRefusal
 * | ManifestRefusal>`.
 */
export function parseRelease(bytes: Uint8Array): ReleaseIndex {
  const index = parseManifest(bytes, mediaTypes.index)
  const product = index.annotations?.[releaseAnnotations.product]
  const version = index.annotations?.[releaseAnnotations.version]
  if (
    index.kind !== 'index' ||
    index.artifactType !== releaseArtifactType ||
    product === undefined ||
    version === undefined
  ) {
    throw releaseMalformed('the index is not one of a release')
  }
  const platforms = new Map<string, Descriptor>()
  for (const descriptor of index.manifests) {
    if (descriptor.platform === undefined) continue
    const name = formatPlatform(descriptor.platform)
    if (!isPlatformName(name)) {
      throw releaseMalformed(`${JSON.stringify(name.slice(0, 200))} is no platform`)
    }
    if (platforms.has(name)) {
      throw releaseMalformed(`two manifests for ${name}`)
    }
    platforms.set(name, descriptor)
  }
  return { product, version, index, platforms, ...sortFileLists(index, new Set(platforms.keys())) }
}

/** `parseManifest`, or what remembers its results. */
export type ParseManifest = typeof parseManifest

/**
 * The one layer of a bundle's manifest, whose bytes must have been verified. Throws
 * `Refusal<ReleaseIndexRefusal | ManifestRefusal>`.
 */
export function parseBundleManifest(
  bytes: Uint8Array,
  parse: ParseManifest = parseManifest,
): { layer: Descriptor; manifest: Manifest } {
  const manifest = parse(bytes, mediaTypes.manifest)
  const layer = manifest.kind === 'manifest' ? manifest.layers[0] : undefined
  if (
    manifest.kind !== 'manifest' ||
    manifest.artifactType !== bundleArtifactType ||
    manifest.layers.length !== 1 ||
    layer?.mediaType !== mediaTypes.layerTarZstd ||
    // A layer that lies elsewhere is in no copy of the release, and nobody would check it.
    layer.urls !== undefined
  ) {
    throw releaseMalformed('the manifest is not one of a bundle')
  }
  requireSha256(layer, 'the layer of the bundle')
  return { layer, manifest }
}

/**
 * The bundle of one platform: the index must call it one, and its manifest must be one. Throws
 * `Refusal<ReleaseIndexRefusal | ReleaseContentRefusal | ManifestRefusal>`.
 */
export function parseBundleOf(
  platform: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  parse: ParseManifest = parseManifest,
): { layer: Descriptor; manifest: Manifest } {
  const { artifactType } = parse(bytes, descriptor.mediaType)
  if (artifactType !== bundleArtifactType || descriptor.artifactType !== bundleArtifactType) {
    throw releaseMismatch(`the index calls ${platform} something else than it is`)
  }
  return parseBundleManifest(bytes, parse)
}
