/**
 * A store in a folder. `content/<algorithm>/<2 hex>/<hex>` holds the bytes,
 * `repositories/<name>/{_blobs,_manifests,_tags,_referrers}` the links. Every change is a file that
 * appears or disappears at once; the order of changes is such that a link never comes before what
 * it points to. So kill -9 and power cuts leave nothing to repair. The time of a file's last change
 * is the time of its last use, for the sweep.
 */
import type { FileHandle } from 'node:fs/promises'
import { chmod, open, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import {
  createDigester,
  digestAlgorithm,
  digestAlgorithms,
  digestHex,
  digestOf,
  isDigest,
} from '../digests.ts'
import { manifestSizeMax } from '../manifests.ts'
import { isRepositoryName, isTag } from '../names.ts'
import { createDiskUploads } from './disk-uploads.ts'
import {
  ifPresent,
  listNames,
  makeDirectory,
  markUsed,
  moveDurably,
  privateFolder,
  readText,
  removeDurably,
  removeIfUnused,
  restoreSetAside,
  writeDurably,
} from './files.ts'
import type { ByteRange, RegistryStore, StoredManifest, StoreRefusal } from './index.ts'
import {
  namedReferrers,
  readNewManifest,
  readReferrers,
  requireChildren,
  requireRoomForReferrer,
} from './index.ts'

const formatText = 'seaworthy-registry 1\n'
/**
 * Larger pieces leave the processor's cache, smaller ones cost more calls: measured on pulls of 100
 * MB.
 */
const readBytes = 512 * 1024

/**
 * Opens or makes the store in `root`. Any number of processes may have it open. Throws `Error` when
 * the folder holds another format.
 */
export async function openDiskStore(
  root: string,
  ports: { clock: Clock; random: Random },
): Promise<RegistryStore> {
  const contentRoot = join(root, 'content')
  const repositoryRoot = join(root, 'repositories')
  const uploadRoot = join(root, 'uploads')
  const temporaryRoot = join(root, 'new')
  for (const folder of [contentRoot, repositoryRoot, uploadRoot, temporaryRoot]) {
    await makeDirectory(folder)
  }
  // A folder of an earlier version was open to every account of the host, and what lies below it
  // still is.
  const { mode, uid } = await stat(root)
  if ((mode & 0o077) !== 0 && uid === process.getuid?.()) await chmod(root, privateFolder)
  const newPath = () => join(temporaryRoot, hexEncode(ports.random.bytes(16)))
  const format = await readText(join(root, 'format'))
  if (format === undefined) await writeDurably(join(root, 'format'), formatText, newPath())
  else if (format !== formatText)
    throw new Error(`${root} holds another format than this program's`)

  const uploads = createDiskUploads(uploadRoot, ports)
  const contentPath = (digest: Digest) =>
    join(contentRoot, digestAlgorithm(digest), digestHex(digest).slice(0, 2), digestHex(digest))
  const repositoryPath = (name: string) => {
    invariant(isRepositoryName(name), 'a checked repository name')
    return join(repositoryRoot, name)
  }
  const linkPath = (repository: string, kind: '_blobs' | '_manifests', digest: Digest) =>
    join(repositoryPath(repository), kind, digestAlgorithm(digest), digestHex(digest))
  const tagPath = (repository: string, tag: string) => {
    invariant(isTag(tag), 'a checked tag')
    return join(repositoryPath(repository), '_tags', tag)
  }
  const referrerFolder = (repository: string, subject: Digest) =>
    join(repositoryPath(repository), '_referrers', digestAlgorithm(subject), digestHex(subject))

  /** Marks content and link as used, content first; `false` when either is missing. */
  async function use(repository: string, kind: '_blobs' | '_manifests', digest: Digest) {
    const now = ports.clock.now()
    if (!(await markUsed(contentPath(digest), now))) return false
    return markUsed(linkPath(repository, kind, digest), now)
  }

  async function writeLink(path: string, text: string): Promise<void> {
    await writeDurably(path, text, newPath())
    await markUsed(path, ports.clock.now())
  }

  async function storeContent(digest: Digest, from: string): Promise<void> {
    await moveDurably(from, contentPath(digest))
    await markUsed(contentPath(digest), ports.clock.now())
  }

  async function listDigests(folder: string): Promise<Digest[]> {
    const digests: Digest[] = []
    for (const algorithm of digestAlgorithms) {
      for (const name of await listNames(join(folder, algorithm))) {
        const digest = `${algorithm}:${name}`
        if (isDigest(digest)) digests.push(digest)
      }
    }
    return digests
  }

  async function* listContentFolders(): AsyncGenerator<{ algorithm: string; path: string }> {
    for (const algorithm of digestAlgorithms) {
      for (const shard of await listNames(join(contentRoot, algorithm))) {
        yield { algorithm, path: join(contentRoot, algorithm, shard) }
      }
    }
  }

  async function* listContent(): AsyncGenerator<Digest> {
    for await (const { algorithm, path } of listContentFolders()) {
      for (const name of await listNames(path)) {
        const digest = `${algorithm}:${name}`
        if (isDigest(digest)) yield digest
      }
    }
  }

  async function peekManifest(
    repository: string,
    digest: Digest,
  ): Promise<StoredManifest | undefined> {
    const mediaType = await readText(linkPath(repository, '_manifests', digest))
    if (mediaType === undefined) return undefined
    const size = (await ifPresent(stat(contentPath(digest))))?.size ?? Infinity
    const bytes =
      size <= manifestSizeMax ? await ifPresent(readFile(contentPath(digest))) : undefined
    if (!bytes || digestOf(bytes, digestAlgorithm(digest)) !== digest) {
      throw new Refusal<StoreRefusal>('content_damaged', `manifest ${digest} is damaged or lost`)
    }
    return { digest, mediaType, bytes }
  }

  const store: RegistryStore = {
    async statBlob(repository, digest) {
      if (!(await use(repository, '_blobs', digest))) return undefined
      const content = await ifPresent(stat(contentPath(digest)))
      return content && { digest, size: content.size }
    },
    async openBlob(repository, digest) {
      if (!(await use(repository, '_blobs', digest))) return undefined
      const file = await ifPresent(open(contentPath(digest), 'r'))
      if (!file) return undefined
      const { size } = await file.stat()
      const whole = { start: 0, end: size }
      const damaged = () =>
        new Refusal<StoreRefusal>('content_damaged', `blob ${digest} is cut off`)
      return {
        digest,
        size,
        read: (range = whole) =>
          readAhead(file, range, () => Buffer.allocUnsafeSlow(readBytes), damaged),
        readShared: (range = whole) => {
          const buffers = [Buffer.allocUnsafeSlow(readBytes), Buffer.allocUnsafeSlow(readBytes)]
          let turn = 0
          return readAhead(file, range, () => buffers[turn++ % 2]!, damaged)
        },
        close: () => file.close(),
      }
    },
    async mountBlob(repository, digest, from) {
      if (!(await use(from, '_blobs', digest))) return false
      await writeLink(linkPath(repository, '_blobs', digest), '')
      return markUsed(contentPath(digest), ports.clock.now())
    },
    deleteBlob: (repository, digest) => removeDurably(linkPath(repository, '_blobs', digest)),

    createUpload: (repository) => uploads.create(repository),
    uploadSize: (repository, uploadId) => uploads.size(repository, uploadId),
    appendUpload: (repository, uploadId, options) => uploads.append(repository, uploadId, options),
    async commitUpload(repository, uploadId, digest) {
      const size = await uploads.commit(repository, uploadId, digest, async (path) => {
        await storeContent(digest, path)
        await writeLink(linkPath(repository, '_blobs', digest), '')
      })
      return { digest, size }
    },
    cancelUpload: (repository, uploadId) => uploads.cancel(repository, uploadId),

    async putManifest(repository, options) {
      const { digest, manifest } = readNewManifest(options)
      await requireChildren(manifest, async (child, kind) => {
        const link = kind === 'blob' ? '_blobs' : '_manifests'
        if (!(await use(repository, link, child.digest))) return false
        return (await ifPresent(stat(contentPath(child.digest))))?.size === child.size
      })
      if (manifest.subject) {
        const names = await listNames(referrerFolder(repository, manifest.subject.digest))
        const noted = new Set(await Array.fromAsync(namedReferrers(names)))
        await requireRoomForReferrer(noted, digest, () => store.listManifests(repository))
      }
      const temporary = newPath()
      await writeDurably(contentPath(digest), options.bytes, temporary)
      await markUsed(contentPath(digest), ports.clock.now())
      if (manifest.subject) {
        const name = `${digestAlgorithm(digest)}-${digestHex(digest)}`
        const folder = referrerFolder(repository, manifest.subject.digest)
        await writeDurably(join(folder, name), '', newPath())
      }
      await writeLink(linkPath(repository, '_manifests', digest), manifest.mediaType)
      if (options.tag !== undefined) {
        await writeDurably(tagPath(repository, options.tag), digest, newPath())
      }
      return { digest, manifest }
    },
    async getManifest(repository, digest) {
      await use(repository, '_manifests', digest)
      return peekManifest(repository, digest)
    },
    peekManifest,
    async deleteManifest(repository, digest) {
      for (const tag of await store.listTags(repository)) {
        if ((await store.resolveTag(repository, tag)) === digest) {
          await removeDurably(tagPath(repository, tag))
        }
      }
      return removeDurably(linkPath(repository, '_manifests', digest))
    },
    async resolveTag(repository, tag) {
      const text = await readText(tagPath(repository, tag))
      return text !== undefined && isDigest(text) ? text : undefined
    },
    deleteTag: (repository, tag) => removeDurably(tagPath(repository, tag)),
    async listTags(repository, { after = '', max = Infinity } = {}) {
      const names = await listNames(join(repositoryPath(repository), '_tags'))
      return names.filter((name) => isTag(name) && name > after).slice(0, max)
    },
    async listReferrers(repository, digest) {
      const names = await listNames(referrerFolder(repository, digest))
      return readReferrers(names, digest, (referrer) => peekManifest(repository, referrer))
    },
    async hasRepository(repository) {
      const names = await listNames(repositoryPath(repository))
      return names.includes('_blobs') || names.includes('_manifests')
    },
    async listRepositories() {
      const found: string[] = []
      const walk = async (name: string) => {
        // A stray file beside the repositories is none of them.
        const names = (await ifPresent(listNames(join(repositoryRoot, name)))) ?? []
        if (name !== '' && names.some((n) => n === '_blobs' || n === '_manifests')) found.push(name)
        for (const child of names) {
          if (!child.startsWith('_')) await walk(name === '' ? child : `${name}/${child}`)
        }
      }
      await walk('')
      return found.toSorted()
    },
    listManifests: (repository) => listDigests(join(repositoryPath(repository), '_manifests')),
    listBlobs: (repository) => listDigests(join(repositoryPath(repository), '_blobs')),

    async sweepManifests({ unusedSince, isNeeded }) {
      let count = 0
      for (const repository of await store.listRepositories()) {
        for (const algorithm of digestAlgorithms) {
          await restoreSetAside(join(repositoryPath(repository), '_manifests', algorithm))
        }
        for (const digest of await store.listManifests(repository)) {
          if (await isNeeded(repository, digest)) continue
          const path = linkPath(repository, '_manifests', digest)
          if ((await removeIfUnused(path, unusedSince)) !== undefined) count++
        }
      }
      return count
    },
    async sweepBlobs({ unusedSince, isNeeded }) {
      let count = 0
      for (const repository of await store.listRepositories()) {
        const folder = join(repositoryPath(repository), '_blobs')
        for (const algorithm of digestAlgorithms) await restoreSetAside(join(folder, algorithm))
        for (const digest of await listDigests(folder)) {
          if (await isNeeded(repository, digest)) continue
          const path = linkPath(repository, '_blobs', digest)
          if ((await removeIfUnused(path, unusedSince)) !== undefined) count++
        }
      }
      return count
    },
    async sweepContent({ unusedSince, isNeeded }) {
      const removed = { count: 0, bytes: 0 }
      for await (const { path } of listContentFolders()) await restoreSetAside(path)
      for await (const digest of listContent()) {
        if (isNeeded(digest)) continue
        const bytes = await removeIfUnused(contentPath(digest), unusedSince)
        if (bytes === undefined) continue
        removed.count++
        removed.bytes += bytes
      }
      return removed
    },
    async sweepUploads({ unusedSince }) {
      for (const name of await listNames(temporaryRoot)) {
        await removeIfUnused(join(temporaryRoot, name), unusedSince)
      }
      return uploads.sweep(unusedSince)
    },
    async scrub() {
      const damaged: Digest[] = []
      const asideRoot = join(root, 'damaged')
      for await (const digest of listContent()) {
        const file = await ifPresent(open(contentPath(digest), 'r'))
        if (!file) continue
        const digester = createDigester(digestAlgorithm(digest))
        for await (const piece of file.createReadStream({ highWaterMark: readBytes })) {
          digester.update(piece as Uint8Array)
        }
        if (digester.finish() === digest) continue
        await makeDirectory(asideRoot)
        await rename(contentPath(digest), join(asideRoot, digest.replace(':', '-')))
        damaged.push(digest)
      }
      return damaged
    },
  }
  return store
}

/** Reads the next piece while the present one is in use; closes the file at the end. */
async function* readAhead(
  file: FileHandle,
  { start, end }: ByteRange,
  nextBuffer: () => Buffer,
  damaged: () => Error,
): AsyncGenerator<Uint8Array> {
  const readAt = (position: number) =>
    file.read(nextBuffer(), 0, Math.min(readBytes, end - position), position)
  try {
    let position = start
    let next = position < end ? readAt(position) : undefined
    while (next) {
      const { buffer, bytesRead } = await next
      if (bytesRead === 0) throw damaged()
      position += bytesRead
      next = position < end ? readAt(position) : undefined
      // It is awaited in the next round; this keeps a rejection until then from counting as
      // unhandled.
      next?.catch(() => {})
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
