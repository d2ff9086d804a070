/**
 * Builds a release: an OCI image index in a layout, with one manifest per platform and the list of
 * files of each bundle. The index's digest is what gets signed, and it covers every byte below it.
 * The same input gives the same digest on any machine with the same zstd.
 */
import { parseAnyJson } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import type { FileEntry, FileList, FileListRefusal } from './bundle/file-list.ts'
import {
  encodeFileList,
  fileListBytesMax,
  fileListMediaType,
  parseFileList,
  parseFileListManifest,
} from './bundle/file-list.ts'
import {
  computeBundleContents,
  requireBundleManifest,
  requireSameFiles,
} from './bundle/contents.ts'
import { requireRunnableEntries } from './bundle/manifest.ts'
import type { DroppedMode } from './bundle/pack.ts'
import { bundleEncoder, packBundle } from './bundle/pack.ts'
import type { ContentSource } from './content.ts'
import { copyContent, putBytes } from './content.ts'
import type { Digest } from './digests.ts'
import { collectVerified, verifyBytes } from './digests.ts'
import type { ImageLayout } from './layout.ts'
import type { Descriptor, EncodedManifest, Manifest } from './manifests.ts'
import {
  emptyBytes,
  encodeManifest,
  formatPlatform,
  mediaTypes,
  parseManifest,
  parsePlatformName,
} from './manifests.ts'
import { buildOsImage, osImageArtifactType } from './os-image.ts'
import type { BundleDescriber, BundleDocument } from './release-documents.ts'
import { putDocument } from './release-documents.ts'
import type { ReleaseIndexRefusal } from './release-index.ts'
import {
  bundleArtifactType,
  parseBundleManifest,
  releaseAnnotations,
  releaseArtifactType,
  releaseMalformed,
  requireDocument,
  requireFewPlatforms,
} from './release-index.ts'

export type ReleaseBuildRefusal =
  | 'platform_name'
  | 'platform_twice'
  | 'platform_absent'
  | 'no_platform'
  | ReleaseIndexRefusal

/**
 * A folder becomes a bundle; files become an operating system image, as they are; content elsewhere
 * (an image, or an index that has one for the platform) is taken over as it is.
 */
export type PlatformSource =
  | { kind: 'folder'; path: string }
  | { kind: 'files'; paths: readonly string[] }
  | { kind: 'content'; source: ContentSource; digest: Digest }

export interface ReleasePlatform {
  readonly platform: string
  readonly source: PlatformSource
  /** Documents about it that somebody else has made, stored as they are. */
  readonly handedOver?: readonly BundleDocument[]
}

export interface BuildReleaseOptions {
  product: string
  version: string
  platforms: readonly ReleasePlatform[]
  /** The layout that gets the release, under its version as name. */
  layout: ImageLayout
  /** Makes what a bundle's files are described by; one for each bundle. */
  createDescriber?: () => BundleDescriber
  onProgress?: (event: { platform: string; bytes: number }) => void
}

export interface BuiltRelease {
  /** Descriptor of the index: digest and size are what the target in the channel's role says. */
  descriptor: Descriptor
  bytes: Uint8Array
  platforms: readonly string[]
  /** Modes in the given folders that a bundle does not carry. */
  dropped: readonly (DroppedMode & { platform: string })[]
}

/**
 * Throws `Refusal<ReleaseRefusal | PackRefusal | OsImageRefusal>` and what `copyContent` throws.
 */
export async function buildRelease(options: BuildReleaseOptions): Promise<BuiltRelease> {
  const { layout, product, version } = options
  const platforms = options.platforms.toSorted((a, b) => (a.platform < b.platform ? -1 : 1))
  const names = platforms.map(({ platform }) => platform)
  if (names.length === 0)
    throw new Refusal<ReleaseBuildRefusal>('no_platform', 'no platform is given')
  requireFewPlatforms(names.length)
  if (new Set(names).size < names.length) {
    throw new Refusal<ReleaseBuildRefusal>('platform_twice', 'a platform is given twice')
  }
  await putBytes(layout, emptyBytes, mediaTypes.empty)
  const images: Descriptor[] = []
  const artifacts: Descriptor[] = []
  const dropped: BuiltRelease['dropped'][number][] = []
  for (const { platform: name, source, handedOver = [] } of platforms) {
    const onProgress = (bytes: number) => options.onProgress?.({ platform: name, bytes })
    const platform = readPlatform(name)
    const describer = options.createDescriber?.()
    const file = ({ image, documents }: DescribedBundle) => {
      images.push({ ...image, platform })
      const annotations = { [releaseAnnotations.platform]: name }
      for (const { descriptor } of documents) artifacts.push({ ...descriptor, annotations })
    }
    if (source.kind === 'folder') {
      const built = await buildBundle(layout, source.path, name, { describer, onProgress })
      file(built)
      for (const one of built.dropped) dropped.push({ ...one, platform: name })
    } else if (source.kind === 'files') {
      const annotations = { [releaseAnnotations.platform]: name }
      const image = await buildOsImage(layout, source.paths, annotations, onProgress)
      await putManifest(layout, image)
      images.push({ ...image.descriptor, platform })
    } else {
      file(await copyPlatform(layout, source, name, { describer, onProgress }))
    }
    const annotations = { [releaseAnnotations.platform]: name }
    for (const document of handedOver) {
      const { descriptor } = await putDocument(layout, name, images.at(-1)!, document)
      artifacts.push({ ...descriptor, annotations })
    }
  }
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    artifactType: releaseArtifactType,
    manifests: [...images, ...artifacts],
    annotations: {
      [releaseAnnotations.product]: product,
      [releaseAnnotations.version]: version,
    },
  })
  await putManifest(layout, index)
  await layout.writeIndex([{ descriptor: index.descriptor, name: version }])
  return { descriptor: index.descriptor, bytes: index.bytes, platforms: names, dropped }
}

function readPlatform(name: string) {
  try {
    return parsePlatformName(name)
  } catch (cause) {
    throw new Refusal<ReleaseBuildRefusal>('platform_name', `${name} is no platform`, { cause })
  }
}

async function putManifest(
  layout: ImageLayout,
  { bytes, descriptor }: EncodedManifest,
): Promise<void> {
  await layout.putManifest({ bytes, mediaType: descriptor.mediaType, digest: descriptor.digest })
}

interface DescribedBundle {
  readonly image: Descriptor
  /** Its file list, and what a describer made. */
  readonly documents: readonly EncodedManifest[]
}

interface Watchers {
  readonly describer: BundleDescriber | undefined
  readonly onProgress: (bytes: number) => void
}

async function buildBundle(
  layout: ImageLayout,
  folder: string,
  platform: string,
  { describer, onProgress }: Watchers,
): Promise<DescribedBundle & { readonly dropped: readonly DroppedMode[] }> {
  let packed: Awaited<ReturnType<typeof packBundle>> | undefined
  const bundle = await layout.putStream(async (write) => {
    const take = async (piece: Uint8Array) => {
      await write(piece)
      onProgress(piece.length)
    }
    packed = await packBundle(folder, take, { watch: describer?.files })
  })
  const { tarBytes, files, dropped } = packed!
  const config = await putBytes(layout, emptyBytes, mediaTypes.empty)
  const image = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: bundleArtifactType,
    config,
    layers: [{ mediaType: mediaTypes.layerTarZstd, ...bundle }],
    annotations: {
      [releaseAnnotations.platform]: platform,
      [releaseAnnotations.encoder]: bundleEncoder,
      [releaseAnnotations.unpackedSize]: String(tarBytes),
    },
  })
  await putManifest(layout, image)
  const documents = await putDocuments(layout, platform, image.descriptor, { files, describer })
  return { image: image.descriptor, documents, dropped }
}

/** Stores the list of a bundle's files, and what the describer made of them. */
async function putDocuments(
  layout: ImageLayout,
  platform: string,
  bundle: Descriptor,
  { files, describer }: { files: FileList; describer: BundleDescriber | undefined },
): Promise<EncodedManifest[]> {
  const documents = [
    { mediaType: fileListMediaType, bytes: encodeFileList(files) },
    ...(describer?.describe(platform, bundle) ?? []),
  ]
  const manifests: EncodedManifest[] = []
  for (const document of documents) {
    manifests.push(await putDocument(layout, platform, bundle, document))
  }
  return manifests
}

/** Takes over an image; of an index only the platform's. */
async function copyPlatform(
  layout: ImageLayout,
  { source, digest }: PlatformSource & { kind: 'content' },
  platform: string,
  { describer, onProgress }: Watchers,
): Promise<DescribedBundle> {
  let wanted = digest
  const top = await source.readManifest(digest)
  verifyBytes(top.bytes, { digest, size: top.bytes.length })
  const manifest = parseManifest(top.bytes, top.mediaType)
  if (manifest.kind === 'index') {
    const found = manifest.manifests.find(
      (m) => m.platform && formatPlatform(m.platform) === platform,
    )
    if (!found) {
      throw new Refusal<ReleaseBuildRefusal>(
        'platform_absent',
        `the index has nothing for ${platform}`,
      )
    }
    wanted = found.digest
  }
  await requireUsable(source, wanted, platform)
  const image = await copyContent({ source, target: layout, digest: wanted, onProgress })
  const { bytes } = await layout.readManifest(wanted)
  const descriptor: Descriptor = {
    mediaType: image.mediaType,
    digest: wanted,
    size: bytes.length,
  }
  if (image.artifactType !== undefined) descriptor.artifactType = image.artifactType
  if (image.artifactType !== bundleArtifactType) return { image: descriptor, documents: [] }
  const list = await findHandedList(source, manifest, platform)
  const documents = await listHandedBundle(layout, platform, descriptor, { bytes, list, describer })
  return { image: descriptor, documents }
}

/** Kinds of configuration that an image of a container has. */
const imageConfigs: readonly string[] = [
  mediaTypes.config,
  'application/vnd.docker.container.image.v1+json',
]

/**
 * Refuses, before it is copied, what no device could use: artifacts of other programs such as
 * charts and signatures, and images of another platform. Throws `Refusal<ReleaseBuildRefusal>`.
 */
async function requireUsable(
  source: ContentSource,
  digest: Digest,
  platform: string,
): Promise<void> {
  const { bytes, mediaType } = await source.readManifest(digest)
  verifyBytes(bytes, { digest, size: bytes.length })
  const manifest = parseManifest(bytes, mediaType)
  if (manifest.kind !== 'manifest') {
    throw releaseMalformed(`what is given for ${platform} is an index within an index`)
  }
  const { artifactType, config, layers } = manifest
  if (artifactType === bundleArtifactType || artifactType === osImageArtifactType) return
  const foreign =
    artifactType ?? (imageConfigs.includes(config.mediaType) ? undefined : config.mediaType)
  if (foreign !== undefined) {
    throw releaseMalformed(
      `what is given for ${platform} is neither a bundle nor an image, but ${JSON.stringify(foreign.slice(0, 128))}`,
    )
  }
  if (layers.length === 0) throw releaseMalformed(`the image for ${platform} is empty`)
  const named = await readImagePlatform(source, config)
  if (named !== undefined && named !== platform.split('/').slice(0, 2).join('/')) {
    throw releaseMalformed(`the image for ${platform} says itself that it is for ${named}`)
  }
}

/** A configuration is a few kilobytes. */
const configBytesMax = 1024 * 1024

/** The platform that an image's configuration names, where it names one. */
async function readImagePlatform(
  source: ContentSource,
  config: Descriptor,
): Promise<string | undefined> {
  if (config.size > configBytesMax)
    throw releaseMalformed('the configuration of an image is too long')
  let value: unknown
  try {
    value = parseAnyJson(await collectVerified(source.readBlob(config), config))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) {
      throw releaseMalformed('the configuration of an image is not JSON')
    }
    throw error
  }
  const { os, architecture } = (value ?? {}) as { os?: unknown; architecture?: unknown }
  return typeof os === 'string' && typeof architecture === 'string'
    ? `${os}/${architecture}`.slice(0, 64)
    : undefined
}

/** The list that came beside handed-over content. */
async function findHandedList(
  source: ContentSource,
  top: Manifest,
  platform: string,
): Promise<Descriptor | undefined> {
  const artifact =
    top.kind === 'index'
      ? top.manifests.find(
          ({ artifactType, annotations }) =>
            artifactType === fileListMediaType &&
            annotations?.[releaseAnnotations.platform] === platform,
        )
      : undefined
  if (artifact === undefined) return undefined
  const { bytes } = await source.readManifest(artifact.digest)
  verifyBytes(bytes, artifact)
  return parseFileListManifest(bytes).list
}

/**
 * The list of a bundle that was packed elsewhere is computed from its layer; one that came along
 * must be the same.
 */
async function listHandedBundle(
  layout: ImageLayout,
  platform: string,
  image: Descriptor,
  handed: {
    bytes: Uint8Array
    list: Descriptor | undefined
    describer: BundleDescriber | undefined
  },
): Promise<EncodedManifest[]> {
  requireDocument(image, `the manifest of the bundle for ${platform}`)
  const { layer, manifest } = parseBundleManifest(handed.bytes)
  const named = manifest.annotations?.[releaseAnnotations.platform]
  if (named !== undefined && named !== platform) {
    throw releaseMalformed(
      `the bundle for ${platform} calls itself one for ${JSON.stringify(named)}`,
    )
  }
  const entries: FileEntry[] = []
  const computed = await computeBundleContents({
    source: layout.readBlob(layer),
    expected: layer,
    onEntry: (entry) => void entries.push(entry),
    watch: handed.describer?.files,
  })
  const unpackedBytes = manifest.annotations?.[releaseAnnotations.unpackedSize]
  requireSameFiles({ platform, list: handed.list ?? computed.list, unpackedBytes }, computed)
  requireBundleManifest(platform, computed)
  if (computed.manifest !== undefined) {
    requireRunnableEntries(computed.manifest, new Map(entries.map((entry) => [entry.path, entry])))
  }
  const { describer } = handed
  return await putDocuments(layout, platform, image, { files: { entries }, describer })
}

/**
 * The document of a file list, verified; `release-content.ts` checks whether it is what the bundle
 * holds. Throws `Refusal<FileListRefusal | ContentRefusal>`, `TrustError`.
 */
export async function readListDocument(source: ContentSource, list: Descriptor): Promise<FileList> {
  if (list.size > fileListBytesMax) {
    throw new Refusal<FileListRefusal>('file_list_too_large', 'the file list is too large')
  }
  return parseFileList(await collectVerified(source.readBlob(list), list))
}
