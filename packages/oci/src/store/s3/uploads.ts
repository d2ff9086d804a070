/**
 * Uploads in object storage: a record `uploads/<id>` with the segments received so far, each an
 * object below `bytes/<id>/`. Every step replaces the record on the condition that nobody else has,
 * so of two writers at one offset one wins, on whatever replica they are.
 */
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import type { Digest } from '../../digests.ts'
import { createDigester, digestAlgorithm } from '../../digests.ts'
import type { StoreRefusal } from '../index.ts'
import type { Uploads } from '../uploads.ts'
import type { S3Client } from './client.ts'
import type { Kept, Segment, StoredBytes, UploadRecord } from './records.ts'
import {
  encodeRecord,
  isUnreadable,
  lookAtRecord,
  parseContent,
  parseUpload,
  readRecord,
  removeUnchanged,
} from './records.ts'
import { partBytesFor, readStream, writeStream } from './stream.ts'

const touchEveryMs = 10 * 60_000
/** The most segments of an upload: its record grows with each of them. */
const segmentsMax = 10_000
/** Segments below this are gathered with the ones before them. */
const gatheredBytesMin = 8 * 1024 * 1024

export interface S3Uploads extends Uploads<StoredBytes> {
  /**
   * Stores small bytes that are known to have the digest, without the steps of an upload from
   * outside.
   */
  store(
    digest: Digest,
    bytes: Uint8Array,
    take: (bytes: StoredBytes) => Promise<void>,
  ): Promise<void>
  /**
   * Removes bytes that content pointed to: `unlink` removes that pointer, unless it is in use
   * again.
   */
  remove(digest: Digest, key: string, unlink: () => Promise<boolean>): Promise<boolean>
}

function unknown(): never {
  throw new Refusal<StoreRefusal>('upload_unknown', 'no such upload')
}

function misplaced(): never {
  throw new Refusal<StoreRefusal>('upload_offset', 'the upload is at another offset')
}

export function createS3Uploads(
  client: S3Client,
  contentKey: (digest: Digest) => string,
  ports: { clock: Clock; random: Random },
  canRemove: boolean,
): S3Uploads {
  const recordKey = (uploadId: string) => `uploads/${uploadId}`
  const newKey = (uploadId: string) => `bytes/${uploadId}/${hexEncode(ports.random.bytes(8))}`
  const nowMs = () => ports.clock.now().getTime()
  const sizeOf = ({ segments }: UploadRecord) => segments.reduce((sum, { size }) => sum + size, 0)
  const damaged = () => new Refusal<StoreRefusal>('content_damaged', 'an upload was changed')

  async function find(repository: string, uploadId: string): Promise<Kept<UploadRecord>> {
    if (!/^[0-9a-f]{32}$/.test(uploadId)) return unknown()
    const kept = await readRecord(client, recordKey(uploadId), parseUpload)
    if (!kept?.value || kept.value.repository !== repository || kept.value.state === 'removing') {
      return unknown()
    }
    return { value: kept.value, etag: kept.etag }
  }

  function replace(uploadId: string, value: UploadRecord, etag: string) {
    return client.write(recordKey(uploadId), encodeRecord(value), { etag })
  }

  /**
   * Removes all bytes of an upload in state `removing` that its content does not point to, then its
   * record.
   */
  async function finishRemoval(uploadId: string, { digest }: UploadRecord): Promise<void> {
    const content =
      digest === null ? undefined : await readRecord(client, contentKey(digest), parseContent)
    for (const { key, partsId } of await client.listParts(`bytes/${uploadId}/`)) {
      await client.abortParts(key, partsId)
    }
    for await (const { key } of client.list(`bytes/${uploadId}/`)) {
      if (key !== content?.value?.key) await client.remove(key)
    }
    await client.remove(recordKey(uploadId))
  }

  async function startRemoval(uploadId: string, kept: Kept<UploadRecord>): Promise<boolean> {
    const value: UploadRecord = { ...kept.value, state: 'removing', segments: [] }
    if ((await replace(uploadId, value, kept.etag)) === undefined) return false
    await finishRemoval(uploadId, value)
    return true
  }

  /** One object with all bytes and its digest. */
  async function join(uploadId: string, segments: readonly Segment[], digest: Digest) {
    const digester = createDigester(digestAlgorithm(digest))
    const source = async function* () {
      for (const segment of segments) {
        const whole = { start: 0, end: segment.size }
        for await (const piece of readStream(client, segment, whole, damaged)) {
          digester.update(piece)
          yield piece
        }
      }
    }
    const size = segments.reduce((sum, segment) => sum + segment.size, 0)
    const joined = await writeStream(client, newKey(uploadId), source(), partBytesFor(size))
    return { ...joined, digest: digester.finish() }
  }

  /**
   * Puts the last segments together while none is larger than what follows it, so that an upload in
   * small pieces has few segments, and each byte is written again a few times at most.
   */
  async function gather(uploadId: string, segments: readonly Segment[]) {
    let from = segments.length - 1
    let size = segments[from]!.size
    while (from > 0 && size < gatheredBytesMin && segments[from - 1]!.size <= size) {
      from--
      size += segments[from]!.size
    }
    const replaced = segments.slice(from)
    if (replaced.length === 1) return { segments: [...segments], replaced: [] }
    const source = async function* () {
      for (const segment of replaced) {
        yield* readStream(client, segment, { start: 0, end: segment.size }, damaged)
      }
    }
    const bytes = await writeStream(client, newKey(uploadId), source(), partBytesFor(size))
    return { segments: [...segments.slice(0, from), { ...bytes, digest: null }], replaced }
  }

  async function digestSegment(segment: Segment, digest: Digest): Promise<Segment> {
    const algorithm = digestAlgorithm(digest)
    if (segment.digest !== null && digestAlgorithm(segment.digest) === algorithm) return segment
    const digester = createDigester(algorithm)
    const whole = { start: 0, end: segment.size }
    for await (const piece of readStream(client, segment, whole, damaged)) digester.update(piece)
    return { ...segment, digest: digester.finish() }
  }

  const uploads: S3Uploads = {
    async create(repository) {
      const uploadId = hexEncode(ports.random.bytes(16))
      const record: UploadRecord = {
        repository,
        usedAtMs: nowMs(),
        state: 'open',
        digest: null,
        segments: [],
      }
      await client.write(recordKey(uploadId), encodeRecord(record), 'absent')
      return uploadId
    },

    async size(repository, uploadId) {
      return sizeOf((await find(repository, uploadId)).value)
    },

    async append(repository, uploadId, { offset, source, sizeMax, algorithm }) {
      let kept = await find(repository, uploadId)
      if (kept.value.state !== 'open' || sizeOf(kept.value) !== offset) return misplaced()
      if (kept.value.segments.length >= segmentsMax) {
        throw new Refusal<StoreRefusal>('upload_too_large', 'too many pieces')
      }
      const digester = createDigester(algorithm)
      let failure: { error: unknown } | undefined
      let touchedAtMs = ports.clock.monotonicMs()
      // The record stays young while bytes come in; a writer that finds it changed stops.
      const touch = async () => {
        const value = { ...kept.value, usedAtMs: nowMs() }
        kept = { value, etag: (await replace(uploadId, value, kept.etag)) ?? misplaced() }
        touchedAtMs = ports.clock.monotonicMs()
      }
      const received = async function* () {
        try {
          for await (const piece of source) {
            if (offset + digester.byteCount + piece.length > sizeMax) {
              throw new Refusal<StoreRefusal>('upload_too_large', 'more bytes than are allowed')
            }
            digester.update(piece)
            yield piece
            if (ports.clock.monotonicMs() - touchedAtMs > touchEveryMs) await touch()
          }
        } catch (error) {
          if (error instanceof Refusal) throw error
          // What came before the source broke off is kept.
          failure = { error }
        }
      }
      const key = newKey(uploadId)
      const bytes = await writeStream(client, key, received(), partBytesFor(sizeMax))
      if (bytes.size > 0) {
        const segment = { ...bytes, digest: offset === 0 ? digester.finish() : null }
        const gathered = await gather(uploadId, [...kept.value.segments, segment])
        const { segments } = gathered
        const value = { ...kept.value, usedAtMs: nowMs(), segments }
        if ((await replace(uploadId, value, kept.etag)) === undefined) {
          for (const own of new Set([key, segments.at(-1)!.key])) await client.remove(own)
          throw new Refusal<StoreRefusal>('upload_offset', 'another request wrote at that offset')
        }
        // What is left behind by a crash goes with the upload.
        for (const old of gathered.replaced) await client.remove(old.key)
      } else {
        await client.remove(key)
      }
      if (failure) throw failure.error
      return offset + bytes.size
    },

    async commit(repository, uploadId, digest, take) {
      const kept = await find(repository, uploadId)
      const { segments } = kept.value
      const whole =
        segments.length === 1
          ? await digestSegment(segments[0]!, digest)
          : await join(uploadId, segments, digest)
      if (whole.digest !== digest) {
        await startRemoval(uploadId, kept)
        throw new Refusal<StoreRefusal>('digest_mismatch', 'the bytes do not have that digest')
      }
      const value: UploadRecord = {
        ...kept.value,
        usedAtMs: nowMs(),
        state: 'committing',
        digest,
        segments: [whole],
      }
      if ((await replace(uploadId, value, kept.etag)) === undefined) return unknown()
      await take({ key: whole.key, etag: whole.etag, size: whole.size })
      await finishRemoval(uploadId, value)
      return whole.size
    },

    async cancel(repository, uploadId) {
      if (!/^[0-9a-f]{32}$/.test(uploadId)) return
      const kept = await readRecord(client, recordKey(uploadId), parseUpload)
      // An upload that is being committed belongs to the process that commits it, or to the sweep
      // when that process has died.
      if (!kept?.value || kept.value.repository !== repository || kept.value.state !== 'open')
        return
      await startRemoval(uploadId, { value: kept.value, etag: kept.etag })
    },

    async sweep(unusedSince) {
      let count = 0
      for await (const { key } of client.list('uploads/')) {
        const uploadId = key.slice('uploads/'.length)
        const kept = await lookAtRecord(client, key, parseUpload)
        if (!kept?.value || !/^[0-9a-f]{32}$/.test(uploadId)) continue
        const { value, etag } = kept
        if (isUnreadable(value)) {
          // Nobody can go on with it. The bytes stay, since content may point to them.
          await client.write(`damaged/upload-${uploadId}`, value.bytes)
          await removeUnchanged(client, key, etag, canRemove)
          continue
        }
        try {
          if (value.state === 'removing') await finishRemoval(uploadId, value)
          else if (value.usedAtMs >= unusedSince.getTime()) continue
          else if (await startRemoval(uploadId, { value, etag })) count++
        } catch (error) {
          // The content that may point to these bytes cannot be read: they wait until it can.
          if (!(error instanceof Refusal) || error.code !== 'content_damaged') throw error
        }
      }
      // These parts are of writers that died, and of uploads that are gone.
      for (const { key, partsId, startedAt } of await client.listParts('bytes/')) {
        const uploadId = key.split('/')[1]!
        if (startedAt >= unusedSince) continue
        if ((await client.head(recordKey(uploadId))) === undefined) {
          await client.abortParts(key, partsId)
        }
      }
      return count
    },

    async store(digest, bytes, take) {
      const uploadId = hexEncode(ports.random.bytes(16))
      const record: UploadRecord = {
        repository: '',
        usedAtMs: nowMs(),
        state: 'committing',
        digest,
        segments: [],
      }
      await client.write(recordKey(uploadId), encodeRecord(record), 'absent')
      const key = newKey(uploadId)
      const etag = await client.write(key, bytes)
      await take({ key, etag: etag!, size: bytes.length })
      await finishRemoval(uploadId, record)
    },

    async remove(digest, key, unlink) {
      const uploadId = key.split('/')[1]!
      const record: UploadRecord = {
        repository: '',
        usedAtMs: nowMs(),
        state: 'removing',
        digest,
        segments: [],
      }
      await client.write(recordKey(uploadId), encodeRecord(record))
      const isRemoved = await unlink()
      await finishRemoval(uploadId, record)
      return isRemoved
    },
  }
  return uploads
}
