/**
 * Image manifests, image indexes and descriptors (image-spec 1.1), read strictly from hostile bytes
 * and built byte for byte the same everywhere. Docker's schema 2 forms are read too, since
 * registries hold them. Members that the specification does not know are passed over, whatever they
 * hold, and `null` means the same as a missing member, because programs that build manifests write
 * it. The content of blobs is not looked at.
 */
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import type { Digest } from './digests.ts'
import { digestOf, isDigest } from './digests.ts'
import type { Json } from '@seaworthy/std/json'
import { JsonTooLargeError, openJson, parseJson } from '@seaworthy/std/json'

export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  empty: 'application/vnd.oci.empty.v1+json',
  layerTarZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const

/** Distribution-spec: registries should take at least 4 MiB; we take exactly that. */
export const manifestSizeMax = 4 * 1024 * 1024
export const blobSizeMax = 1024 ** 4
const descriptorsMax = 4096

export type Annotations = Readonly<Record<string, string>>

export interface Platform {
  os: string
  architecture: string
  variant?: string
}

export interface Descriptor {
  mediaType: string
  digest: Digest
  /** Length in bytes. */
  size: number
  artifactType?: string
  annotations?: Annotations
  platform?: Platform
  /** The content itself, Base64. */
  data?: string
  urls?: readonly string[]
}

export interface ImageManifest {
  kind: 'manifest'
  mediaType: string
  artifactType?: string
  config: Descriptor
  layers: readonly Descriptor[]
  subject?: Descriptor
  annotations?: Annotations
}

export interface ImageIndex {
  kind: 'index'
  mediaType: string
  artifactType?: string
  manifests: readonly Descriptor[]
  subject?: Descriptor
  annotations?: Annotations
}

export type Manifest = ImageManifest | ImageIndex

export type ManifestRefusal =
  | 'manifest_too_large'
  | 'manifest_not_json'
  | 'manifest_malformed'
  | 'manifest_media_type'

/**
 * The two bytes `{}` as a config or layer that says nothing (image-spec, "Guidance for an Empty
 * Descriptor").
 */
export const emptyBytes: Uint8Array = new TextEncoder().encode('{}')
export const emptyDescriptor: Descriptor = Object.freeze({
  mediaType: mediaTypes.empty,
  digest: digestOf(emptyBytes),
  size: 2,
})

const refuse: Refuse = refuseAs<ManifestRefusal>('manifest_malformed')

type Members = { [name: string]: Json }

function asObject(value: Json | undefined, what: string): Members {
  if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value)) {
    return refuse(`${what} is not an object`)
  }
  return value
}

function asText(value: Json | undefined, what: string): string {
  return typeof value === 'string' ? value : refuse(`${what} is not a text`)
}

/** A member, or `undefined` where it is left out, in either way. */
function memberOf(members: Members, name: string): Json | undefined {
  return members[name] ?? undefined
}

const mediaTypeForm =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/

/** RFC 6838 §4.2, without parameters. */
export function isMediaType(text: string): boolean {
  return text.length <= 255 && mediaTypeForm.test(text)
}

function asMediaType(value: Json | undefined, what: string): string {
  if (typeof value !== 'string' || !isMediaType(value)) return refuse(`${what} is not a media type`)
  return value
}

function parseAnnotations(value: Json | undefined): Annotations | undefined {
  if (value === undefined) return undefined
  const members = asObject(value, 'annotations')
  const annotations: Record<string, string> = Object.create(null)
  for (const name of Object.keys(members)) {
    const text = memberOf(members, name)
    if (text === undefined) continue
    annotations[name] = asText(text, `annotation ${name.slice(0, 200)}`)
  }
  return annotations
}

function parsePlatform(value: Json | undefined): Platform | undefined {
  if (value === undefined) return undefined
  const members = asObject(value, 'platform')
  const platform: Platform = {
    os: asText(members['os'], 'platform.os'),
    architecture: asText(members['architecture'], 'platform.architecture'),
  }
  const variant = memberOf(members, 'variant')
  if (variant !== undefined && variant !== '')
    platform.variant = asText(variant, 'platform.variant')
  return platform
}

function parseDescriptor(value: Json | undefined, what: string): Descriptor {
  const members = asObject(value, what)
  const digest = members['digest']
  if (typeof digest !== 'string' || !isDigest(digest)) return refuse(`${what} has no digest`)
  const size = members['size']
  if (typeof size !== 'number') return refuse(`${what} has no size`)
  if (!Number.isSafeInteger(size) || size < 0 || size > blobSizeMax) {
    return refuse(`${what}.size is not a whole number from 0 to ${blobSizeMax}`)
  }
  const descriptor: Descriptor = {
    mediaType: asMediaType(members['mediaType'], `${what}.mediaType`),
    digest,
    size,
  }
  const artifactType = memberOf(members, 'artifactType')
  if (artifactType !== undefined && artifactType !== '') {
    descriptor.artifactType = asMediaType(artifactType, `${what}.artifactType`)
  }
  const annotations = parseAnnotations(memberOf(members, 'annotations'))
  if (annotations !== undefined) descriptor.annotations = annotations
  const platform = parsePlatform(memberOf(members, 'platform'))
  if (platform !== undefined) descriptor.platform = platform
  const data = memberOf(members, 'data')
  if (data !== undefined) descriptor.data = parseData(data, descriptor, what)
  const urls = memberOf(members, 'urls')
  if (urls !== undefined) {
    descriptor.urls = asArray(urls, `${what}.urls`).map((url) => asText(url, `${what}.urls`))
  }
  return descriptor
}

/** Embedded content must be the content that the descriptor names. */
function parseData(value: Json, { digest, size }: Descriptor, what: string): string {
  if (typeof value !== 'string') return refuse(`${what}.data is not a text`)
  const bytes = Buffer.from(value, 'base64')
  if (bytes.toString('base64') !== value) return refuse(`${what}.data is not Base64`)
  const algorithm = digest.startsWith('sha256:') ? 'sha256' : 'sha512'
  if (bytes.length !== size || digestOf(bytes, algorithm) !== digest) {
    return refuse(`${what}.data does not have the digest`)
  }
  return value
}

function asArray(value: Json | undefined, what: string): Json[] {
  return Array.isArray(value) ? value : refuse(`${what} is not a list`)
}

/** Programs in Go write an empty list as `null`; a missing list is a fault. */
function parseDescriptors(members: Members, name: string): Descriptor[] {
  if (members[name] === null) return []
  const items = asArray(members[name], name)
  if (items.length > descriptorsMax) {
    return refuse(`${name} has ${items.length} entries, and at most ${descriptorsMax} are taken`)
  }
  return items.map((item, i) => parseDescriptor(item, `${name}[${i}]`))
}

const indexTypes: readonly string[] = [mediaTypes.index, mediaTypes.dockerList]
const manifestTypes: readonly string[] = [mediaTypes.manifest, mediaTypes.dockerManifest]

/** The four document types that a registry takes under `/manifests/`. */
export function isManifestMediaType(text: string): boolean {
  return indexTypes.includes(text) || manifestTypes.includes(text)
}

/**
 * Throws `Refusal<ManifestRefusal>`. `mediaType` is what the sender called it (Content-Type or
 * descriptor); when the document names its own, both must agree, and without either it is refused.
 * A document with the members of both kinds is refused (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  if (bytes.length > manifestSizeMax) {
    throw new Refusal<ManifestRefusal>('manifest_too_large', 'a manifest has at most 4 MiB')
  }
  let root: Json
  try {
    root = parseJson(bytes, openJson)
  } catch (cause) {
    if (cause instanceof JsonTooLargeError) {
      throw new Refusal<ManifestRefusal>(
        'manifest_too_large',
        `the manifest has ${cause.message}, which is more than anybody reads`,
        { cause },
      )
    }
    const why = cause instanceof SyntaxError ? cause.message : 'it cannot be read'
    throw new Refusal<ManifestRefusal>('manifest_not_json', `the manifest is not JSON: ${why}`, {
      cause,
    })
  }
  const members = asObject(root, 'the manifest')
  if (members['schemaVersion'] !== 2) return refuse('schemaVersion is not 2')
  const own = memberOf(members, 'mediaType')
  const type = own === undefined ? mediaType : asMediaType(own, 'mediaType')
  if (type === undefined || !isManifestMediaType(type) || (mediaType ?? type) !== type) {
    throw new Refusal<ManifestRefusal>('manifest_media_type', 'the media types do not agree')
  }
  return indexTypes.includes(type) ? parseIndex(members, type) : parseImage(members, type)
}

function parseIndex(members: Members, mediaType: string): ImageIndex {
  if (['layers', 'config'].some((name) => memberOf(members, name) !== undefined)) {
    return refuse('an index has no layers and no config')
  }
  return {
    kind: 'index',
    mediaType,
    manifests: parseDescriptors(members, 'manifests'),
    ...parseShared(members),
  }
}

function parseImage(members: Members, mediaType: string): ImageManifest {
  if (memberOf(members, 'manifests') !== undefined) {
    return refuse('an image manifest has no manifests')
  }
  const config = parseDescriptor(members['config'], 'config')
  const shared = parseShared(members)
  if (config.mediaType === mediaTypes.empty && shared.artifactType === undefined) {
    return refuse('artifactType is missing beside an empty config')
  }
  return {
    kind: 'manifest',
    mediaType,
    config,
    layers: parseDescriptors(members, 'layers'),
    ...shared,
  }
}

function parseShared(members: Members) {
  const shared: { artifactType?: string; subject?: Descriptor; annotations?: Annotations } = {}
  const artifactType = memberOf(members, 'artifactType')
  if (artifactType !== undefined && artifactType !== '') {
    shared.artifactType = asMediaType(artifactType, 'artifactType')
  }
  const subject = memberOf(members, 'subject')
  if (subject !== undefined) shared.subject = parseDescriptor(subject, 'subject')
  const annotations = parseAnnotations(memberOf(members, 'annotations'))
  if (annotations !== undefined) shared.annotations = annotations
  return shared
}

/**
 * What a referrers list says about a manifest: its own artifactType, or for image manifests the
 * config's media type (distribution-spec, "Listing Referrers").
 */
export function manifestArtifactType(manifest: Manifest): string | undefined {
  if (manifest.artifactType !== undefined) return manifest.artifactType
  return manifest.kind === 'manifest' ? manifest.config.mediaType : undefined
}

/**
 * The descriptors below a manifest that must be stored with it: its subject need not be, nor layers
 * that may live elsewhere.
 */
export function manifestChildren(manifest: Manifest): readonly Descriptor[] {
  return namedContent(manifest).filter((child) => !isForeign(manifest, child))
}

/**
 * All descriptors below a manifest. Those that are stored are needed for as long as the manifest
 * is.
 */
export function namedContent(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers]
}

/**
 * Whether a layer can be had elsewhere. Many push it all the same, so that a pull does not depend
 * on that other place.
 */
export function isForeign(manifest: Manifest, child: Descriptor): boolean {
  const isLayer = manifest.kind === 'manifest' && child !== manifest.config
  return isLayer && child.urls !== undefined && child.urls.length > 0
}

export interface EncodedManifest {
  bytes: Uint8Array<ArrayBuffer>
  descriptor: Descriptor
}

/**
 * The one byte form of a manifest built here: fixed member order, annotations sorted by name, no
 * white space.
 */
export function encodeManifest(manifest: Manifest): EncodedManifest {
  const body =
    manifest.kind === 'index'
      ? { manifests: manifest.manifests.map(orderDescriptor) }
      : {
          config: orderDescriptor(manifest.config),
          layers: manifest.layers.map(orderDescriptor),
        }
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifest.mediaType,
    artifactType: manifest.artifactType,
    ...body,
    subject: manifest.subject && orderDescriptor(manifest.subject),
    annotations: orderAnnotations(manifest.annotations),
  })
  const bytes = new TextEncoder().encode(text)
  const descriptor: Descriptor = {
    mediaType: manifest.mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  }
  if (manifest.artifactType !== undefined) descriptor.artifactType = manifest.artifactType
  return { bytes, descriptor }
}

function orderAnnotations(annotations: Annotations | undefined): Annotations | undefined {
  if (annotations === undefined) return undefined
  const names = Object.keys(annotations).toSorted()
  return Object.fromEntries(names.map((name) => [name, annotations[name]!]))
}

function orderDescriptor(descriptor: Descriptor) {
  const { platform } = descriptor
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    urls: descriptor.urls,
    data: descriptor.data,
    artifactType: descriptor.artifactType,
    annotations: orderAnnotations(descriptor.annotations),
    platform: platform && {
      architecture: platform.architecture,
      os: platform.os,
      variant: platform.variant,
    },
  }
}

const platformForm = /^([a-z0-9]{1,32})\/([a-z0-9_]{1,32})(?:\/([a-z0-9]{1,32}))?$/

export function isPlatformName(text: string): boolean {
  return platformForm.test(text)
}

/** Parses names such as `linux/amd64` and `linux/arm/v7`. Throws `SyntaxError`. */
export function parsePlatformName(text: string): Platform {
  const match = platformForm.exec(text)
  if (!match) throw new SyntaxError('not a platform such as linux/amd64')
  const platform: Platform = { os: match[1]!, architecture: match[2]! }
  if (match[3] !== undefined) platform.variant = match[3]
  return platform
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`
}
