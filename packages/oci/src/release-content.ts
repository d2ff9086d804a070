/**
 * A release read from its content: what runs on each platform, and whether every document beside
 * the content says exactly what the content is. Until then, file lists, kinds, platforms and sizes
 * are only the builder's claims; a digest covers a lie as well as the truth.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { BundleContents } from './bundle/contents.ts'
import {
  computeBundleContents,
  requireBundleManifest,
  requireSameFiles,
} from './bundle/contents.ts'
import type { FileEntry, FileList, FileListRefusal } from './bundle/file-list.ts'
import { diffFileLists, parseFileListManifest } from './bundle/file-list.ts'
import type { BundleManifestRefusal } from './bundle/manifest.ts'
import type { UnpackRefusal } from './bundle/unpack.ts'
import type { ContentSource } from './content.ts'
import { digestHex, digestOf, verifyBytes } from './digests.ts'
import type { Descriptor, Manifest, ManifestRefusal } from './manifests.ts'
import { parseManifest } from './manifests.ts'
import type { OsImageRefusal } from './os-image.ts'
import { osImageArtifactType, parseOsImage } from './os-image.ts'
import { readListDocument } from './release.ts'
import type {
  ParseManifest,
  ReleaseContentRefusal,
  ReleaseIndex,
  ReleaseIndexRefusal,
} from './release-index.ts'
import {
  bundleArtifactType,
  parseBundleOf,
  parseRelease,
  releaseAnnotations,
  releaseMalformed,
  releaseMismatch,
  requireBoundedIndex,
  requireDocument,
} from './release-index.ts'
import type { FileSink, TarRefusal } from './tar/read.ts'

/**
 * Why content is refused when a release is admitted, signed or installed. A device gives the same
 * code.
 */
export type ReleaseFault =
  | ReleaseIndexRefusal
  | ReleaseContentRefusal
  | FileListRefusal
  | ManifestRefusal
  | OsImageRefusal
  | TarRefusal
  | UnpackRefusal
  /** Only the device refuses with `environment_missing`: only it knows its values. */
  | Exclude<BundleManifestRefusal, 'environment_missing'>

export type ContentKind = 'bundle' | 'container' | 'os-image'

/** Content that was not read yet: names, sizes and digests are what the manifests say. */
export interface BundlePlatform {
  kind: 'bundle'
  platform: string
  manifest: Descriptor
  layer: Descriptor
  /** The document that says what is in the layer. */
  list: Descriptor | undefined
  /** What the manifest says the unpacked archive has. */
  unpackedBytes: string | undefined
}

export interface ImagePlatform {
  kind: 'container' | 'os-image'
  platform: string
  manifest: Descriptor
  /** Everything the manifest names, with its file name where it has one. */
  parts: readonly { name: string | undefined; descriptor: Descriptor }[]
}

export interface ReleaseOutline {
  release: ReleaseIndex
  /** Length of the index in bytes. */
  length: number
  /** SHA-512 of the index, hexadecimal. */
  sha512: string
  kind: ContentKind
  /** The platforms in the order of their names. */
  platforms: readonly (BundlePlatform | ImagePlatform)[]
  /** The other entries of the index; no device looks at them. */
  others: readonly Descriptor[]
  /**
   * Why the file lists cannot be those of the bundles; `requireFileLists` refuses a release that
   * has any.
   */
  faults: readonly string[]
}

/**
 * Reads the index alone, verified, and bounded before anything below it is read. Throws as
 * `readReleaseOutline` does.
 */
export async function readReleaseIndex(
  source: ContentSource,
  digest: Descriptor['digest'],
): Promise<{ release: ReleaseIndex; bytes: Uint8Array }> {
  const { bytes } = await source.readManifest(digest)
  verifyBytes(bytes, { digest, size: bytes.length })
  const release = parseRelease(bytes)
  requireBoundedIndex(release)
  return { release, bytes }
}

/** Bytes of manifests that one reading of a release keeps for the next platform that names them. */
const keptBytesMax = 8 * 1024 * 1024

interface ManifestReader {
  /** The verified bytes; while they are kept, they are not read again. */
  readonly read: (expected: Descriptor) => Promise<Uint8Array>
  /** `parseManifest`, once for the same bytes. */
  readonly parse: ParseManifest
}

/** Reads and parses a manifest once, however many platforms name it. */
function createManifestReader(source: ContentSource): ManifestReader {
  const kept = new Map<string, Uint8Array>()
  let keptBytes = 0
  const parsed = new WeakMap<Uint8Array, Map<string, Manifest>>()
  return {
    async read(expected) {
      const known = kept.get(expected.digest)
      if (known?.length === expected.size) return known
      const { bytes } = await source.readManifest(expected.digest)
      verifyBytes(bytes, expected)
      if (keptBytes + bytes.length <= keptBytesMax) {
        kept.set(expected.digest, bytes)
        keptBytes += bytes.length
      }
      return bytes
    },
    parse(bytes, mediaType = '') {
      const known = parsed.get(bytes) ?? new Map<string, Manifest>()
      parsed.set(bytes, known)
      const manifest =
        known.get(mediaType) ?? parseManifest(bytes, mediaType === '' ? undefined : mediaType)
      known.set(mediaType, manifest)
      return manifest
    },
  }
}

/**
 * Reads index and manifests, verified; no layer. Throws `Refusal<ReleaseRefusal | ManifestRefusal |
 * ContentRefusal | OsImageRefusal>`, `TrustError`.
 */
export async function readReleaseOutline(
  source: ContentSource,
  digest: Descriptor['digest'],
): Promise<ReleaseOutline> {
  const { release, bytes } = await readReleaseIndex(source, digest)
  const manifests = createManifestReader(source)
  const faults = [...release.fileListFaults]
  const platforms: (BundlePlatform | ImagePlatform)[] = []
  for (const [platform, manifest] of [...release.platforms].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  )) {
    const found = await readPlatform(manifests, platform, manifest)
    if (found.kind === 'bundle') {
      const list = await findList(manifests, release, found)
      if (typeof list === 'string') faults.push(list)
      else found.list = list
    } else if (release.fileLists.has(platform)) {
      faults.push(`${platform} has a file list, but is no bundle`)
    }
    platforms.push(found)
  }
  const kinds = new Set(platforms.map(({ kind }) => kind))
  const [kind] = kinds
  if (kind === undefined || kinds.size > 1) {
    throw releaseMalformed('the index holds no platform, or platforms of different kinds')
  }
  const used = new Set([...release.platforms.values(), ...release.fileLists.values()])
  const others = release.index.manifests.filter((descriptor) => !used.has(descriptor))
  const sha512 = digestHex(digestOf(bytes, 'sha512'))
  return { release, length: bytes.length, sha512, kind, platforms, others, faults }
}

async function readPlatform(
  { read, parse }: ManifestReader,
  platform: string,
  manifest: Descriptor,
): Promise<BundlePlatform | ImagePlatform> {
  if (manifest.artifactType === bundleArtifactType) {
    requireDocument(manifest, `the manifest of the bundle for ${platform}`)
  }
  const bytes = await read(manifest)
  const parsed = parse(bytes, manifest.mediaType)
  const { artifactType, annotations } = parsed
  // Devices choose by what the index says of it, and read what the manifest says itself.
  if (manifest.artifactType !== undefined && manifest.artifactType !== artifactType) {
    const isOurs = [manifest.artifactType, artifactType].some(
      (type) => type === bundleArtifactType || type === osImageArtifactType,
    )
    if (isOurs) throw releaseMismatch(`the index calls ${platform} something else than it is`)
  }
  if (artifactType === bundleArtifactType) {
    const { layer } = parseBundleOf(platform, manifest, bytes, parse)
    const named = annotations?.[releaseAnnotations.platform]
    if (named !== undefined && named !== platform) {
      throw releaseMalformed(
        `the bundle of ${platform} calls itself one for ${JSON.stringify(named)}`,
      )
    }
    const unpackedBytes = annotations?.[releaseAnnotations.unpackedSize]
    return { kind: 'bundle', platform, manifest, layer, list: undefined, unpackedBytes }
  }
  if (artifactType === osImageArtifactType) {
    const parts = parseOsImage(bytes, parse)
    return { kind: 'os-image', platform, manifest, parts }
  }
  if (artifactType !== undefined) {
    throw releaseMalformed(`${platform} is neither a bundle nor an image`)
  }
  if (parsed.kind === 'index') throw releaseMalformed(`${platform} is an index within the index`)
  const parts = [parsed.config, ...parsed.layers].map((descriptor) => ({
    name: undefined,
    descriptor,
  }))
  return { kind: 'container', platform, manifest, parts }
}

/** The document of a bundle's file list, or what is wrong with it. */
async function findList(
  { read, parse }: ManifestReader,
  release: ReleaseIndex,
  { platform, manifest }: BundlePlatform,
): Promise<Descriptor | string> {
  const artifact = release.fileLists.get(platform)
  if (artifact === undefined) return `the bundle of ${platform} has no file list`
  requireDocument(artifact, `the manifest of the file list of ${platform}`)
  const bytes = await read(artifact)
  try {
    const { list, subject } = parseFileListManifest(bytes, parse)
    if (subject === undefined || subject.digest === manifest.digest) return list
    return `the file list of ${platform} is that of another bundle`
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return `the file list of ${platform} is none: ${error.message}`
  }
}

const faultsShownMax = 10

/**
 * Throws `file_list_mismatch` unless every bundle has exactly one file list and no other list is
 * there. Their content is for `requireSameFiles`.
 */
export function requireFileLists({ faults }: ReleaseOutline): void {
  if (faults.length === 0) return
  const more = faults.length - faultsShownMax
  throw new Refusal<FileListRefusal>(
    'file_list_mismatch',
    `${faults.slice(0, faultsShownMax).join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
  )
}

/**
 * The files of a bundle, computed from its layer, and shown to `watch`. Throws what
 * `computeBundleContents` and the source throw.
 */
export async function computeBundleFiles(
  source: ContentSource,
  { layer }: BundlePlatform,
  { onBytes, watch }: { onBytes?: (bytes: number) => void; watch?: FileSink } = {},
): Promise<BundleContents & { files: FileList }> {
  const entries: FileEntry[] = []
  const contents = await computeBundleContents({
    source: counted(source.readBlob(layer), onBytes),
    expected: layer,
    onEntry: (entry) => void entries.push(entry),
    watch,
  })
  return { ...contents, files: { entries } }
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  onBytes: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    onBytes?.(piece.length)
    yield piece
  }
}

/**
 * The first difference between a list and the content, for people; `undefined` when the list cannot
 * be read.
 */
export async function describeListLie(
  source: ContentSource,
  list: Descriptor,
  computed: FileList,
): Promise<string | undefined> {
  let listed: FileList
  try {
    listed = await readListDocument(source, list)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return error.message
  }
  const { added, removed, changed } = diffFileLists(listed, computed)
  const count = added.length + removed.length + changed.length
  const more = count > 1 ? `, and ${count - 1} more` : ''
  if (changed[0] !== undefined) {
    const { before, after } = changed[0]
    return `it says ${describeBriefly(before)}, the layer holds ${describeBriefly(after)}${more}`
  }
  if (added[0] !== undefined) return `the layer holds ${describeBriefly(added[0])} besides${more}`
  if (removed[0] !== undefined) {
    return `it says ${describeBriefly(removed[0])}, which the layer does not hold${more}`
  }
  return 'it is not in the one form of a file list'
}

function describeBriefly(entry: FileEntry): string {
  const path = JSON.stringify(entry.path)
  switch (entry.type) {
    case 'file':
      return `${path} with ${entry.size} bytes, mode ${entry.mode}, SHA-256 ${entry.sha256.slice(0, 12)}…`
    case 'directory':
      return `the folder ${path}`
    case 'symlink':
      return `the link ${path} to ${JSON.stringify(entry.target)}`
  }
}

/**
 * Verifies a release before it is admitted: everything that the manifests and lists say is exactly
 * what the layers hold, and devices can follow it. Bundles are read to their ends; images of other
 * kinds have nothing beside them that could say otherwise. Throws what `readReleaseOutline` and
 * `computeBundleContents` throw, `file_list_mismatch`, and `manifest_malformed`.
 */
export async function verifyReleaseContent(
  source: ContentSource,
  outline: ReleaseOutline,
): Promise<void> {
  requireFileLists(outline)
  const known = new Map<string, BundleContents>()
  for (const platform of outline.platforms) {
    if (platform.kind !== 'bundle') continue
    const { layer } = platform
    // A device asks for as many bytes as its own manifest says, whatever another one says of the
    // same layer.
    const key = `${layer.digest} ${layer.size}`
    const computed =
      known.get(key) ??
      (await computeBundleContents({ source: source.readBlob(layer), expected: layer }))
    known.set(key, computed)
    requireSameFiles(platform, computed)
    requireBundleManifest(platform.platform, computed)
  }
}

/** The claims about a release that a channel's keys are asked to sign. */
export interface ReleaseClaims {
  product: string
  version: string
  kind: string
  platforms: readonly string[]
  length: number
  sha512: string
}

/** What index and manifests say. */
export function claimsOf({
  release,
  kind,
  length,
  sha512,
}: ReleaseOutline): ReleaseClaims & { kind: ContentKind } {
  const { product, version, platforms } = release
  return { product, version, kind, platforms: [...platforms.keys()].toSorted(), length, sha512 }
}

/** Throws `release_mismatch` unless the claims are exactly what index and manifests say. */
export function requireClaims(outline: ReleaseOutline, claims: ReleaseClaims): void {
  requireSameClaims(claimsOf(outline), claims)
}

/** Does the same for content that was read before. */
export function requireSameClaims(content: ReleaseClaims, claims: ReleaseClaims): void {
  const [found, claimed] = [textOf(content), textOf(claims)]
  for (const name of Object.keys(found) as (keyof typeof found)[]) {
    if (claimed[name] === found[name]) continue
    throw releaseMismatch(
      `what is to be signed says ${name} ${JSON.stringify(claimed[name])}, but the content says ${JSON.stringify(found[name])}`,
    )
  }
}

function textOf({ product, version, kind, platforms, length, sha512 }: ReleaseClaims) {
  const sorted = platforms.toSorted().join(' ')
  return { product, version, kind, platforms: sorted, length: String(length), sha512 }
}
