/**
 * Builds a release: an OCI image index in a layout, with one manifest per platform and the list of files of each bundle. The index's digest is what gets signed, and it
 * covers every byte below it. The same input gives the same digest on any machine with the same zstd.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { FileList } from './bundle/file-list.ts'
import {
  encodeFileList,
  fileListBytesMax,
  fileListMediaType,
  parseFileList,
} from './bundle/file-list.ts'
import { bundleEncoder, packBundle } from './bundle/pack.ts'
import type { ContentSource } from './content.ts'
import { copyContent, missing, putBytes } from './content.ts'
import type { Digest } from './digests.ts'
import { verifyBytes, verifyStream } from './digests.ts'
import type { Layout } from './layout.ts'
import type { Descriptor, EncodedManifest, ImageIndex, Manifest } from './manifests.ts'
import {
  emptyBytes,
  encodeManifest,
  formatPlatform,
  mediaTypes,
  parseManifest,
  parsePlatformName,
} from './manifests.ts'
import { buildOsImage } from './os-image.ts'
import { concatBytes } from '@seaworthy/std/bytes'

export const releaseArtifactType = 'application/vnd.seaworthy.release.v1+json'
export const bundleArtifactType = 'application/vnd.seaworthy.bundle.v1+json'
export const releaseAnnotations = {
  product: 'dev.seaworthy.product',
  version: 'dev.seaworthy.version',
  platform: 'dev.seaworthy.platform',
  encoder: 'dev.seaworthy.bundle.encoder',
  unpackedSize: 'dev.seaworthy.bundle.unpacked-size',
} as const

export type ReleaseRefusal =
  | 'platform_name'
  | 'platform_twice'
  | 'platform_absent'
  | 'no_platform'
  | 'release_malformed'

/** A folder becomes a bundle; files become an operating system image, as they are; content elsewhere (an image, or an index that has one for the platform) is taken over as it is. */
export type PlatformSource =
  | { kind: 'folder'; path: string }
  | { kind: 'files'; paths: readonly string[] }
  | { kind: 'content'; source: ContentSource; digest: Digest }

export interface BuildReleaseOptions {
  product: string
  version: string
  platforms: readonly { platform: string; source: PlatformSource }[]
  /** Gets the release, under its version as name. */
  layout: Layout
  onProgress?: (event: { platform: string; bytes: number }) => void
}

export interface BuiltRelease {
  /** Of the index: digest and size are what the target in the channel's role says. */
  descriptor: Descriptor
  bytes: Uint8Array
  platforms: readonly string[]
}

/** Throws `Refusal<ReleaseRefusal | PackRefusal | OsImageRefusal>` and what `copyContent` throws. */
export async function buildRelease(options: BuildReleaseOptions): Promise<BuiltRelease> {
  const { layout, product, version } = options
  const platforms = options.platforms.toSorted((a, b) => (a.platform < b.platform ? -1 : 1))
  const names = platforms.map(({ platform }) => platform)
  if (names.length === 0) throw new Refusal<ReleaseRefusal>('no_platform', 'no platform is given')
  if (new Set(names).size < names.length) {
    throw new Refusal<ReleaseRefusal>('platform_twice', 'a platform is given twice')
  }
  await putBytes(layout, emptyBytes, mediaTypes.empty)
  const images: Descriptor[] = []
  const artifacts: Descriptor[] = []
  for (const { platform: name, source } of platforms) {
    const onProgress = (bytes: number) => options.onProgress?.({ platform: name, bytes })
    const platform = readPlatform(name)
    if (source.kind === 'folder') {
      const built = await buildBundle(layout, source.path, name, onProgress)
      images.push({ ...built.image.descriptor, platform })
      artifacts.push({
        ...built.files.descriptor,
        annotations: { [releaseAnnotations.platform]: name },
      })
    } else if (source.kind === 'files') {
      const annotations = { [releaseAnnotations.platform]: name }
      const image = await buildOsImage(layout, source.paths, annotations, onProgress)
      await putManifest(layout, image)
      images.push({ ...image.descriptor, platform })
    } else {
      images.push({ ...(await copyPlatform(layout, source, name, onProgress)), platform })
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
  return { descriptor: index.descriptor, bytes: index.bytes, platforms: names }
}

function readPlatform(name: string) {
  try {
    return parsePlatformName(name)
  } catch (cause) {
    throw new Refusal<ReleaseRefusal>('platform_name', `${name} is no platform`, { cause })
  }
}

async function putManifest(layout: Layout, { bytes, descriptor }: EncodedManifest): Promise<void> {
  await layout.putManifest({ bytes, mediaType: descriptor.mediaType, digest: descriptor.digest })
}

async function buildBundle(
  layout: Layout,
  folder: string,
  platform: string,
  onProgress: (bytes: number) => void,
): Promise<{ image: EncodedManifest; files: EncodedManifest }> {
  let packed: Awaited<ReturnType<typeof packBundle>> | undefined
  const bundle = await layout.putStream(async (write) => {
    packed = await packBundle(folder, async (piece) => {
      await write(piece)
      onProgress(piece.length)
    })
  })
  const { tarBytes, files } = packed!
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
  const list = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: fileListMediaType,
    config,
    layers: [await putBytes(layout, encodeFileList(files), fileListMediaType)],
    subject: image.descriptor,
    annotations: { [releaseAnnotations.platform]: platform },
  })
  await putManifest(layout, list)
  return { image, files: list }
}

/** Takes over an image; of an index only the platform's. */
async function copyPlatform(
  layout: Layout,
  { source, digest }: PlatformSource & { kind: 'content' },
  platform: string,
  onProgress: (bytes: number) => void,
): Promise<Descriptor> {
  let wanted = digest
  const top = await source.readManifest(digest)
  verifyBytes(top.bytes, { digest, size: top.bytes.length })
  const manifest = parseManifest(top.bytes, top.mediaType)
  if (manifest.kind === 'index') {
    const found = manifest.manifests.find(
      (m) => m.platform && formatPlatform(m.platform) === platform,
    )
    if (!found) {
      throw new Refusal<ReleaseRefusal>('platform_absent', `the index has nothing for ${platform}`)
    }
    wanted = found.digest
  }
  const image = await copyContent({ source, target: layout, digest: wanted, onProgress })
  const { bytes } = await layout.readManifest(wanted)
  const descriptor: Descriptor = {
    mediaType: image.mediaType,
    digest: wanted,
    size: bytes.length,
  }
  if (image.artifactType !== undefined) descriptor.artifactType = image.artifactType
  return descriptor
}

export interface Release {
  product: string
  version: string
  index: ImageIndex
  /** One manifest per platform, by the platform's name. */
  platforms: ReadonlyMap<string, Descriptor>
  /** The file list artifacts of the platforms that are bundles. */
  fileLists: ReadonlyMap<string, Descriptor>
}

/** Reads a release's index, whose bytes must have been verified. Throws `Refusal<ReleaseRefusal | ManifestRefusal>`. */
export function parseRelease(bytes: Uint8Array): Release {
  const index = parseManifest(bytes, mediaTypes.index)
  const product = index.annotations?.[releaseAnnotations.product]
  const version = index.annotations?.[releaseAnnotations.version]
  if (
    index.kind !== 'index' ||
    index.artifactType !== releaseArtifactType ||
    product === undefined ||
    version === undefined
  ) {
    throw new Refusal<ReleaseRefusal>('release_malformed', 'the index is not one of a release')
  }
  const platforms = new Map<string, Descriptor>()
  const fileLists = new Map<string, Descriptor>()
  for (const descriptor of index.manifests) {
    const listed = descriptor.annotations?.[releaseAnnotations.platform]
    if (descriptor.platform) {
      const name = formatPlatform(descriptor.platform)
      if (platforms.has(name)) {
        throw new Refusal<ReleaseRefusal>('release_malformed', `two manifests for ${name}`)
      }
      platforms.set(name, descriptor)
    } else if (descriptor.artifactType === fileListMediaType && listed !== undefined) {
      fileLists.set(listed, descriptor)
    }
  }
  return { product, version, index, platforms, fileLists }
}

/** The one layer of a bundle's manifest, whose bytes must have been verified. Throws `Refusal<ReleaseRefusal | ManifestRefusal>`. */
export function parseBundleManifest(bytes: Uint8Array): { layer: Descriptor; manifest: Manifest } {
  const manifest = parseManifest(bytes, mediaTypes.manifest)
  const layer = manifest.kind === 'manifest' ? manifest.layers[0] : undefined
  if (
    manifest.kind !== 'manifest' ||
    manifest.artifactType !== bundleArtifactType ||
    manifest.layers.length !== 1 ||
    layer?.mediaType !== mediaTypes.layerTarZstd
  ) {
    throw new Refusal<ReleaseRefusal>('release_malformed', 'the manifest is not one of a bundle')
  }
  return { layer, manifest }
}

/** The list of files of a bundle, read and verified through its artifact. */
export async function readFileList(source: ContentSource, artifact: Descriptor): Promise<FileList> {
  const { bytes, mediaType } = await source.readManifest(artifact.digest)
  verifyBytes(bytes, artifact)
  const manifest = parseManifest(bytes, mediaType)
  const layer = manifest.kind === 'manifest' ? manifest.layers[0] : undefined
  if (!layer || layer.size > fileListBytesMax) return missing(artifact.digest)
  const parts: Uint8Array[] = []
  for await (const piece of verifyStream(source.readBlob(layer), layer)) parts.push(piece)
  return parseFileList(concatBytes(...parts))
}
