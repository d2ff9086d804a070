/**
 * Uploads on disk: `uploads/<id>/` with one file per received part, named by its offset. A part is
 * written under another name and linked to its own when it is closed, so two writers at one offset
 * cannot mix and a killed writer leaves nothing that counts.
 */
import type { FileHandle } from 'node:fs/promises'
import { link, mkdir, open, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { createByteCollector, hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import type { Digest, DigestAlgorithm, Digester } from '../digests.ts'
import { createDigester, digestAlgorithm } from '../digests.ts'
import {
  hasErrorCode,
  ifPresent,
  listNames,
  privateFile,
  privateFolder,
  readText,
  writeDurably,
} from './files.ts'
import type { AppendOptions, StoreRefusal } from './index.ts'
import type { Uploads } from './uploads.ts'

const batchBytes = 1024 * 1024
/**
 * After this many bytes, what was written is pushed to the disk while more comes in: the last sync
 * is then short.
 */
const flushEveryBytes = 16 * 1024 * 1024
const touchEveryMs = 60_000
/** Uploads whose digest this process keeps up to date; others are read again at the end. */
const runningDigestsMax = 1000

interface Part {
  name: string
  offset: number
  size: number
}

function unknown(): never {
  throw new Refusal<StoreRefusal>('upload_unknown', 'no such upload')
}

export function createDiskUploads(
  root: string,
  ports: { clock: Clock; random: Random },
): Uploads<string> {
  const running = new Map<string, Digester>()
  const newName = () => `new-${hexEncode(ports.random.bytes(8))}`

  /** The upload's folder. */
  async function find(repository: string, uploadId: string): Promise<string> {
    if (!/^[0-9a-f]{32}$/.test(uploadId)) return unknown()
    const folder = join(root, uploadId)
    return (await readText(join(folder, 'repository'))) === repository ? folder : unknown()
  }

  /** The parts from offset 0 on, without gaps. */
  async function listParts(folder: string): Promise<Part[]> {
    const parts: Part[] = []
    let offset = 0
    for (const name of await listNames(folder)) {
      if (!/^\d{16}\.part$/.test(name) || Number(name.slice(0, 16)) !== offset) continue
      const { size } = (await ifPresent(stat(join(folder, name)))) ?? unknown()
      parts.push({ name, offset, size })
      offset += size
    }
    return parts
  }

  const sizeOf = (parts: readonly Part[]) => {
    const last = parts.at(-1)
    return last ? last.offset + last.size : 0
  }

  async function touch(folder: string): Promise<void> {
    await ifPresent(utimes(folder, ports.clock.now(), ports.clock.now()))
  }

  /** Writes what the source yields; when the source fails, what came before is in the file. */
  async function receive(
    file: FileHandle,
    folder: string,
    digester: Digester,
    { offset, source, sizeMax }: AppendOptions,
  ): Promise<void> {
    let received = 0
    const waiting = createByteCollector()
    let flushedBytes = 0
    let touchedAtMs = ports.clock.monotonicMs()
    let writing: Promise<unknown> = Promise.resolve()
    let flushing: Promise<unknown> = Promise.resolve()
    const write = async () => {
      const batch = waiting.take()
      await writing
      if (batch.length > 0) writing = writeAll(file, batch)
      // It is awaited before the next write; this keeps a rejection until then from counting as
      // unhandled.
      writing.catch(() => {})
      digester.update(batch)
    }
    try {
      for await (const piece of source) {
        if (offset + received + piece.length > sizeMax) {
          throw new Refusal<StoreRefusal>('upload_too_large', 'more bytes than are allowed')
        }
        received += piece.length
        waiting.add(piece)
        if (waiting.length < batchBytes) continue
        await write()
        if (received - flushedBytes >= flushEveryBytes) {
          flushedBytes = received
          await flushing
          flushing = file.datasync()
          // It is awaited before the next flush and at the end, where its rejection is handled.
          flushing.catch(() => {})
        }
        if (ports.clock.monotonicMs() - touchedAtMs > touchEveryMs) {
          touchedAtMs = ports.clock.monotonicMs()
          await touch(folder)
        }
      }
    } finally {
      await write()
      await writing
      await flushing
    }
  }

  /** One file with all bytes, in the upload's folder, and their digest. */
  async function joinParts(folder: string, parts: readonly Part[], algorithm: DigestAlgorithm) {
    const digester = createDigester(algorithm)
    const whole = join(folder, newName())
    const output = await open(whole, 'wx', privateFile)
    try {
      for (const { name } of parts) {
        const part = (await ifPresent(open(join(folder, name), 'r'))) ?? unknown()
        for await (const piece of part.createReadStream({ highWaterMark: batchBytes })) {
          const bytes = piece as Uint8Array
          digester.update(bytes)
          await writeAll(output, bytes)
        }
      }
      await output.datasync()
    } finally {
      await output.close()
    }
    return { path: whole, digest: digester.finish() }
  }

  async function digestFile(path: string, algorithm: DigestAlgorithm): Promise<Digest> {
    const digester = createDigester(algorithm)
    const file = (await ifPresent(open(path, 'r'))) ?? unknown()
    for await (const piece of file.createReadStream({ highWaterMark: batchBytes })) {
      digester.update(piece as Uint8Array)
    }
    return digester.finish()
  }

  async function remove(uploadId: string): Promise<void> {
    running.delete(uploadId)
    await rm(join(root, uploadId), { recursive: true, force: true })
  }

  return {
    async create(repository) {
      const uploadId = hexEncode(ports.random.bytes(16))
      const folder = join(root, uploadId)
      await mkdir(folder, { mode: privateFolder })
      await writeDurably(join(folder, 'repository'), repository, join(folder, newName()))
      await touch(folder)
      return uploadId
    },

    async size(repository, uploadId) {
      return sizeOf(await listParts(await find(repository, uploadId)))
    },

    async append(repository, uploadId, options) {
      const folder = await find(repository, uploadId)
      const { offset } = options
      if (sizeOf(await listParts(folder)) !== offset) {
        throw new Refusal<StoreRefusal>('upload_offset', 'the upload is at another offset')
      }
      await touch(folder)
      const known = running.get(uploadId)
      running.delete(uploadId)
      const follows = known?.byteCount === offset ? known : undefined
      const digester = follows ?? createDigester(options.algorithm)
      const temporary = join(folder, newName())
      const file = await open(temporary, 'wx', privateFile)
      let failure: { error: unknown } | undefined
      try {
        await receive(file, folder, digester, options)
      } catch (error) {
        if (error instanceof Refusal) {
          await rm(temporary, { force: true })
          throw error
        }
        failure = { error }
      } finally {
        await file.close()
      }
      const size = ((await ifPresent(stat(temporary))) ?? unknown()).size
      try {
        if (size > 0) await link(temporary, join(folder, partName(offset)))
      } catch (cause) {
        if (!hasErrorCode(cause, 'EEXIST')) throw cause
        throw new Refusal<StoreRefusal>('upload_offset', 'another request wrote at that offset', {
          cause,
        })
      } finally {
        await rm(temporary, { force: true })
      }
      await touch(folder)
      const isCarried = (offset === 0 || follows) && digester.byteCount === offset + size
      if (isCarried && running.size < runningDigestsMax) running.set(uploadId, digester)
      if (failure) throw failure.error
      return offset + size
    },

    async commit(repository, uploadId, digest, take) {
      const folder = await find(repository, uploadId)
      const parts = await listParts(folder)
      const size = sizeOf(parts)
      const algorithm = digestAlgorithm(digest)
      const known = running.get(uploadId)
      running.delete(uploadId)
      let path: string
      let actual: Digest
      if (parts.length === 1) {
        path = join(folder, parts[0]!.name)
        actual =
          known?.byteCount === size && known.algorithm === algorithm
            ? known.finish()
            : await digestFile(path, algorithm)
        const file = (await ifPresent(open(path, 'r+'))) ?? unknown()
        try {
          if (actual === digest) await file.datasync()
        } finally {
          await file.close()
        }
      } else {
        ;({ path, digest: actual } = await joinParts(folder, parts, algorithm))
      }
      if (actual !== digest) {
        await remove(uploadId)
        throw new Refusal<StoreRefusal>('digest_mismatch', 'the bytes do not have that digest')
      }
      await take(path)
      await remove(uploadId)
      return size
    },

    async cancel(repository, uploadId) {
      if (!/^[0-9a-f]{32}$/.test(uploadId)) return
      if ((await readText(join(root, uploadId, 'repository'))) === repository) {
        await remove(uploadId)
      }
    },

    async sweep(unusedSince) {
      let count = 0
      for (const uploadId of await listNames(root)) {
        const folder = await ifPresent(stat(join(root, uploadId)))
        if (!folder || folder.mtimeMs >= unusedSince.getTime()) continue
        await remove(uploadId)
        count++
      }
      return count
    },
  }
}

function partName(offset: number): string {
  return `${String(offset).padStart(16, '0')}.part`
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += (await file.write(bytes, written, bytes.length - written)).bytesWritten
  }
}
