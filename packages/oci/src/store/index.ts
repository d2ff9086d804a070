/**
 * What a registry keeps: content by digest, uploads in progress, and per repository the links to
 * blobs and manifests, tags and referrers. Every implementation passes `store.suite.ts`. Promises
 * of all of them:
 * - content is stored only after its bytes were checked against their digest, and what was
 *   acknowledged survives a power cut;
 * - nothing in an index is believed over the bytes: manifests are checked on every read, referrers
 *   are read from the manifests;
 * - several processes may use one store at once; no reader ever sees half of anything. Not handled
 *   here: who may do what (`http/registry` of the server), which releases are signed
 *   (`collectGarbage` is told the roots).
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { Digest } from '../digests.ts'
import { digestAlgorithm, digestOf, isDigest } from '../digests.ts'
import type { Descriptor, Manifest } from '../manifests.ts'
import { isForeign, manifestArtifactType, namedContent, parseManifest } from '../manifests.ts'
import { isTag } from '../names.ts'

export type StoreRefusal =
  | 'digest_mismatch'
  | 'blob_unknown'
  | 'manifest_unknown'
  | 'manifest_child_unknown'
  | 'tag_invalid'
  | 'upload_unknown'
  | 'upload_offset'
  | 'upload_too_large'
  | 'content_damaged'
  | 'root_unreadable'
  | 'too_many_referrers'

/** Bytes from `start` to `end`, `end` excluded. */
export interface ByteRange {
  start: number
  end: number
}

export interface StoredBlob {
  digest: Digest
  /** Length in bytes. */
  size: number
}

export interface OpenBlob extends StoredBlob {
  /**
   * `read` or `readShared` may be called once. Breaking the loop, or `close`, releases the blob.
   */
  read(range?: ByteRange): AsyncIterable<Uint8Array>
  /** The same, faster, with pieces that are valid only until the next one is asked for. */
  readShared(range?: ByteRange): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

export interface BlobStore {
  statBlob(repository: string, digest: Digest): Promise<StoredBlob | undefined>
  openBlob(repository: string, digest: Digest): Promise<OpenBlob | undefined>
  /**
   * Links a blob of another repository; `false` when that one has none. The caller has checked that
   * the actor may read there.
   */
  mountBlob(repository: string, digest: Digest, from: string): Promise<boolean>
  /**
   * Removes the link; the content goes with the next garbage collection. `false` when there was
   * none.
   */
  deleteBlob(repository: string, digest: Digest): Promise<boolean>

  /** A new empty upload; its id is unguessable and survives a restart. */
  createUpload(repository: string): Promise<string>
  /** Bytes received so far. Throws the refusal `upload_unknown`. */
  uploadSize(repository: string, uploadId: string): Promise<number>
  /**
   * Appends at `offset`, which must be the present size (refusal `upload_offset`), and returns the
   * new size. When the source breaks off, what came until then is kept and the source's error is
   * thrown. More than `sizeMax` bytes in all: refusal `upload_too_large`, and the piece is not
   * kept.
   */
  appendUpload(repository: string, uploadId: string, options: AppendOptions): Promise<number>
  /**
   * Checks the whole against the digest and links it; refusal `digest_mismatch` removes the upload.
   * Returns when it is durable.
   */
  commitUpload(repository: string, uploadId: string, digest: Digest): Promise<StoredBlob>
  cancelUpload(repository: string, uploadId: string): Promise<void>
}

export interface AppendOptions {
  offset: number
  source: AsyncIterable<Uint8Array>
  sizeMax: number
  /**
   * The algorithm of the digest that will be asked for at the end, if known: saves reading the
   * bytes again.
   */
  algorithm?: 'sha256' | 'sha512'
}

export interface StoredManifest {
  digest: Digest
  mediaType: string
  bytes: Uint8Array
}

export interface PutManifestOptions {
  bytes: Uint8Array
  mediaType?: string | undefined
  /**
   * The digest of the bytes (refusal `digest_mismatch` when it is not); SHA-256 is computed when it
   * is left out.
   */
  digest?: Digest | undefined
  tag?: string | undefined
}

export interface PutManifestResult {
  digest: Digest
  manifest: Manifest
}

export interface RegistryStore extends BlobStore {
  /**
   * Throws `Refusal<ManifestRefusal | StoreRefusal>`. Everything the manifest names, other than its
   * subject, must be in the repository already (`manifest_child_unknown`), and its subject may have
   * only so many referrers (`too_many_referrers`). Returns when it is durable.
   */
  putManifest(repository: string, options: PutManifestOptions): Promise<PutManifestResult>
  /** Throws the refusal `content_damaged` when the stored bytes no longer have their digest. */
  getManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined>
  /** The same, but it does not count as use. */
  peekManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined>
  /** Removes the manifest's link and all tags that point to it; `false` when there was none. */
  deleteManifest(repository: string, digest: Digest): Promise<boolean>
  resolveTag(repository: string, tag: string): Promise<Digest | undefined>
  deleteTag(repository: string, tag: string): Promise<boolean>
  /** Tags in the order of their bytes: those after `after`, at most `max`. */
  listTags(repository: string, options?: { after?: string; max?: number }): Promise<string[]>
  /**
   * Descriptors of the manifests whose subject is `digest`, with artifactType and annotations as
   * distribution-spec 1.1 has them.
   */
  listReferrers(repository: string, digest: Digest): Promise<Descriptor[]>
  hasRepository(repository: string): Promise<boolean>
  listRepositories(): Promise<string[]>
  listManifests(repository: string): Promise<Digest[]>
  /** The blobs that the repository links. It does not count as use. */
  listBlobs(repository: string): Promise<Digest[]>

  /**
   * Removes manifests, blob links and content that `isNeeded` denies and that nobody has used since
   * `unusedSince`; the sweep of uploads asks nothing. Use is creation, mounting, asking for it, or
   * being named by a new manifest. Safe while others push: what comes into use during the sweep
   * stays, or the push that wanted it is told that it is unknown. Returns what was removed.
   */
  sweepManifests(options: SweepOptions): Promise<number>
  sweepBlobs(options: SweepOptions): Promise<number>
  sweepContent(options: { unusedSince: Date; isNeeded: (digest: Digest) => boolean }): Promise<{
    count: number
    bytes: number
  }>
  sweepUploads(options: { unusedSince: Date }): Promise<number>
  /**
   * Reads all content again and returns what no longer has its digest, after having set it aside.
   */
  scrub(): Promise<Digest[]>
}

export interface SweepOptions {
  unusedSince: Date
  /** Whether the content is still needed; asked immediately before the removal. */
  isNeeded: (repository: string, digest: Digest) => boolean | Promise<boolean>
}

/**
 * The steps that all implementations take with the bytes of a new manifest before they store it.
 */
export function readNewManifest(options: PutManifestOptions): PutManifestResult {
  const manifest = parseManifest(options.bytes, options.mediaType)
  const digest = digestOf(
    options.bytes,
    options.digest === undefined ? 'sha256' : digestAlgorithm(options.digest),
  )
  if (options.digest !== undefined && options.digest !== digest) {
    throw new Refusal<StoreRefusal>('digest_mismatch', 'the manifest does not have that digest')
  }
  if (options.tag !== undefined && !isTag(options.tag)) {
    throw new Refusal<StoreRefusal>('tag_invalid', 'not a tag')
  }
  return { digest, manifest }
}

/**
 * Throws the refusal `manifest_child_unknown` unless all children are there; `has` also counts as
 * use of the child.
 */
export async function requireChildren(
  manifest: Manifest,
  has: (child: Descriptor, kind: 'blob' | 'manifest') => Promise<boolean>,
): Promise<void> {
  const kind = manifest.kind === 'index' ? 'manifest' : 'blob'
  for (const child of namedContent(manifest)) {
    if (!(await has(child, kind)) && !isForeign(manifest, child)) {
      throw new Refusal<StoreRefusal>(
        'manifest_child_unknown',
        `the repository has no ${kind} ${child.digest} of that size`,
      )
    }
  }
}

/** More signatures and attestations than anybody attaches, and few enough to list. */
const referrersMax = 10_000

/**
 * Throws the refusal `too_many_referrers` when a subject has as many as it may, and this is another
 * one. `noted` may name manifests that are gone; they do not count.
 */
export async function requireRoomForReferrer(
  noted: ReadonlySet<Digest>,
  digest: Digest,
  listManifests: () => Promise<readonly Digest[]>,
): Promise<void> {
  if (noted.size < referrersMax || noted.has(digest)) return
  const present = (await listManifests()).filter((one) => noted.has(one))
  if (present.length < referrersMax) return
  throw new Refusal<StoreRefusal>(
    'too_many_referrers',
    `the subject has ${referrersMax} manifests attached already: delete some of them first`,
  )
}

/** The referrer's entry in a referrers list (distribution-spec, "Listing Referrers"). */
export function referrerDescriptor(stored: StoredManifest, manifest: Manifest): Descriptor {
  const descriptor: Descriptor = {
    mediaType: stored.mediaType,
    digest: stored.digest,
    size: stored.bytes.length,
  }
  const artifactType = manifestArtifactType(manifest)
  if (artifactType !== undefined) descriptor.artifactType = artifactType
  if (manifest.annotations !== undefined) descriptor.annotations = manifest.annotations
  return descriptor
}

/** The digests in the names of a store's files, which have `-` for `:`. Skips other names. */
export async function* namedReferrers(
  names: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<Digest> {
  for await (const name of names) {
    const digest = name.replace('-', ':')
    if (isDigest(digest)) yield digest
  }
}

/** The manifests of these names whose own bytes name the subject. */
export async function readReferrers(
  names: AsyncIterable<string> | Iterable<string>,
  subject: Digest,
  peek: (digest: Digest) => Promise<StoredManifest | undefined>,
): Promise<Descriptor[]> {
  const descriptors = []
  for await (const referrer of namedReferrers(names)) {
    const stored = await peek(referrer)
    if (!stored) continue
    const manifest = parseStoredManifest(stored)
    if (manifest.subject?.digest === subject) {
      descriptors.push(referrerDescriptor(stored, manifest))
    }
  }
  return descriptors
}

/**
 * A manifest from the store as a parsed document. Throws the refusal `content_damaged` when it is
 * none.
 */
export function parseStoredManifest(stored: StoredManifest): Manifest {
  try {
    return parseManifest(stored.bytes, stored.mediaType)
  } catch (cause) {
    throw new Refusal<StoreRefusal>('content_damaged', `manifest ${stored.digest} cannot be read`, {
      cause,
    })
  }
}

/**
 * Stores one blob from a stream of known digest. Throws what `appendUpload` and `commitUpload`
 * throw; leaves no upload behind.
 */
export async function putBlob(
  store: BlobStore,
  repository: string,
  expected: StoredBlob,
  source: AsyncIterable<Uint8Array>,
): Promise<void> {
  const uploadId = await store.createUpload(repository)
  try {
    await store.appendUpload(repository, uploadId, {
      offset: 0,
      source,
      sizeMax: expected.size,
      algorithm: digestAlgorithm(expected.digest),
    })
    await store.commitUpload(repository, uploadId, expected.digest)
  } catch (error) {
    await store.cancelUpload(repository, uploadId)
    throw error
  }
}
