/**
 * Releases as the release tools make them: a bundle packed from a folder, its manifest, and the
 * index that is signed for.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import {
  encodeFileList,
  fileListMediaType,
  platformAnnotation,
} from '@seaworthy/oci/bundle/file-list'
import type { FileList } from '@seaworthy/oci/bundle/file-list'
import { packBundle } from '@seaworthy/oci/bundle/pack'
import type { Descriptor } from '@seaworthy/oci/manifests'
import {
  bundleArtifactType,
  releaseAnnotations,
  releaseArtifactType,
} from '@seaworthy/oci/release-index'
import {
  emptyBytes,
  emptyDescriptor,
  encodeManifest,
  formatPlatform,
  mediaTypes,
} from '@seaworthy/oci/manifests'
import { joinBytes } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'

/** What the application of a release does once it is started. */
export const behaviours = ['healthy', 'unhealthy', 'crashing', 'unstartable'] as const
export type Behaviour = (typeof behaviours)[number]

export interface WorldRelease {
  product: string
  version: string
  index: Uint8Array<ArrayBuffer>
  sha256: string
  sha512: string
  /** Index, manifests and blobs by digest. */
  content: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  /** Digest of the bundle's one layer. */
  layerDigest: string
  files: FileList
}

export async function buildRelease(options: {
  product: string
  version: string
  behaviour: Behaviour
  random: Random
  /** Bytes of incompressible ballast. */
  ballastBytes?: number
  platform?: { os: string; architecture: string }
}): Promise<WorldRelease> {
  const { product, version, behaviour, random } = options
  const packed = await withFolder(async (folder) => {
    const manifest = {
      start: ['./bin/app'],
      health: { http: 'http://127.0.0.1:8080/health', windowSeconds: 20 },
      stopSeconds: 5,
    }
    await mkdir(`${folder}/bin`)
    await mkdir(`${folder}/share/empty`, { recursive: true })
    await writeFile(`${folder}/seaworthy.json`, JSON.stringify(manifest))
    await writeFile(`${folder}/bin/app`, `${behaviour}\n${product} ${version}\n`, { mode: 0o755 })
    await writeFile(`${folder}/share/ballast`, random.bytes(options.ballastBytes ?? 2500))
    await symlink('ballast', `${folder}/share/link`)
    const pieces: Uint8Array[] = []
    const bundle = await packBundle(folder, async (piece) => {
      pieces.push(piece.slice())
    })
    return { layer: joinBytes(pieces), files: bundle.files }
  })

  const platform = options.platform ?? { os: 'linux', architecture: 'amd64' }
  const content = new Map<string, Uint8Array<ArrayBuffer>>()
  const store = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes)
    content.set(digest, new Uint8Array(bytes))
    return { mediaType, digest, size: bytes.length }
  }
  store(emptyBytes, mediaTypes.empty)
  const layer = store(packed.layer, mediaTypes.layerTarZstd)
  const bundle = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: bundleArtifactType,
    config: emptyDescriptor,
    layers: [layer],
  })
  const list = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: fileListMediaType,
    config: emptyDescriptor,
    layers: [store(encodeFileList(packed.files), fileListMediaType)],
    subject: bundle.descriptor,
  })
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    artifactType: releaseArtifactType,
    annotations: {
      [releaseAnnotations.product]: product,
      [releaseAnnotations.version]: version,
    },
    manifests: [
      {
        ...store(bundle.bytes, mediaTypes.manifest),
        artifactType: bundleArtifactType,
        platform,
      },
      {
        ...store(list.bytes, mediaTypes.manifest),
        artifactType: fileListMediaType,
        annotations: { [platformAnnotation]: formatPlatform(platform) },
      },
    ],
  })
  store(index.bytes, mediaTypes.index)
  return {
    product,
    version,
    index: new Uint8Array(index.bytes),
    sha256: digestHex(digestOf(index.bytes)),
    sha512: digestHex(digestOf(index.bytes, 'sha512')),
    content,
    layerDigest: layer.digest,
    files: packed.files,
  }
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(`${tmpdir()}/seaworthy-sim-`)
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
