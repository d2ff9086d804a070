/**
 * The plain files of releases that are operating system images. Which bytes a file has follows only
 * from the signed metadata: the target's hash is that of the index, the index names the platform's
 * manifest, the manifest names the file, each by its digest, and each is verified when it is read.
 * Names and digests in the database are not looked at (T10).
 */
import { createHash } from 'node:crypto'
import type { Digest, ExpectedContent } from '@seaworthy/oci/digests'
import { parseDigest, verifyStream } from '@seaworthy/oci/digests'
import { formatPlatform, mediaTypes, parseManifest } from '@seaworthy/oci/manifests'
import type { OsImageFile } from '@seaworthy/oci/os-image'
import { osImageArtifactType, parseOsImage } from '@seaworthy/oci/os-image'
import type { RegistryStore } from '@seaworthy/oci/store'
import { Refusal } from '@seaworthy/std/refusal'
import { hexEncode } from '@seaworthy/std/bytes'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import type { FileHashesRow } from '../../db/release-files.ts'
import { listFileHashes } from '../../db/release-files.ts'
import type { App, ReadRelease, ReleaseFile, ReleaseFileLists } from '../app.ts'

/**
 * Computes the hashes of files that were not measured before; each file is read once and verified
 * against its digest. A file of gigabytes takes long, so it waits its turn in the product's queue,
 * no transaction is open meanwhile, and the reading ends when the caller has left. Other kinds of
 * releases have no such files. Throws `release_malformed`, `release_content_missing`,
 * `content_checks_waiting`.
 */
export async function measureReleaseFiles(
  app: Pick<App, 'store' | 'contentChecks' | 'db'>,
  product: string,
  { claims, platforms }: ReadRelease,
  leaving: AbortSignal | undefined,
): Promise<readonly FileHashesRow[]> {
  if (claims.kind !== 'os-image') return []
  const manifests = new Set(platforms.map(({ digest }) => parseDigest(digest)))
  const measure = async (signal: AbortSignal) => {
    const files = new Map<Digest, ExpectedContent>()
    for (const manifest of manifests) {
      signal.throwIfAborted()
      for (const { descriptor } of await readFiles(app.store, product, manifest)) {
        files.set(descriptor.digest, descriptor)
      }
    }
    for (const { digest } of await listFileHashes(app.db.reader, [...files.keys()])) {
      files.delete(parseDigest(digest))
    }
    const measured: FileHashesRow[] = []
    for (const expected of files.values()) {
      measured.push(await measureFile(app.store, product, expected, signal))
    }
    return measured
  }
  return await app.contentChecks.queue(product, measure, leaving)
}

async function measureFile(
  store: RegistryStore,
  product: string,
  { digest, size }: ExpectedContent,
  signal: AbortSignal,
): Promise<FileHashesRow> {
  const blob = await store.openBlob(product, digest)
  if (blob === undefined) {
    throw new Refusal<ReleaseRefusal>('release_content_missing', `${digest} is gone`)
  }
  const [sha1, md5] = [createHash('sha1'), createHash('md5')]
  try {
    for await (const piece of verifyStream(blob.read(), { digest, size })) {
      signal.throwIfAborted()
      sha1.update(piece)
      md5.update(piece)
    }
  } finally {
    await blob.close()
  }
  return { digest, size, sha1: sha1.digest(), md5: md5.digest() }
}

const listsMax = 200

export function createReleaseFileLists(): ReleaseFileLists {
  const lists = new Map<string, readonly ReleaseFile[]>()
  return {
    get: (key) => lists.get(key),
    set(key, files) {
      if (lists.size >= listsMax) lists.delete(lists.keys().next().value!)
      lists.set(key, files)
    },
  }
}

type Deps = Pick<App, 'store' | 'db' | 'releaseFiles'>

/**
 * Finds the files of a signed release for a platform, in the order of its manifest. There are none
 * when the release is no operating system image or has nothing for the platform, or when hashes of
 * a file are missing. `sha256` is that of the signed target.
 */
export async function findReleaseFiles(
  app: Deps,
  release: { readonly product: string; readonly sha256: string },
  platform: string,
): Promise<readonly ReleaseFile[]> {
  // The list may be cached, because the content that a digest names never changes.
  const key = `${release.product}/${release.sha256}/${platform}`
  const known = app.releaseFiles.get(key)
  if (known !== undefined) return known
  const files = await readReleaseFiles(app, release, platform)
  if (files.length > 0) app.releaseFiles.set(key, files)
  return files
}

async function readReleaseFiles(
  app: Deps,
  { product, sha256 }: { readonly product: string; readonly sha256: string },
  platform: string,
): Promise<readonly ReleaseFile[]> {
  const stored = await app.store.getManifest(product, `sha256:${sha256}`)
  if (stored === undefined) return []
  const index = parseManifest(stored.bytes, mediaTypes.index)
  if (index.kind !== 'index') return []
  const child = index.manifests.find(
    (one) => one.platform !== undefined && formatPlatform(one.platform) === platform,
  )
  const files = child === undefined ? [] : await readFiles(app.store, product, child.digest)
  const digests = files.map(({ descriptor }) => descriptor.digest)
  const rows = await listFileHashes(app.db.reader, digests)
  const hashes = new Map(rows.map((row) => [row.digest, row]))
  const found: ReleaseFile[] = []
  for (const { name, descriptor } of files) {
    const { digest, size } = descriptor
    const row = hashes.get(digest)
    if (row === undefined || !digest.startsWith('sha256:')) return []
    const hex = { sha1: hexEncode(row.sha1), md5: hexEncode(row.md5) }
    found.push({ product, name, digest, size, sha256: digest.slice('sha256:'.length), ...hex })
  }
  return found
}

async function readFiles(
  store: RegistryStore,
  product: string,
  manifest: Digest,
): Promise<readonly OsImageFile[]> {
  const stored = await store.getManifest(product, manifest)
  if (stored === undefined) {
    throw new Refusal<ReleaseRefusal>('release_content_missing', `${manifest} is gone`)
  }
  try {
    const { artifactType } = parseManifest(stored.bytes, stored.mediaType)
    return artifactType === osImageArtifactType ? parseOsImage(stored.bytes) : []
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new Refusal<ReleaseFault>('release_malformed', cause.message, { cause })
  }
}
