/**
 * Releases as a builder with a token can push them: any layer beside any file list, filed under any
 * name. The demonstration's attack and tests use them; honest releases are made by `buildRelease`.
 */
import { hash } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import type { FileEntry, FileList } from './bundle/file-list.ts'
import { encodeFileList, fileListMediaType } from './bundle/file-list.ts'
import type { ContentTarget } from './content.ts'
import { putBytes } from './content.ts'
import { digestOf } from './digests.ts'
import type {
  Annotations,
  Descriptor,
  EncodedManifest,
  ImageIndex,
  ImageManifest,
} from './manifests.ts'
import { emptyBytes, encodeManifest, mediaTypes, parsePlatformName } from './manifests.ts'
import { bundleArtifactType, releaseAnnotations, releaseArtifactType } from './release-index.ts'
import { encodeEntry, endBytes, paddingAfter } from './tar/format.ts'
import { comparePaths } from './tar/paths.ts'

export interface CraftedFile {
  path: string
  content: string
  isExecutable?: boolean
}

export interface CraftedLayer {
  layer: Uint8Array
  /** The files that are really in it. */
  files: FileList
  tarBytes: number
}

/** A layer with these files and the folders above them. */
export function craftLayer(files: readonly CraftedFile[]): CraftedLayer {
  const entries = new Map<string, FileEntry>()
  const contents = new Map<string, Buffer>()
  for (const { path, content, isExecutable = false } of files) {
    const names = path.split('/')
    for (let i = 1; i < names.length; i++) {
      const folder = names.slice(0, i).join('/')
      entries.set(folder, { type: 'directory', path: folder, mode: '0755' })
    }
    const bytes = Buffer.from(content)
    const mode = isExecutable ? '0755' : '0644'
    const sha256 = hash('sha256', bytes, 'hex')
    entries.set(path, { type: 'file', path, size: bytes.length, mode, sha256 })
    contents.set(path, bytes)
  }
  const sorted = [...entries.values()].toSorted((a, b) => comparePaths(a.path, b.path))
  const parts = sorted.flatMap((entry) => {
    const { path } = entry
    if (entry.type !== 'file') return [encodeEntry({ kind: 'directory', path })]
    const { size } = entry
    const header = encodeEntry({ kind: 'file', path, size, isExecutable: entry.mode === '0755' })
    return [header, contents.get(path)!, Buffer.alloc(paddingAfter(size))]
  })
  const tar = Buffer.concat([...parts, Buffer.alloc(endBytes)])
  return { layer: zstdCompressSync(tar), files: { entries: sorted }, tarBytes: tar.length }
}

export interface CraftedBundle {
  platform: string
  layer: Uint8Array
  /**
   * What the list beside the layer says: files, or the bytes of a document of any kind. No list
   * when left out.
   */
  listed?: FileList | Uint8Array | undefined
  /** The platform that the list is filed under, where it is another one. */
  filedUnder?: string
  /** The bundle that the list is said to be of, where it is another one. */
  subject?: Descriptor
  /** Annotations of the bundle's manifest. */
  annotations?: Annotations
  /** The part of the bundle that is named by its SHA-512 digest. */
  sha512?: 'layer' | 'manifest' | 'list'
  /** Changes the bundle's manifest. */
  alter?: (manifest: ImageManifest) => ImageManifest
}

/** Puts a release of bundles together with what is claimed of them. */
export async function craftRelease(
  target: ContentTarget,
  release: {
    product: string
    version: string
    bundles: readonly CraftedBundle[]
    /** Changes the release's index. */
    alter?: (index: ImageIndex) => ImageIndex
  },
): Promise<EncodedManifest> {
  const config = await putBytes(target, emptyBytes, mediaTypes.empty)
  const put = async (encoded: EncodedManifest, isSha512 = false) => {
    const { mediaType } = encoded.descriptor
    const digest = isSha512 ? digestOf(encoded.bytes, 'sha512') : encoded.descriptor.digest
    await target.putManifest({ bytes: encoded.bytes, mediaType, digest })
    return { ...encoded, descriptor: { ...encoded.descriptor, digest } }
  }
  const putLayer = async ({ layer, sha512 }: CraftedBundle) => {
    if (sha512 !== 'layer') return await putBytes(target, layer, mediaTypes.layerTarZstd)
    const expected = { digest: digestOf(layer, 'sha512'), size: layer.length }
    await target.putBlob(expected, async function* () {
      yield layer
    })
    return { mediaType: mediaTypes.layerTarZstd, ...expected }
  }
  const images: Descriptor[] = []
  const lists: Descriptor[] = []
  for (const bundle of release.bundles) {
    const { platform, listed, alter = (manifest) => manifest } = bundle
    const { descriptor: image } = await put(
      encodeManifest(
        alter({
          kind: 'manifest',
          mediaType: mediaTypes.manifest,
          artifactType: bundleArtifactType,
          config,
          layers: [await putLayer(bundle)],
          ...(bundle.annotations === undefined ? {} : { annotations: bundle.annotations }),
        }),
      ),
      bundle.sha512 === 'manifest',
    )
    images.push({ ...image, platform: parsePlatformName(platform) })
    if (listed === undefined) continue
    const document = listed instanceof Uint8Array ? listed : encodeFileList(listed)
    const { descriptor: list } = await put(
      encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: fileListMediaType,
        config,
        layers: [await putBytes(target, document, fileListMediaType)],
        subject: bundle.subject ?? image,
      }),
      bundle.sha512 === 'list',
    )
    const filedUnder = bundle.filedUnder ?? platform
    lists.push({ ...list, annotations: { [releaseAnnotations.platform]: filedUnder } })
  }
  const { alter = (index) => index } = release
  return await put(
    encodeManifest(
      alter({
        kind: 'index',
        mediaType: mediaTypes.index,
        artifactType: releaseArtifactType,
        manifests: [...images, ...lists],
        annotations: {
          [releaseAnnotations.product]: release.product,
          [releaseAnnotations.version]: release.version,
        },
      }),
    ),
  )
}
