/**
 * A store in an S3-compatible bucket. `content/<algorithm>/<hex>` is a record that points to the
 * bytes, `repositories/<name>/{_blobs,_manifests,_tags, _referrers}` are the links,
 * `bytes/<upload>/<random>` the bytes themselves, which are never written twice: another ETag than
 * the recorded one means damage. Records are replaced and removed on the condition that nobody else
 * has, so any number of servers may share a bucket, and the collection of garbage needs no lock.
 * The order of changes is such that a link never comes before what it points to.
 */
import { hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import type { Digest } from '../../digests.ts'
import { createDigester, digestAlgorithm, digestHex, digestOf, isDigest } from '../../digests.ts'
import { manifestSizeMax } from '../../manifests.ts'
import { isRepositoryName, isTag } from '../../names.ts'
import type { RegistryStore, StoredManifest, StoreRefusal, SweepOptions } from '../index.ts'
import {
  namedReferrers,
  readNewManifest,
  readReferrers,
  requireChildren,
  requireRoomForReferrer,
} from '../index.ts'
import type { S3Client } from './client.ts'
import { ObjectStoreError } from './errors.ts'
import type { ContentRecord, LinkRecord, StoredBytes } from './records.ts'
import {
  encodeRecord,
  isUnreadable,
  isUnused,
  lookAtRecord,
  parseContent,
  parseLink,
  readRecord,
  readTag,
  removeUnchanged,
  useRecord,
} from './records.ts'
import { readStream } from './stream.ts'
import { createS3Uploads } from './uploads.ts'

export { createS3Client } from './client.ts'
export { ObjectStoreError } from './errors.ts'
export { parseS3Location } from './location.ts'
export type { S3Location } from './location.ts'
export type { S3Credentials } from './sign.ts'

/** The parts of the world that the store needs; the clock says when something was used. */
export interface StorePorts {
  clock: Clock
  random: Random
}

const formatText = 'seaworthy-registry s3 1\n'

/**
 * Opens the store below the client's prefix, or makes one where there is none. Throws
 * `ObjectStoreError` when the bucket cannot be reached or used, or when the server does not decide
 * conditional writes: without them two writers would destroy each other's work.
 */
export async function openS3Store(client: S3Client, ports: StorePorts): Promise<RegistryStore> {
  await client.write('format', utf8Encode(formatText), 'absent')
  const format = await client.read('format', 1000)
  if (format === undefined || utf8Decode(format.bytes) !== formatText) {
    throw new ObjectStoreError('failed', "the bucket holds another format than this program's")
  }
  const probe = `probe/${hexEncode(ports.random.bytes(16))}`
  const first = await client.write(probe, utf8Encode('1'), 'absent')
  const second = await client.write(probe, utf8Encode('2'), 'absent')
  const third = await client.write(probe, utf8Encode('3'), { etag: `"${'0'.repeat(32)}"` })
  const fourth = await client.write(probe, utf8Encode('4'), { etag: first ?? '' })
  if (first === undefined || second !== undefined || third !== undefined || fourth === undefined) {
    throw new ObjectStoreError(
      'unsupported',
      'the object store does not decide conditional writes (If-None-Match and If-Match of PutObject), which several writers need',
    )
  }
  const canRemove = await removesOnCondition(client, probe, first)
  await client.remove(probe)
  return createStore(client, ports, canRemove)
}

/** Whether the server removes on a condition: some ignore the condition, some do not know it. */
async function removesOnCondition(client: S3Client, key: string, wrong: string): Promise<boolean> {
  try {
    await client.remove(key, { etag: wrong })
  } catch (error) {
    if (error instanceof ObjectStoreError && error.fault === 'unsupported') return false
    throw error
  }
  return (await client.head(key)) !== undefined
}

function createStore(client: S3Client, ports: StorePorts, canRemove: boolean): RegistryStore {
  const contentKey = (digest: Digest) => `content/${digestAlgorithm(digest)}/${digestHex(digest)}`
  const repositoryKey = (name: string) => {
    invariant(isRepositoryName(name), 'a checked repository name')
    return `repositories/${name}`
  }
  const linkKey = (repository: string, kind: '_blobs' | '_manifests', digest: Digest) =>
    `${repositoryKey(repository)}/${kind}/${digestAlgorithm(digest)}/${digestHex(digest)}`
  const tagKey = (repository: string, tag: string) => {
    invariant(isTag(tag), 'a checked tag')
    return `${repositoryKey(repository)}/_tags/${tag}`
  }
  const referrerKey = (repository: string, subject: Digest) =>
    `${repositoryKey(repository)}/_referrers/${digestAlgorithm(subject)}/${digestHex(subject)}/`
  const nowMs = () => ports.clock.now().getTime()
  const uploads = createS3Uploads(client, contentKey, ports, canRemove)

  /** Content and link, both marked as used; `undefined` when either is missing. */
  async function use(repository: string, kind: '_blobs' | '_manifests', digest: Digest) {
    const [content, link] = await Promise.all([
      useRecord(client, contentKey(digest), parseContent, nowMs()),
      useRecord(client, linkKey(repository, kind, digest), parseLink, nowMs()),
    ])
    return content && link && { content, link }
  }

  /** Whether the bytes are still those that were written. */
  async function isUnchanged({ key, etag, size }: StoredBytes): Promise<boolean> {
    const facts = await client.head(key)
    return facts?.etag === etag && facts.size === size
  }

  async function useBlob(repository: string, digest: Digest): Promise<ContentRecord | undefined> {
    const used = await use(repository, '_blobs', digest)
    return used && (await isUnchanged(used.content)) ? used.content : undefined
  }

  async function writeLink(key: string, link: Omit<LinkRecord, 'usedAtMs'> = {}): Promise<void> {
    await client.write(key, encodeRecord({ ...link, usedAtMs: nowMs() }))
  }

  /**
   * Makes the digest's record point to `bytes`, unless it points to whole ones already. A record
   * that cannot be read is replaced.
   */
  async function adopt(
    digest: Digest,
    bytes: StoredBytes,
    isWhole: (present: StoredBytes) => Promise<boolean>,
  ): Promise<void> {
    const key = contentKey(digest)
    for (;;) {
      const kept = await lookAtRecord(client, key, parseContent)
      const present = isUnreadable(kept?.value) ? undefined : kept?.value
      const chosen = present && (await isWhole(present)) ? present : bytes
      const written = await client.write(
        key,
        encodeRecord({ key: chosen.key, etag: chosen.etag, size: chosen.size, usedAtMs: nowMs() }),
        kept === undefined ? 'absent' : { etag: kept.etag },
      )
      if (written === undefined) continue
      if (present && chosen !== present) await client.remove(present.key)
      return
    }
  }

  async function listDigests(prefix: string): Promise<Digest[]> {
    const digests: Digest[] = []
    for await (const { key, size } of client.list(prefix)) {
      const digest = key.slice(prefix.length).replace('/', ':')
      if (size > 0 && isDigest(digest)) digests.push(digest)
    }
    return digests.toSorted()
  }

  async function readManifest(
    digest: Digest,
    content: ContentRecord | undefined,
    link: LinkRecord,
  ): Promise<StoredManifest> {
    const found =
      content && content.size <= manifestSizeMax
        ? await client.read(content.key, manifestSizeMax)
        : undefined
    if (!found || digestOf(found.bytes, digestAlgorithm(digest)) !== digest) {
      throw new Refusal<StoreRefusal>('content_damaged', `manifest ${digest} is damaged or lost`)
    }
    return { digest, mediaType: link.mediaType ?? '', bytes: found.bytes }
  }

  async function peekManifest(repository: string, digest: Digest) {
    const [content, link] = await Promise.all([
      readRecord(client, contentKey(digest), parseContent),
      readRecord(client, linkKey(repository, '_manifests', digest), parseLink),
    ])
    if (!link?.value) return undefined
    return readManifest(digest, content?.value ?? undefined, link.value)
  }

  async function sweepLinks(
    kind: '_blobs' | '_manifests',
    { unusedSince, isNeeded }: SweepOptions,
  ): Promise<number> {
    let count = 0
    for (const repository of await store.listRepositories()) {
      for (const digest of await listDigests(`${repositoryKey(repository)}/${kind}/`)) {
        if (await isNeeded(repository, digest)) continue
        const key = linkKey(repository, kind, digest)
        const kept = await lookAtRecord(client, key, parseLink)
        // What cannot be read is left to people: it may be what a release needs.
        if (!kept?.value || isUnreadable(kept.value)) continue
        if (!isUnused(kept.value, unusedSince)) continue
        if (await removeUnchanged(client, key, kept.etag, canRemove)) count++
      }
    }
    return count
  }

  const store: RegistryStore = {
    async statBlob(repository, digest) {
      const content = await useBlob(repository, digest)
      return content && { digest, size: content.size }
    },
    async openBlob(repository, digest) {
      const content = await useBlob(repository, digest)
      if (!content) return undefined
      const damaged = () =>
        new Refusal<StoreRefusal>('content_damaged', `blob ${digest} was changed or is cut off`)
      const read = (range = { start: 0, end: content.size }) =>
        readStream(client, content, range, damaged)
      return { digest, size: content.size, read, readShared: read, async close() {} }
    },
    async mountBlob(repository, digest, from) {
      if (!(await useBlob(from, digest))) return false
      await writeLink(linkKey(repository, '_blobs', digest))
      return (await use(repository, '_blobs', digest)) !== undefined
    },
    deleteBlob: (repository, digest) => removePresent(linkKey(repository, '_blobs', digest)),

    createUpload: (repository) => uploads.create(repository),
    uploadSize: (repository, uploadId) => uploads.size(repository, uploadId),
    appendUpload: (repository, uploadId, options) => uploads.append(repository, uploadId, options),
    async commitUpload(repository, uploadId, digest) {
      const size = await uploads.commit(repository, uploadId, digest, async (bytes) => {
        await adopt(digest, bytes, isUnchanged)
        await writeLink(linkKey(repository, '_blobs', digest))
      })
      return { digest, size }
    },
    cancelUpload: (repository, uploadId) => uploads.cancel(repository, uploadId),

    async putManifest(repository, options) {
      const { digest, manifest } = readNewManifest(options)
      await requireChildren(manifest, async (child, kind) => {
        const used = await use(repository, kind === 'blob' ? '_blobs' : '_manifests', child.digest)
        return used?.content.size === child.size
      })
      if (manifest.subject) {
        const names = listNames(client, referrerKey(repository, manifest.subject.digest))
        const noted = new Set(await Array.fromAsync(namedReferrers(names)))
        await requireRoomForReferrer(noted, digest, () => store.listManifests(repository))
      }
      await uploads.store(digest, options.bytes, (bytes) =>
        adopt(digest, bytes, (present) => hasDigest(client, present, digest)),
      )
      if (manifest.subject) {
        const folder = referrerKey(repository, manifest.subject.digest)
        const name = `${digestAlgorithm(digest)}-${digestHex(digest)}`
        await client.write(`${folder}${name}`, utf8Encode(digest))
      }
      await writeLink(linkKey(repository, '_manifests', digest), { mediaType: manifest.mediaType })
      if (options.tag !== undefined) {
        await client.write(tagKey(repository, options.tag), utf8Encode(digest))
      }
      return { digest, manifest }
    },
    async getManifest(repository, digest) {
      const used = await use(repository, '_manifests', digest)
      if (used) return readManifest(digest, used.content, used.link)
      return peekManifest(repository, digest)
    },
    peekManifest,
    async deleteManifest(repository, digest) {
      for (const tag of await store.listTags(repository)) {
        if ((await store.resolveTag(repository, tag)) === digest) {
          await client.remove(tagKey(repository, tag))
        }
      }
      return removePresent(linkKey(repository, '_manifests', digest))
    },
    async resolveTag(repository, tag) {
      return await readTag(client, tagKey(repository, tag))
    },
    async deleteTag(repository, tag) {
      const key = tagKey(repository, tag)
      // An empty tag is a damaged one, and can be removed, too.
      if ((await client.head(key)) === undefined) return false
      await client.remove(key)
      return true
    },
    async listTags(repository, { after = '', max = Infinity } = {}) {
      const prefix = `${repositoryKey(repository)}/_tags/`
      const tags: string[] = []
      for await (const { key } of client.list(prefix, after === '' ? {} : { after })) {
        const tag = key.slice(prefix.length)
        if (isTag(tag) && tag > after) tags.push(tag)
        if (tags.length >= max) break
      }
      return tags
    },
    async listReferrers(repository, digest) {
      const names = listNames(client, referrerKey(repository, digest))
      return readReferrers(names, digest, (referrer) => peekManifest(repository, referrer))
    },
    async hasRepository(repository) {
      const folders = await client.listFolders(`${repositoryKey(repository)}/`)
      return folders.includes('_blobs/') || folders.includes('_manifests/')
    },
    async listRepositories() {
      const found: string[] = []
      const walk = async (name: string) => {
        const folders = await client.listFolders(`repositories/${name}`)
        if (folders.includes('_blobs/') || folders.includes('_manifests/')) {
          found.push(name.slice(0, -1))
        }
        for (const folder of folders) if (!folder.startsWith('_')) await walk(`${name}${folder}`)
      }
      await walk('')
      return found.filter(isRepositoryName).toSorted()
    },
    listManifests: (repository) => listDigests(`${repositoryKey(repository)}/_manifests/`),
    listBlobs: (repository) => listDigests(`${repositoryKey(repository)}/_blobs/`),

    sweepManifests: (options) => sweepLinks('_manifests', options),
    sweepBlobs: (options) => sweepLinks('_blobs', options),
    async sweepContent({ unusedSince, isNeeded }) {
      const removed = { count: 0, bytes: 0 }
      for (const digest of await listDigests('content/')) {
        if (isNeeded(digest)) continue
        const key = contentKey(digest)
        const kept = await lookAtRecord(client, key, parseContent)
        // The search for damage sets aside what cannot be read.
        if (!kept?.value || isUnreadable(kept.value)) continue
        if (!isUnused(kept.value, unusedSince)) continue
        const unlink = () => removeUnchanged(client, key, kept.etag, canRemove)
        if (!(await uploads.remove(digest, kept.value.key, unlink))) continue
        removed.count++
        removed.bytes += kept.value.size
      }
      return removed
    },
    sweepUploads: ({ unusedSince }) => uploads.sweep(unusedSince),
    async scrub() {
      const damaged: Digest[] = []
      for (const digest of await listDigests('content/')) {
        const key = contentKey(digest)
        const kept = await lookAtRecord(client, key, parseContent)
        if (!kept?.value) continue
        const { value } = kept
        if (!isUnreadable(value) && (await hasDigest(client, value, digest))) continue
        // The record is for people who want to look; the bytes stay where they are.
        const record = isUnreadable(value) ? value.bytes : encodeRecord(value)
        await client.write(`damaged/${digest.replace(':', '-')}`, record)
        if (await removeUnchanged(client, key, kept.etag, canRemove)) damaged.push(digest)
      }
      return damaged
    },
  }

  /** S3 answers the same whether there was an object or not. */
  async function removePresent(key: string): Promise<boolean> {
    const facts = await client.head(key)
    if (facts === undefined || facts.size === 0) return false
    await client.remove(key)
    return true
  }
  return store
}

/** Reads the bytes again, and compares their digest. */
async function hasDigest(client: S3Client, bytes: StoredBytes, digest: Digest): Promise<boolean> {
  const digester = createDigester(digestAlgorithm(digest))
  const damaged = () => new Refusal<StoreRefusal>('content_damaged', 'changed')
  try {
    for await (const piece of readStream(client, bytes, { start: 0, end: bytes.size }, damaged)) {
      digester.update(piece)
    }
  } catch (error) {
    if (error instanceof Refusal && error.code === 'content_damaged') return false
    throw error
  }
  return digester.finish() === digest
}

/** The names below a folder, without the folder. */
async function* listNames(client: S3Client, folder: string): AsyncGenerator<string> {
  for await (const { key } of client.list(folder)) yield key.slice(folder.length)
}
