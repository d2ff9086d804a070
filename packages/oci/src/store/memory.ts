/**
 * A store in memory, for tests and simulations. It keeps nothing across a restart and copies
 * nothing it is handed.
 */
import { createByteCollector, hexEncode, joinBytes } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { digestAlgorithm, digestOf } from '../digests.ts'
import type { RegistryStore, StoreRefusal, StoredManifest } from './index.ts'
import {
  parseStoredManifest,
  readNewManifest,
  referrerDescriptor,
  requireChildren,
  requireRoomForReferrer,
} from './index.ts'

interface Repository {
  /** Digest → last use, in milliseconds. */
  blobs: Map<Digest, number>
  manifests: Map<Digest, { stored: StoredManifest; usedAtMs: number }>
  tags: Map<string, Digest>
  /** Subject → its referrers, of which some may be gone. */
  referrers: Map<Digest, Set<Digest>>
}

interface Upload {
  repository: string
  parts: Uint8Array[]
  size: number
  usedAtMs: number
}

export function createMemoryStore(ports: { clock: Clock; random: Random }): RegistryStore {
  const content = new Map<Digest, { bytes: Uint8Array; usedAtMs: number }>()
  const repositories = new Map<string, Repository>()
  const uploads = new Map<string, Upload>()
  const nowMs = () => ports.clock.now().getTime()

  const repositoryOf = (name: string): Repository => {
    const known = repositories.get(name)
    if (known) return known
    const made: Repository = {
      blobs: new Map(),
      manifests: new Map(),
      tags: new Map(),
      referrers: new Map(),
    }
    repositories.set(name, made)
    return made
  }
  const uploadOf = (repository: string, uploadId: string): Upload => {
    const upload = uploads.get(uploadId)
    if (upload?.repository !== repository) {
      throw new Refusal<StoreRefusal>('upload_unknown', 'no such upload')
    }
    return upload
  }
  const link = (repository: string, digest: Digest, bytes: Uint8Array) => {
    content.set(digest, { bytes, usedAtMs: nowMs() })
    repositoryOf(repository).blobs.set(digest, nowMs())
  }
  /** The bytes of a linked blob; counts as use. */
  const use = (repository: string, digest: Digest): Uint8Array | undefined => {
    const links = repositories.get(repository)?.blobs
    const kept = content.get(digest)
    if (!links?.has(digest) || !kept) return undefined
    links.set(digest, nowMs())
    kept.usedAtMs = nowMs()
    return kept.bytes
  }

  const store: RegistryStore = {
    async statBlob(repository, digest) {
      const bytes = use(repository, digest)
      return bytes && { digest, size: bytes.length }
    },
    async openBlob(repository, digest) {
      const bytes = use(repository, digest)
      if (!bytes) return undefined
      const read = async function* (range = { start: 0, end: bytes.length }) {
        yield bytes.subarray(range.start, range.end)
      }
      return { digest, size: bytes.length, read, readShared: read, async close() {} }
    },
    async mountBlob(repository, digest, from) {
      const bytes = use(from, digest)
      if (!bytes) return false
      link(repository, digest, bytes)
      return true
    },
    async deleteBlob(repository, digest) {
      return repositories.get(repository)?.blobs.delete(digest) ?? false
    },

    async createUpload(repository) {
      const uploadId = hexEncode(ports.random.bytes(16))
      uploads.set(uploadId, { repository, parts: [], size: 0, usedAtMs: nowMs() })
      return uploadId
    },
    async uploadSize(repository, uploadId) {
      return uploadOf(repository, uploadId).size
    },
    async appendUpload(repository, uploadId, { offset, source, sizeMax }) {
      const upload = uploadOf(repository, uploadId)
      const received = createByteCollector()
      let size = offset
      let failure: { error: unknown } | undefined
      if (offset !== upload.size) {
        throw new Refusal<StoreRefusal>('upload_offset', 'the upload is at another offset')
      }
      try {
        for await (const piece of source) {
          size += piece.length
          if (size > sizeMax) throw new Refusal<StoreRefusal>('upload_too_large', 'too many bytes')
          received.add(piece)
        }
      } catch (error) {
        if (error instanceof Refusal) throw error
        failure = { error }
      }
      if (offset !== upload.size) {
        throw new Refusal<StoreRefusal>('upload_offset', 'the upload is at another offset')
      }
      upload.parts.push(received.take())
      upload.size = size
      upload.usedAtMs = nowMs()
      if (failure) throw failure.error
      return size
    },
    async commitUpload(repository, uploadId, digest) {
      const bytes = joinBytes(uploadOf(repository, uploadId).parts)
      uploads.delete(uploadId)
      if (digestOf(bytes, digestAlgorithm(digest)) !== digest) {
        throw new Refusal<StoreRefusal>('digest_mismatch', 'the bytes do not have that digest')
      }
      link(repository, digest, bytes)
      return { digest, size: bytes.length }
    },
    async cancelUpload(repository, uploadId) {
      if (uploads.get(uploadId)?.repository === repository) uploads.delete(uploadId)
    },

    async putManifest(repository, options) {
      const { digest, manifest } = readNewManifest(options)
      await requireChildren(manifest, async (child, kind) => {
        const bytes =
          kind === 'blob'
            ? use(repository, child.digest)
            : (await store.getManifest(repository, child.digest))?.bytes
        return bytes?.length === child.size
      })
      if (manifest.subject) {
        const { referrers } = repositoryOf(repository)
        const noted = referrers.get(manifest.subject.digest) ?? new Set()
        await requireRoomForReferrer(noted, digest, () => store.listManifests(repository))
        referrers.set(manifest.subject.digest, noted.add(digest))
      }
      const bytes = Uint8Array.from(options.bytes)
      const stored = { digest, mediaType: manifest.mediaType, bytes }
      content.set(digest, { bytes, usedAtMs: nowMs() })
      const kept = repositoryOf(repository)
      kept.manifests.set(digest, { stored, usedAtMs: nowMs() })
      if (options.tag !== undefined) kept.tags.set(options.tag, digest)
      return { digest, manifest }
    },
    async getManifest(repository, digest) {
      const kept = repositories.get(repository)?.manifests.get(digest)
      const bytes = content.get(digest)
      if (!kept || !bytes) return undefined
      kept.usedAtMs = nowMs()
      bytes.usedAtMs = nowMs()
      return kept.stored
    },
    async peekManifest(repository, digest) {
      const kept = repositories.get(repository)?.manifests.get(digest)
      return kept && content.has(digest) ? kept.stored : undefined
    },
    async deleteManifest(repository, digest) {
      const kept = repositories.get(repository)
      if (!kept?.manifests.delete(digest)) return false
      for (const [tag, target] of kept.tags) if (target === digest) kept.tags.delete(tag)
      return true
    },
    async resolveTag(repository, tag) {
      return repositories.get(repository)?.tags.get(tag)
    },
    async deleteTag(repository, tag) {
      return repositories.get(repository)?.tags.delete(tag) ?? false
    },
    async listTags(repository, { after = '', max = Infinity } = {}) {
      const tags = [...(repositories.get(repository)?.tags.keys() ?? [])].toSorted()
      return tags.filter((tag) => tag > after).slice(0, max)
    },
    async listReferrers(repository, digest) {
      const manifests = [...(repositories.get(repository)?.manifests.values() ?? [])]
      return manifests
        .map(({ stored }) => ({ stored, manifest: parseStoredManifest(stored) }))
        .filter(({ manifest }) => manifest.subject?.digest === digest)
        .map(({ stored, manifest }) => referrerDescriptor(stored, manifest))
        .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    },
    async hasRepository(repository) {
      return repositories.has(repository)
    },
    async listRepositories() {
      return [...repositories.keys()].toSorted()
    },
    async listManifests(repository) {
      return [...(repositories.get(repository)?.manifests.keys() ?? [])].toSorted()
    },
    async listBlobs(repository) {
      return [...(repositories.get(repository)?.blobs.keys() ?? [])].toSorted()
    },

    async sweepManifests({ unusedSince, isNeeded }) {
      let count = 0
      for (const [name, { manifests }] of repositories) {
        for (const [digest, kept] of manifests) {
          if (kept.usedAtMs >= unusedSince.getTime() || (await isNeeded(name, digest))) continue
          if (kept.usedAtMs >= unusedSince.getTime()) continue
          manifests.delete(digest)
          count++
        }
      }
      return count
    },
    async sweepBlobs({ unusedSince, isNeeded }) {
      let count = 0
      for (const [name, { blobs }] of repositories) {
        for (const digest of blobs.keys()) {
          if (await isNeeded(name, digest)) continue
          if (blobs.get(digest)! >= unusedSince.getTime()) continue
          blobs.delete(digest)
          count++
        }
      }
      return count
    },
    async sweepContent({ unusedSince, isNeeded }) {
      const removed = { count: 0, bytes: 0 }
      for (const [digest, { bytes, usedAtMs }] of content) {
        if (usedAtMs >= unusedSince.getTime() || isNeeded(digest)) continue
        content.delete(digest)
        removed.count++
        removed.bytes += bytes.length
      }
      return removed
    },
    async sweepUploads({ unusedSince }) {
      const old = [...uploads].filter(([, { usedAtMs }]) => usedAtMs < unusedSince.getTime())
      for (const [uploadId] of old) uploads.delete(uploadId)
      return old.length
    },
    async scrub() {
      const damaged = [...content].filter(
        ([digest, { bytes }]) => digestOf(bytes, digestAlgorithm(digest)) !== digest,
      )
      for (const [digest] of damaged) content.delete(digest)
      return damaged.map(([digest]) => digest)
    },
  }
  return store
}
