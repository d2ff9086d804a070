/**
 * Turns a signed release into a folder that is stored whole: index, the one manifest for this
 * platform, its layers; each with the digest that the one above names, the index with the digest in
 * the signed target.
 */
import { digestHex } from '@seaworthy/oci/digests'
import type { Descriptor } from '@seaworthy/oci/manifests'
import { createListingSink } from '@seaworthy/oci/bundle/contents'
import { createFileListDigester, parseFileListManifest } from '@seaworthy/oci/bundle/file-list'
import { unpackBundle } from '@seaworthy/oci/bundle/unpack'
import {
  bundleArtifactType,
  parseBundleOf,
  parseRelease,
  releaseMismatch,
  requireDocument,
} from '@seaworthy/oci/release-index'
import { Refusal } from '@seaworthy/std/refusal'
import type { Release } from '@seaworthy/trust/tuf'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import type { Layout } from '../state/layout.ts'
import { readBundleManifest } from './bundle-manifest.ts'
import { finishStaging, removeStaging, stagingFolder } from './stored-releases.ts'
import type { ContentPorts, ContentSettings, WantedContent } from './content.ts'
import { discardContent, localFault, obtainDocument, obtainFile } from './content.ts'
import { assertSpace } from './space.ts'
import { refuseContent, Verified } from './verified.ts'

export interface StageSettings extends ContentSettings {
  layout: Layout
  platform: string
  environment: Readonly<Record<string, string>>
}

const malformed = (what: string) => refuseContent('release_malformed', what)

function wantDocument(path: string, descriptor: Pick<Descriptor, 'digest' | 'size'>, what: string) {
  requireDocument(descriptor, what)
  return { path, sha256: digestHex(descriptor.digest), size: descriptor.size }
}

interface FoundBundle {
  image: Descriptor
  fileList: Descriptor
}

/**
 * The manifests of the bundle for this platform and of its file list, as the index names them.
 * Throws `Refusal`.
 */
function findBundle(bytes: Uint8Array, signed: Release, platform: string): FoundBundle {
  const release = parseRelease(bytes)
  if (release.product !== signed.product || release.version !== signed.version) {
    throw releaseMismatch('the index names another product or version than the signed target')
  }
  const image =
    release.platforms.get(platform) ??
    refuseContent('wrong_platform', `the release has no bundle for ${platform}`)
  if (image.artifactType !== bundleArtifactType) {
    throw releaseMismatch(`the index does not say that ${platform} is a bundle`)
  }
  return { image, fileList: findFileList(release, platform) }
}

const lying = (what: string) => refuseContent('file_list_mismatch', what)

/**
 * The one file list that is filed under this platform; a release in which another is filed under
 * none is refused too.
 */
function findFileList(release: ReturnType<typeof parseRelease>, platform: string): Descriptor {
  const [fault] = release.fileListFaults
  if (fault !== undefined) return lying(fault)
  return release.fileLists.get(platform) ?? lying(`the release has no file list for ${platform}`)
}

/** The document with the files of `image`; only its digest is used here. Throws `Refusal`. */
function readListManifest(bytes: Uint8Array, image: Descriptor): Descriptor {
  let found: ReturnType<typeof parseFileListManifest>
  try {
    found = parseFileListManifest(bytes)
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    return refuseContent('file_list_mismatch', 'the file list is none', cause)
  }
  const { list, subject } = found
  return subject === undefined || subject.digest === image.digest
    ? list
    : lying('the file list is that of another bundle')
}

/**
 * The layer of the bundle for this platform, and the list of its files. Throws `ContentRefusal`,
 * `TrustError`, `FetchError`.
 */
async function findLayer(
  ports: ContentPorts,
  settings: StageSettings,
  release: Release,
): Promise<{ layer: Descriptor; list: Descriptor; wanted: WantedContent }> {
  const { product, channel, version } = release
  const wantedIndex = await new Verified(release).read(({ sha256, length }) =>
    wantDocument(
      `/tuf/targets/${product}/${channel}/${sha256}.${encodeURIComponent(version)}`,
      { digest: `sha256:${sha256}`, size: length },
      'the index of the release',
    ),
  )
  const index = await obtainDocument(ports, settings, wantedIndex)
  const found = await index.read((bytes) => {
    const { image, fileList } = findBundle(bytes, release, settings.platform)
    const want = (descriptor: Descriptor, what: string) => ({
      ...wantDocument(`/v2/${product}/manifests/${descriptor.digest}`, descriptor, what),
      accept: descriptor.mediaType,
    })
    return {
      image,
      wantedImage: want(image, `the manifest of the bundle for ${settings.platform}`),
      wantedList: want(fileList, `the manifest of the file list of ${settings.platform}`),
    }
  })
  const { image, wantedImage, wantedList } = found
  const listManifest = await obtainDocument(ports, settings, wantedList)
  const list = await listManifest.read((bytes) => readListManifest(bytes, image))
  const manifest = await obtainDocument(ports, settings, wantedImage)
  return manifest.read((bytes) => {
    const { layer } = parseBundleOf(settings.platform, image, bytes)
    const { digest, size } = layer
    const path = `/v2/${product}/blobs/${digest}`
    return { layer, list, wanted: { path, sha256: digestHex(digest), size } }
  })
}

/**
 * Fetches, verifies and unpacks; when it resolves, the release is stored whole and durably, and
 * nothing else of the attempt is left. Throws `ContentRefusal`, `LocalFault`, `TrustError` or
 * `FetchError`.
 */
export async function stageRelease(
  ports: ContentPorts,
  settings: StageSettings,
  release: Release,
  onPhase: (phase: 'downloading' | 'installing') => void,
): Promise<void> {
  const { disk } = ports
  const { layout } = settings
  await new Verified(release).read(({ kind }) => {
    if (kind !== 'bundle') malformed(`this agent installs bundles, not ${kind}`)
  })
  onPhase('downloading')
  const { layer, list, wanted } = await findLayer(ports, settings, release)
  await assertSpace(ports, settings.incoming, wanted)
  const file = await obtainFile(ports, settings, wanted)
  onPhase('installing')
  try {
    await file.read(async (path) => {
      const folder = stagingFolder(layout, release.sha256)
      await removeStaging(disk, layout)
      await disk.makeFolder(folder, 0o755)
      await unpackFile(disk, path, folder, { layer, list })
      // A manifest that this device cannot follow is refused before anything is switched.
      await readBundleManifest(disk, folder, settings.environment)
      await disk.remove(path)
    })
    // Nothing of the download has to reach the disk any more.
    await discardContent(ports.gateway, wanted.sha256)
    await finishStaging(disk, layout, release.sha256)
  } catch (error) {
    // The next report must be written, and this attempt may have filled the disk.
    await removeStaging(disk, layout)
    await file.read((path) => disk.remove(path))
    throw error instanceof DiskError ? localFault(error) : error
  }
}

async function* readPieces(disk: Disk, path: string): AsyncGenerator<Uint8Array> {
  const reader = await disk.open(path)
  if (reader === undefined) throw new DiskError('failed', `${path} is gone`)
  try {
    for (let at = 0; at < reader.size;) {
      const piece = await reader.read(at, 256 * 1024)
      if (piece.length === 0) throw new DiskError('failed', `${path} became shorter`)
      at += piece.length
      yield piece
    }
  } finally {
    await reader.close()
  }
}

async function unpackFile(
  disk: Disk,
  file: string,
  folder: string,
  { layer, list }: { layer: Descriptor; list: Descriptor },
): Promise<void> {
  const sink = disk.writeTree(folder)
  const files = createFileListDigester()
  try {
    await unpackBundle({
      source: readPieces(disk, file),
      expected: layer,
      sink: createListingSink((entry) => files.add(entry), sink),
    })
  } finally {
    sink.close()
  }
  const unpacked = files.finish()
  if (unpacked.digest !== list.digest || unpacked.size !== list.size) {
    lying('what was unpacked is not what the file list of the release says')
  }
}
