/**
 * Sources and targets of manifests and blobs: a layout, a repository of a registry, a store. Copies
 * between any two.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { Digest, ExpectedContent } from './digests.ts'
import { digestOf, verifyBytes, verifyStream } from './digests.ts'
import type { Manifest } from './manifests.ts'
import { manifestChildren, parseManifest } from './manifests.ts'
import type { RegistryStore } from './store/index.ts'
import { putBlob } from './store/index.ts'

export interface ManifestContent {
  bytes: Uint8Array
  mediaType: string
}

export interface ContentSource {
  /**
   * Throws the refusal `content_missing`. The bytes need not be genuine: the reader checks them.
   */
  readManifest(digest: Digest): Promise<ManifestContent>
  /**
   * Throws the refusal `content_missing`. Neither length nor digest need be right: the reader
   * checks them.
   */
  readBlob(expected: ExpectedContent): AsyncIterable<Uint8Array>
}

export interface ContentTarget {
  hasBlob(expected: ExpectedContent): Promise<boolean>
  putBlob(expected: ExpectedContent, open: () => AsyncIterable<Uint8Array>): Promise<void>
  putManifest(content: ManifestContent & { digest: Digest; tag?: string }): Promise<void>
}

export type ContentRefusal = 'content_missing' | 'too_many_manifests'

const manifestsMax = 10_000

export interface CopyOptions {
  source: ContentSource
  target: ContentTarget
  digest: Digest
  /** The tag that the topmost manifest gets at the target. */
  tag?: string
  /** Called with the number of further bytes that have gone to the target. */
  onProgress?: (bytes: number) => void
}

/**
 * Copies a manifest with everything below it, children first, so that the target never has a
 * manifest without its parts. All bytes are verified on the way. Throws `TrustError<ContentFault>`,
 * `Refusal<ManifestRefusal | ContentRefusal>`, and what source and target throw.
 */
export async function copyContent(options: CopyOptions): Promise<Manifest> {
  const done = new Set<Digest>()
  return copyManifest(options, options.digest, done)
}

async function copyManifest(
  options: CopyOptions,
  digest: Digest,
  done: Set<Digest>,
): Promise<Manifest> {
  const { source, target, onProgress } = options
  if (done.size >= manifestsMax) {
    throw new Refusal<ContentRefusal>('too_many_manifests', 'too many manifests below one')
  }
  done.add(digest)
  const content = await source.readManifest(digest)
  verifyBytes(content.bytes, { digest, size: content.bytes.length })
  const manifest = parseManifest(content.bytes, content.mediaType)
  for (const child of manifestChildren(manifest)) {
    if (done.has(child.digest)) continue
    if (manifest.kind === 'index') {
      await copyManifest(options, child.digest, done)
      continue
    }
    done.add(child.digest)
    if (await target.hasBlob(child)) onProgress?.(child.size)
    else {
      await target.putBlob(child, () =>
        counted(verifyStream(source.readBlob(child), child), onProgress),
      )
    }
  }
  await target.putManifest({
    bytes: content.bytes,
    mediaType: manifest.mediaType,
    digest,
    ...(digest === options.digest && options.tag !== undefined ? { tag: options.tag } : {}),
  })
  return manifest
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  onProgress: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    yield piece
    onProgress?.(piece.length)
  }
}

/** One repository of a store as source and target. */
export function storeContent(
  store: RegistryStore,
  repository: string,
): ContentSource & ContentTarget {
  return {
    async readManifest(digest) {
      const stored = await store.getManifest(repository, digest)
      return stored ?? missing(digest)
    },
    async *readBlob({ digest }) {
      const blob = (await store.openBlob(repository, digest)) ?? missing(digest)
      try {
        yield* blob.read()
      } finally {
        await blob.close()
      }
    },
    async hasBlob({ digest, size }) {
      return (await store.statBlob(repository, digest))?.size === size
    },
    putBlob: (expected, open) => putBlob(store, repository, expected, open()),
    async putManifest(content) {
      await store.putManifest(repository, content)
    },
  }
}

/** Throws `content_missing`. */
export function missing(digest: Digest): never {
  throw new Refusal<ContentRefusal>('content_missing', `${digest} is not there`)
}

/** Puts a small blob that is in memory and returns its descriptor. */
export async function putBytes(
  target: ContentTarget,
  bytes: Uint8Array,
  mediaType: string,
): Promise<ExpectedContent & { mediaType: string }> {
  const expected = { digest: digestOf(bytes), size: bytes.length }
  if (!(await target.hasBlob(expected))) await target.putBlob(expected, () => once(bytes))
  return { mediaType, ...expected }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
