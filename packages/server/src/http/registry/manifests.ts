/** Manifests, tags and referrers (distribution-spec end-3, end-7 to end-9, end-12). */
import type { Digest } from '@seaworthy/oci/digests'
import { digestOf } from '@seaworthy/oci/digests'
import type { Descriptor } from '@seaworthy/oci/manifests'
import { manifestArtifactType, manifestSizeMax, mediaTypes } from '@seaworthy/oci/manifests'
import { parseManifestReference } from '@seaworthy/oci/names'
import type { RegistryStore } from '@seaworthy/oci/store'
import { isNeededByRelease } from '@seaworthy/oci/store/garbage'
import { Refusal } from '@seaworthy/std/refusal'
import { readBytes } from '../bodies.ts'
import { bodyLimits } from '../limits.ts'
import type { RegistryCall } from './blobs.ts'
import { RegistryError, requireChange, sendJson } from './errors.ts'
import type { RegistryEvent, RegistryPorts } from './ports.ts'
import { parsePageSize } from './requests.ts'

const tagsPageMax = 10_000
/** Clients read a list of referrers with the limit of a manifest. */
const referrersBytesMax = manifestSizeMax - 64 * 1024

/** A tag of a signed release goes before one that somebody pushed. */
async function resolveTag<Actor>(
  ports: RegistryPorts<Actor>,
  repository: string,
  tag: string,
): Promise<Digest | undefined> {
  const signed = (await ports.releaseTags(repository)).get(tag)
  if (signed === undefined) return ports.store.resolveTag(repository, tag)
  return signed ?? undefined
}

function unknown(): RegistryError {
  return new RegistryError(404, 'MANIFEST_UNKNOWN', 'the repository has no such manifest')
}

export async function sendManifest<Actor>(
  call: RegistryCall<Actor>,
  reference: string,
): Promise<void> {
  const { ports, request, response, repository } = call
  const parsed = parseManifestReference(reference)
  if (!parsed) throw unknown()
  const digest =
    parsed.kind === 'digest' ? parsed.digest : await resolveTag(ports, repository, parsed.tag)
  const stored = digest && (await ports.store.getManifest(repository, digest))
  if (!stored) throw unknown()
  const headers = {
    'content-type': stored.mediaType,
    'docker-content-digest': stored.digest,
    etag: `"${stored.digest}"`,
  }
  if (request.headers['if-none-match'] === headers.etag) {
    response.writeHead(304, headers).end()
    return
  }
  response.writeHead(200, { ...headers, 'content-length': stored.bytes.length })
  response.end(request.method === 'HEAD' ? undefined : stored.bytes)
}

export async function putManifest<Actor>(
  call: RegistryCall<Actor>,
  reference: string,
): Promise<void> {
  const { ports, request, response, repository } = call
  const parsed = parseManifestReference(reference)
  if (!parsed) throw new RegistryError(400, 'MANIFEST_INVALID', 'neither a digest nor a tag')
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]!.trim()
  const bytes = await readBytes(request, bodyLimits.manifest, ports)
  const actor = await call.stillMay()
  const tag = parsed.kind === 'tag' ? parsed.tag : undefined
  const known =
    parsed.kind === 'digest'
      ? await look(ports.store, repository, parsed.digest)
      : await findKnown(ports.store, repository, bytes)
  const tagged = tag === undefined ? undefined : await ports.store.resolveTag(repository, tag)
  const isRepeated = known?.isWhole === true && (tag === undefined || tagged === known.digest)
  if (!isRepeated) await requireChange(ports, actor)
  const named = parsed.kind === 'digest' ? parsed.digest : known?.digest
  if (tag !== undefined) {
    const signed = (await ports.releaseTags(repository)).get(tag)
    if (signed !== undefined && signed !== (named ?? digestOf(bytes))) throw ofRelease(tag)
  }
  const content = { digest: named ?? digestOf(bytes), size: bytes.length }
  if (known === undefined) await ports.space.add(repository, content)
  const { digest, manifest } = await ports.store
    .putManifest(repository, {
      bytes,
      mediaType: mediaType === '' ? undefined : mediaType,
      digest: named,
      tag,
    })
    .catch(async (error: unknown) => {
      if (known === undefined) await ports.space.remove(repository, content.digest)
      throw error
    })
  const event: RegistryEvent<Actor> = {
    kind: 'manifest_put',
    actor,
    repository,
    digest,
    mediaType: manifest.mediaType,
    isRepeated,
  }
  const artifactType = manifestArtifactType(manifest)
  if (artifactType !== undefined) event.artifactType = artifactType
  if (tag !== undefined) event.tag = tag
  if (manifest.subject) event.subject = manifest.subject.digest
  await ports.onEvent(event)
  response
    .writeHead(201, {
      location: `/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      'content-length': 0,
      ...(manifest.subject ? { 'oci-subject': manifest.subject.digest } : {}),
    })
    .end()
}

interface Known {
  readonly digest: Digest
  /** False when the stored bytes are damaged: pushing the same bytes again repairs them. */
  readonly isWhole: boolean
}

/**
 * A manifest that was pushed by its SHA-512 keeps that name when it is tagged; others are named by
 * their SHA-256.
 */
async function findKnown(
  store: RegistryStore,
  repository: string,
  bytes: Uint8Array,
): Promise<Known | undefined> {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const known = await look(store, repository, digestOf(bytes, algorithm))
    if (known !== undefined) return known
  }
  return undefined
}

async function look(
  store: RegistryStore,
  repository: string,
  digest: Digest,
): Promise<Known | undefined> {
  try {
    const stored = await store.peekManifest(repository, digest)
    return stored && { digest, isWhole: true }
  } catch (error) {
    if (error instanceof Refusal && error.code === 'content_damaged') {
      return { digest, isWhole: false }
    }
    throw error
  }
}

function ofRelease(tag: string): RegistryError {
  return new RegistryError(
    403,
    'DENIED',
    `signed metadata gives the tag ${tag} to a release: choose another one`,
  )
}

/**
 * A tag as reference deletes only the tag. A digest deletes the manifest and its tags, unless a
 * signed release needs it.
 */
export async function deleteManifest<Actor>(
  call: RegistryCall<Actor>,
  reference: string,
): Promise<void> {
  const { ports, response, repository } = call
  const { store } = ports
  const parsed = parseManifestReference(reference)
  if (!parsed) throw unknown()
  if (parsed.kind === 'tag') {
    const { tag } = parsed
    if ((await ports.releaseTags(repository)).has(tag)) throw ofRelease(tag)
    const actor = await call.stillMay()
    await requireChange(ports, actor)
    if (!(await store.deleteTag(repository, tag))) throw unknown()
    await ports.onEvent({ kind: 'tag_deleted', actor, repository, tag })
  } else {
    const { digest } = parsed
    if (await isNeededByRelease(store, repository, digest, await ports.roots())) {
      throw new RegistryError(
        403,
        'DENIED',
        'this manifest cannot be deleted: a signed release needs it',
      )
    }
    const actor = await call.stillMay()
    await requireChange(ports, actor)
    if (!(await store.deleteManifest(repository, digest))) throw unknown()
    await ports.space.remove(repository, digest)
    await ports.onEvent({ kind: 'manifest_deleted', actor, repository, digest })
  }
  response.writeHead(202, { 'content-length': 0 }).end()
}

export async function sendTags<Actor>(call: RegistryCall<Actor>): Promise<void> {
  const { ports, response, repository, query } = call
  if (!(await ports.store.hasRepository(repository))) {
    throw new RegistryError(404, 'NAME_UNKNOWN', 'no such repository')
  }
  const max = parsePageSize(query.get('n'), tagsPageMax)
  const after = query.get('last') ?? ''
  const signed = await ports.releaseTags(repository)
  const hiddenCount = [...signed.values()].filter((digest) => digest === null).length
  const stored =
    max === 0 ? [] : await ports.store.listTags(repository, { after, max: max + 1 + hiddenCount })
  const later = max === 0 ? [] : [...signed.keys()].filter((tag) => tag > after)
  const found = [...new Set([...stored, ...later])]
    .filter((tag) => signed.get(tag) !== null)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .slice(0, max + 1)
  const tags = found.slice(0, max)
  const last = tags.at(-1)
  const link =
    found.length > tags.length && last !== undefined
      ? {
          link: `</v2/${repository}/tags/list?n=${max}&last=${encodeURIComponent(last)}>; rel="next"`,
        }
      : {}
  sendJson(response, 200, { name: repository, tags }, link)
}

export async function sendReferrers<Actor>(
  call: RegistryCall<Actor>,
  digest: Digest,
): Promise<void> {
  const { ports, response, repository, query } = call
  const wanted = query.get('artifactType')
  const after = query.get('last') ?? ''
  const all = (await ports.store.listReferrers(repository, digest)).filter(
    (d) => (wanted === null || d.artifactType === wanted) && d.digest > after,
  )
  const manifests: Descriptor[] = []
  let bytes = 0
  for (const descriptor of all) {
    bytes += JSON.stringify(descriptor).length * 3
    if (bytes > referrersBytesMax && manifests.length > 0) break
    manifests.push(descriptor)
  }
  const headers: Record<string, string> = { 'content-type': mediaTypes.index }
  if (wanted !== null) headers['oci-filters-applied'] = 'artifactType'
  if (manifests.length < all.length) {
    const next = new URLSearchParams({ last: manifests.at(-1)!.digest })
    if (wanted !== null) next.set('artifactType', wanted)
    headers['link'] = `</v2/${repository}/referrers/${digest}?${next.toString()}>; rel="next"`
  }
  sendJson(response, 200, { schemaVersion: 2, mediaType: mediaTypes.index, manifests }, headers)
}
