/**
 * Makes a bundle from a folder: the one tar form of `tar/format.ts`, compressed with zstd. The same
 * names, contents and execute bits give the same bytes on any machine with the same zstd
 * (`bundleEncoder` names it); owners, times, other mode bits, hard links and the order on disk do
 * not matter.
 */
import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { constants } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { constants as zlibConstants, createZstdCompress } from 'node:zlib'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { RefuseBy } from '@seaworthy/std/refusal'
import { Refusal, throwRefusal } from '@seaworthy/std/refusal'
import { describeSystemError, findSystemCode } from '@seaworthy/std/system-errors'
import type { StoredBlob } from '../store/index.ts'
import { createDigester } from '../digests.ts'
import type { TarEntry } from '../tar/format.ts'
import { encodeEntry, endBytes, entryBytes, paddingAfter } from '../tar/format.ts'
import { comparePaths, findPathFault, findTargetFault } from '../tar/paths.ts'
import { findLinkFault, sayLinkFault } from '../tar/links.ts'
import type { FileSink, TarLimits, TreeRefusal } from '../tar/read.ts'
import { defaultTarLimits } from '../tar/read.ts'
import { createTwinGuard } from '../tar/twins.ts'
import type { FileEntry, FileList } from './file-list.ts'

export type PackRefusal =
  | TreeRefusal
  | 'source_not_directory'
  | 'source_changed'
  | 'source_unreadable'

const compressionLevel = 6
const pieceBytes = 1024 * 1024

/** The only thing besides the folder that decides a bundle's bytes; recorded in its manifest. */
export const bundleEncoder = `zstd ${process.versions['zstd'] ?? 'unknown'} level ${compressionLevel}`

export interface PackedBundle extends StoredBlob {
  /** Bytes of the tar before compression. */
  tarBytes: number
  files: FileList
  dropped: readonly DroppedMode[]
}

/**
 * A mode that no bundle carries: special bits are lost, and private files can be read by others on
 * devices.
 */
export interface DroppedMode {
  path: string
  /**
   * The mode that is dropped; `private`: others could not read the file here, and can on devices.
   */
  what: 'set-uid' | 'set-gid' | 'sticky' | 'private'
}

const refuse: RefuseBy<PackRefusal> = throwRefusal

/**
 * Hands the bundle to `write` piece by piece, and its files to `watch`; memory does not grow with
 * it. Throws `Refusal<PackRefusal>` on devices, fifos and sockets (`entry_kind`), links that lead
 * out of the folder, names that are not UTF-8, files that change meanwhile, and above the limits.
 */
export async function packBundle(
  folder: string,
  write: (piece: Uint8Array) => Promise<void>,
  { limits = defaultTarLimits, watch }: { limits?: TarLimits; watch?: FileSink | undefined } = {},
): Promise<PackedBundle> {
  const dropped: DroppedMode[] = []
  const entries = await scanFolder(folder, limits, dropped)
  const tarBytes = entries.reduce((sum, entry) => sum + entryBytes(entry), endBytes)
  const files: FileEntry[] = []
  const digester = createDigester()
  const zstd = createZstdCompress({
    chunkSize: pieceBytes,
    pledgedSrcSize: tarBytes,
    params: {
      [zlibConstants.ZSTD_c_compressionLevel]: compressionLevel,
      [zlibConstants.ZSTD_c_nbWorkers]: 0,
      [zlibConstants.ZSTD_c_contentSizeFlag]: 1,
      [zlibConstants.ZSTD_c_checksumFlag]: 0,
    },
  })
  const compress = async () => {
    // Pieces of one size, each finished before the next, and an empty last one: what zstd makes of
    // them does not depend on timing.
    for await (const piece of inEqualPieces(streamTar(folder, entries, files, watch))) {
      await new Promise<void>((resolve, reject) =>
        zstd.write(piece, (error) => (error ? reject(error) : resolve())),
      )
    }
    zstd.end()
  }
  const compressing = compress()
  compressing.catch((error: unknown) => zstd.destroy(error as Error))
  for await (const piece of zstd) {
    digester.update(piece as Uint8Array)
    await write(piece as Uint8Array)
  }
  await compressing
  const size = digester.byteCount
  return { digest: digester.finish(), size, tarBytes, files: { entries: files }, dropped }
}

async function scanFolder(
  folder: string,
  limits: TarLimits,
  dropped: DroppedMode[],
): Promise<TarEntry[]> {
  const entries: TarEntry[] = []
  let totalBytes = 0
  const root = await lstat(folder).catch((cause: unknown) => {
    throw new Refusal<PackRefusal>('source_not_directory', `${folder} cannot be read`, { cause })
  })
  if (!root.isDirectory()) return refuse('source_not_directory', `${folder} is not a folder`)

  const scan = async (parent: string) => {
    for (const bytes of await readdir(`${folder}/${parent}`, { encoding: 'buffer' })) {
      let name: string
      try {
        name = utf8Decode(bytes)
      } catch {
        return refuse('path_unsafe', `a name in ${parent || 'the folder'} is not UTF-8`)
      }
      const path = parent === '' ? name : `${parent}/${name}`
      const fault = findPathFault(path)
      if (fault) return refuse(fault, `${JSON.stringify(path)} cannot be in a bundle`)
      if (entries.length >= limits.entriesMax) return refuse('too_many_entries', 'too many entries')
      const entry = await readEntry(folder, path, dropped)
      entries.push(entry)
      if (entry.kind === 'directory') await scan(path)
      if (entry.kind !== 'file') continue
      totalBytes += entry.size
      if (entry.size > limits.fileBytesMax) return refuse('file_too_large', `${path} is too large`)
      if (totalBytes > limits.totalBytesMax) return refuse('total_too_large', 'too many bytes')
    }
  }
  await scan('')
  entries.sort((a, b) => comparePaths(a.path, b.path))
  const twins = createTwinGuard()
  for (const { path } of entries) twins.admit(path)
  const tree = new Map(entries.map((e) => [e.path, e.kind === 'symlink' ? e.target : undefined]))
  const fault = findLinkFault(tree)
  if (fault !== undefined) return refuse(fault.code, sayLinkFault(fault))
  return entries
}

async function readEntry(folder: string, path: string, dropped: DroppedMode[]): Promise<TarEntry> {
  const stats = await lstat(`${folder}/${path}`)
  for (const mode of listDropped(path, stats)) dropped.push(mode)
  if (stats.isDirectory()) return { kind: 'directory', path }
  if (stats.isFile()) return fileEntry(path, stats)
  if (!stats.isSymbolicLink()) {
    return refuse('entry_kind', `${path} is neither file, folder nor symbolic link`)
  }
  let target: string
  try {
    target = utf8Decode(await readlink(`${folder}/${path}`, { encoding: 'buffer' }))
  } catch (cause) {
    throw new Refusal<PackRefusal>('symlink_escapes', `the link ${path} cannot be read`, { cause })
  }
  const fault = findTargetFault(target)
  if (fault) return refuse(fault, `the link ${path} leads to ${JSON.stringify(target)}`)
  return { kind: 'symlink', path, target }
}

function listDropped(path: string, stats: Stats): DroppedMode[] {
  if (!stats.isDirectory() && !stats.isFile()) return []
  const found: DroppedMode['what'][] = []
  if ((stats.mode & 0o4000) !== 0) found.push('set-uid')
  // The set-group bit of a folder only says which group new files get.
  if ((stats.mode & 0o2000) !== 0 && stats.isFile()) found.push('set-gid')
  if ((stats.mode & 0o1000) !== 0) found.push('sticky')
  if ((stats.mode & (stats.isFile() ? 0o004 : 0o001)) === 0) found.push('private')
  return found.map((what) => ({ path, what }))
}

function fileEntry(path: string, stats: Stats): TarEntry {
  return { kind: 'file', path, size: stats.size, isExecutable: (stats.mode & 0o111) !== 0 }
}

/** The tar of the folder; lists on the way what is in it. */
async function* streamTar(
  folder: string,
  entries: readonly TarEntry[],
  files: FileEntry[],
  watch: FileSink | undefined,
): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    yield encodeEntry(entry)
    const { kind, path } = entry
    if (kind === 'directory') files.push({ type: 'directory', path, mode: '0755' })
    if (kind === 'symlink') files.push({ type: 'symlink', path, target: entry.target })
    if (kind !== 'file') continue
    const hash = createHash('sha256')
    await watch?.beginFile(path, entry.size, entry.isExecutable)
    for await (const piece of readFileExactly(folder, entry)) {
      hash.update(piece)
      await watch?.writeFile(piece)
      yield piece
    }
    await watch?.endFile()
    yield new Uint8Array(paddingAfter(entry.size))
    const mode = entry.isExecutable ? '0755' : '0644'
    files.push({ type: 'file', path, size: entry.size, mode, sha256: hash.digest('hex') })
  }
  yield new Uint8Array(endBytes)
}

async function* readFileExactly(
  folder: string,
  entry: TarEntry & { kind: 'file' },
): AsyncGenerator<Uint8Array> {
  const changed = (cause?: unknown): never => {
    throw new Refusal<PackRefusal>('source_changed', `${entry.path} changed meanwhile`, { cause })
  }
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW
  const file = await open(`${folder}/${entry.path}`, flags).catch((cause: unknown) => {
    // It was a file when the folder was read, and is gone or a link by now.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(findSystemCode(cause) ?? '')) return changed(cause)
    const why = describeSystemError(cause)
    if (why === undefined) throw cause
    const message = `${entry.path} cannot be read: ${why}`
    throw new Refusal<PackRefusal>('source_unreadable', message, { cause })
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile() || stats.size !== entry.size) changed()
    let position = 0
    while (position < entry.size) {
      const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, entry.size - position))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
      if (bytesRead === 0) changed()
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
    if ((await file.read(Buffer.alloc(1), 0, 1, position)).bytesRead > 0) changed()
  } finally {
    await file.close()
  }
}

/** The same bytes in pieces of exactly `pieceBytes`, the last one excepted. */
async function* inEqualPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let piece = Buffer.allocUnsafeSlow(pieceBytes)
  let length = 0
  for await (const bytes of source) {
    let at = 0
    while (at < bytes.length) {
      const end = Math.min(bytes.length, at + pieceBytes - length)
      piece.set(bytes.subarray(at, end), length)
      length += end - at
      at = end
      if (length < pieceBytes) break
      yield piece
      piece = Buffer.allocUnsafeSlow(pieceBytes)
      length = 0
    }
  }
  if (length > 0) yield piece.subarray(0, length)
}
