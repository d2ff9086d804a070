/**
 * Documents about a bundle that a release carries beside it: each is an artifact of its own that
 * refers to the bundle's manifest and stands in the index, so that the release's digest covers it.
 * They are the builder's words until somebody compares them with the content; no device reads one.
 */
import { platformAnnotation } from './bundle/file-list.ts'
import type { ContentSource } from './content.ts'
import { putBytes } from './content.ts'
import { collectVerified, digestOf, verifyBytes } from './digests.ts'
import type { ImageLayout } from './layout.ts'
import type { Descriptor, EncodedManifest } from './manifests.ts'
import { emptyBytes, encodeManifest, mediaTypes, parseManifest } from './manifests.ts'
import type { ReleaseIndex } from './release-index.ts'
import { releaseMalformed } from './release-index.ts'
import type { FileSink } from './tar/read.ts'

export interface BundleDocument {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

/** Sees every file of a bundle, and makes documents of what it saw. */
export interface BundleDescriber {
  readonly files: FileSink
  describe(platform: string, bundle: Descriptor): readonly BundleDocument[]
}

const documentBytesMax = 256 * 1024 * 1024

/** Stores the document and its manifest. */
export async function putDocument(
  layout: ImageLayout,
  platform: string,
  bundle: Descriptor,
  document: BundleDocument,
): Promise<EncodedManifest> {
  const { manifest, parts } = encodeDocument(platform, bundle, document)
  for (const { bytes, mediaType } of parts) await putBytes(layout, bytes, mediaType)
  const { mediaType, digest } = manifest.descriptor
  await layout.putManifest({ bytes: manifest.bytes, mediaType, digest })
  return manifest
}

/** The one form of a document's artifact, so that two of them are the same by their digests. */
export function encodeDocument(
  platform: string,
  bundle: Descriptor,
  { mediaType, bytes }: BundleDocument,
): { readonly manifest: EncodedManifest; readonly parts: readonly BundleDocument[] } {
  const config = { mediaType: mediaTypes.empty, bytes: emptyBytes }
  const document = { mediaType, bytes }
  const subject: Descriptor = {
    ...{ mediaType: bundle.mediaType, digest: bundle.digest, size: bundle.size },
    ...(bundle.artifactType === undefined ? {} : { artifactType: bundle.artifactType }),
  }
  const manifest = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: mediaType,
    config: descriptorOf(config),
    layers: [descriptorOf(document)],
    subject,
    annotations: { [platformAnnotation]: platform },
  })
  return { manifest, parts: [config, document] }
}

function descriptorOf({ mediaType, bytes }: BundleDocument): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length }
}

/** The artifacts of this media type by the platform that each is filed under; the first counts. */
export function findDocuments(
  release: ReleaseIndex,
  mediaType: string,
): ReadonlyMap<string, Descriptor> {
  const found = new Map<string, Descriptor>()
  for (const { platform, descriptor } of listDocuments(release, mediaType)) {
    if (!found.has(platform)) found.set(platform, descriptor)
  }
  return found
}

/** Every artifact of this media type, each with the platform that it is filed under. */
export function listDocuments(
  { index, platforms }: ReleaseIndex,
  mediaType: string,
): { readonly platform: string; readonly descriptor: Descriptor }[] {
  return index.manifests.flatMap((descriptor) => {
    const platform = descriptor.annotations?.[platformAnnotation]
    if (descriptor.artifactType !== mediaType || descriptor.platform !== undefined) return []
    if (platform === undefined || !platforms.has(platform)) return []
    return [{ platform, descriptor }]
  })
}

/**
 * The document of an artifact of this media type, verified. Throws `release_malformed`
 * where it is none or too long, and what the source throws.
 */
export async function readDocument(
  source: ContentSource,
  artifact: Descriptor,
  mediaType: string,
  bytesMax = documentBytesMax,
): Promise<Uint8Array> {
  const { bytes } = await source.readManifest(artifact.digest)
  verifyBytes(bytes, artifact)
  const manifest = parseManifest(bytes, mediaTypes.manifest)
  const [document, ...others] = manifest.kind === 'manifest' ? manifest.layers : []
  if (document?.mediaType !== mediaType || others.length > 0) {
    throw releaseMalformed(`the artifact ${artifact.digest} is no document of type ${mediaType}`)
  }
  if (document.size > bytesMax) {
    const mebibytes = Math.floor(bytesMax / (1024 * 1024))
    throw releaseMalformed(`the document of ${artifact.digest} is longer than ${mebibytes} MiB`)
  }
  return await collectVerified(source.readBlob(document), document)
}
