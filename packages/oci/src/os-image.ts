/**
 * The manifest of an operating system image: plain files, one layer each, named by annotation,
 * exactly as their makers signed them for their own installers (`.swu`, `.raucb`, update payloads).
 * Nothing is packed, so that a client can fetch one by itself.
 */
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { Refusal, refusalAs } from '@seaworthy/std/refusal'
import { putBytes } from './content.ts'
import type { ImageLayout } from './layout.ts'
import type { Descriptor, EncodedManifest } from './manifests.ts'
import { emptyBytes, encodeManifest, mediaTypes, parseManifest } from './manifests.ts'

export const osImageArtifactType = 'application/vnd.seaworthy.os-image.v1+json'
/** OCI's own annotation for the file name of a layer (image-spec, annotations). */
export const titleAnnotation = 'org.opencontainers.image.title'
const fileMediaType = 'application/octet-stream'
const filesMax = 100
const malformed = refusalAs<OsImageRefusal>('os_image_malformed')
/** One segment of a path, without surprises in URLs, shells and old clients' buffers. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/

export type OsImageRefusal = 'file_name' | 'file_name_twice' | 'os_image_malformed'

/** Throws `Refusal<OsImageRefusal>` for names that are not of the form or come twice. */
export async function buildOsImage(
  layout: ImageLayout,
  paths: readonly string[],
  annotations: Readonly<Record<string, string>>,
  onProgress: (bytes: number) => void,
): Promise<EncodedManifest> {
  const names = paths.map((path) => basename(path))
  for (const name of names) {
    if (nameForm.test(name)) continue
    throw new Refusal<OsImageRefusal>(
      'file_name',
      `${name} cannot name a file of an image: use letters, digits and . _ + -, at most 128`,
    )
  }
  if (new Set(names).size < names.length) {
    throw new Refusal<OsImageRefusal>('file_name_twice', 'two files have the same name')
  }
  const layers: Descriptor[] = []
  for (const [i, path] of paths.entries()) {
    const stored = await layout.putStream(async (write) => {
      for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
        await write(piece)
        onProgress(piece.length)
      }
    })
    layers.push({
      mediaType: fileMediaType,
      ...stored,
      annotations: { [titleAnnotation]: names[i]! },
    })
  }
  return encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: osImageArtifactType,
    config: await putBytes(layout, emptyBytes, mediaTypes.empty),
    layers,
    annotations,
  })
}

export interface OsImageFile {
  readonly name: string
  readonly descriptor: Descriptor
}

/**
 * The files of an image's manifest, whose bytes must have been verified. Throws
 * `Refusal<OsImageRefusal | ManifestRefusal>`.
 */
export function parseOsImage(
  bytes: Uint8Array,
  parse: typeof parseManifest = parseManifest,
): readonly OsImageFile[] {
  const manifest = parse(bytes, mediaTypes.manifest)
  if (manifest.kind !== 'manifest' || manifest.artifactType !== osImageArtifactType) {
    throw malformed('the manifest is not one of an operating system image')
  }
  if (manifest.layers.length > filesMax) throw malformed(`more than ${filesMax} files`)
  const names = new Set<string>()
  return manifest.layers.map((descriptor) => {
    const name = descriptor.annotations?.[titleAnnotation]
    if (name === undefined || !nameForm.test(name) || names.has(name)) {
      throw malformed('a file of the image has no name of its own')
    }
    if (descriptor.urls !== undefined) throw malformed(`${name} lies elsewhere`)
    names.add(name)
    return { name, descriptor }
  })
}
