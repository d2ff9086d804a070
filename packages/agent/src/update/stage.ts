/**
 * From a signed release to a folder that is stored whole: index, the one manifest for this platform, its layers; each with the
 * digest that the one above names, the index with the digest in the signed target.
 */
import { digestAlgorithm, digestHex } from '@seaworthy/oci/digests'
import type { Descriptor, ImageManifest } from '@seaworthy/oci/manifests'
import { formatPlatform, mediaTypes, parseManifest } from '@seaworthy/oci/manifests'
import { unpackBundle } from '@seaworthy/oci/bundle/unpack'
import { trustError } from '@seaworthy/trust/tuf'
import type { Release } from '@seaworthy/trust/tuf'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import { UpdateError } from '../refusals.ts'
import type { Layout } from '../state/layout.ts'
import { bundleManifestBytesMax, parseBundleManifest } from '../health/bundle-manifest.ts'
import { finishStaging, removeStaging, stagingFolder } from '../slots/slots.ts'
import type { ContentPorts, ContentSettings } from './content.ts'
import { obtainDocument, obtainFile } from './content.ts'

const bundleType = 'application/vnd.seaworthy.bundle.v1+json'
const releaseType = 'application/vnd.seaworthy.release.v1+json'

export interface StageSettings extends ContentSettings {
  layout: Layout
  platform: string
  environment: Readonly<Record<string, string>>
}

const malformed = (what: string) => trustError('release_malformed', what)

function sha256Of(descriptor: Descriptor): string {
  if (digestAlgorithm(descriptor.digest) !== 'sha256') throw malformed('a digest other than sha256')
  return digestHex(descriptor.digest)
}

/** The layers of the bundle for this platform. Throws `TrustError`, `FetchError`. */
async function findLayers(
  ports: ContentPorts,
  settings: StageSettings,
  release: Release,
): Promise<readonly Descriptor[]> {
  const { product, channel, version } = release
  const indexBytes = await obtainDocument(ports, settings, {
    path: `/tuf/targets/${product}/${channel}/${release.sha256}.${encodeURIComponent(version)}`,
    sha256: release.sha256,
    size: release.length,
  })
  const index = parseManifest(indexBytes, mediaTypes.index)
  if (index.kind !== 'index' || index.artifactType !== releaseType)
    throw malformed('not the index of a release')
  const named = index.annotations ?? {}
  if (named['dev.seaworthy.product'] !== product || named['dev.seaworthy.version'] !== version) {
    throw malformed('the index names another product or version than the signed target')
  }
  const fitting = index.manifests.filter(
    (entry) =>
      entry.artifactType === bundleType &&
      entry.platform !== undefined &&
      formatPlatform(entry.platform) === settings.platform,
  )
  const [descriptor] = fitting
  if (descriptor === undefined || fitting.length > 1) {
    throw trustError(
      'wrong_platform',
      `the release has not exactly one bundle for ${settings.platform}`,
    )
  }
  const manifestBytes = await obtainDocument(ports, settings, {
    path: `/v2/${product}/manifests/${descriptor.digest}`,
    accept: descriptor.mediaType,
    sha256: sha256Of(descriptor),
    size: descriptor.size,
  })
  return layersOf(parseManifest(manifestBytes, descriptor.mediaType) as ImageManifest)
}

function layersOf(manifest: ImageManifest): readonly Descriptor[] {
  if (manifest.kind !== 'manifest' || manifest.artifactType !== bundleType)
    throw malformed('not a bundle')
  if (manifest.layers.length !== 1) throw malformed('a bundle has exactly one layer')
  for (const layer of manifest.layers) {
    if (layer.mediaType !== mediaTypes.layerTarZstd) throw malformed('a layer of another kind')
  }
  return manifest.layers
}

/**
 * Fetches, verifies and unpacks; when it resolves, the release is stored whole and durably, and nothing else of the attempt is
 * left. Throws `TrustError`, `Refusal`, `FetchError` or `UpdateError`.
 */
export async function stageRelease(
  ports: ContentPorts,
  settings: StageSettings,
  release: Release,
  onPhase: (phase: 'downloading' | 'installing') => void,
): Promise<void> {
  const { layout } = settings
  if (release.kind !== 'bundle') throw malformed(`this agent installs bundles, not ${release.kind}`)
  onPhase('downloading')
  const layers = await findLayers(ports, settings, release)
  const files: string[] = []
  for (const layer of layers) await assertSpace(ports.disk, settings.incoming, layer.size)
  for (const layer of layers) {
    const path = `/v2/${release.product}/blobs/${layer.digest}`
    files.push(
      await obtainFile(ports, settings, { path, sha256: sha256Of(layer), size: layer.size }),
    )
  }
  onPhase('installing')
  await removeStaging(ports.disk, layout)
  const folder = stagingFolder(layout, release.sha256)
  await ports.disk.makeFolder(folder, 0o755)
  for (const [i, file] of files.entries()) {
    await unpackFile(ports.disk, file, folder, layers[i]!)
    await ports.disk.remove(file)
    // nothing of the download has to reach the disk any more
    await ports.gateway.ask({ kind: 'discard', sha256: sha256Of(layers[i]!) })
  }
  await checkBundle(ports.disk, folder, settings.environment)
  await finishStaging(ports.disk, layout, release.sha256)
}

/** What is downloaded is there twice for a while, and unpacked once more. */
async function assertSpace(disk: Disk, folder: string, size: number): Promise<void> {
  if ((await disk.freeBytes(folder)) < size * 2)
    throw new UpdateError('no_space', 'no space for the release')
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
  expected: Descriptor,
): Promise<void> {
  const sink = disk.writeTree(folder)
  try {
    await unpackBundle({ source: readPieces(disk, file), expected, sink })
  } catch (error) {
    if (error instanceof DiskError && error.code === 'no_space') {
      throw new UpdateError('no_space', 'no space for the release', { cause: error })
    }
    throw error
  } finally {
    sink.close()
  }
}

/** A bundle whose `seaworthy.json` this device cannot follow is refused before anything is switched. */
async function checkBundle(
  disk: Disk,
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const bytes = await disk.read(`${folder}/seaworthy.json`, bundleManifestBytesMax)
  if (bytes !== undefined) parseBundleManifest(bytes, environment)
}
