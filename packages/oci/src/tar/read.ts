/**
 * Reads a bundle's tar from hostile bytes, as a stream, in memory that does not grow with its size.
 * Everything that is not exactly what `format.ts` writes is refused with a code: other kinds of
 * entries, sparse files, unknown pax records, links that lead out, duplicates, entries whose folder
 * is no folder, anything behind the end.
 */
import { createByteCollector } from '@seaworthy/std/bytes'
import type { RefuseBy } from '@seaworthy/std/refusal'
import { throwRefusal } from '@seaworthy/std/refusal'
import type { PaxRecords, RawHeader, TarEntry } from './format.ts'
import {
  blockBytes,
  decodeHeader,
  decodePax,
  encodeEntry,
  paddingAfter,
  paxBytesMax,
} from './format.ts'
import { comparePaths, findPathFault, findTargetFault } from './paths.ts'
import type { TwinRefusal } from './twins.ts'
import { createTwinGuard } from './twins.ts'
import { findLinkFault, sayLinkFault } from './links.ts'

/** What a tree of files is refused for, as an archive or as a folder. */
export type TreeRefusal =
  | 'entry_kind'
  | 'path_unsafe'
  | 'path_too_long'
  | TwinRefusal
  | 'symlink_escapes'
  | 'links_too_long'
  | 'file_too_large'
  | 'total_too_large'
  | 'too_many_entries'

export type TarRefusal =
  | TreeRefusal
  | 'tar_truncated'
  | 'tar_header'
  | 'tar_not_canonical'
  | 'tar_pax'
  | 'tar_padding'
  | 'tar_trailing_bytes'
  | 'entry_order'
  | 'entry_duplicate'
  | 'entry_parent'

export interface TarLimits {
  entriesMax: number
  /** Bytes of one file. */
  fileBytesMax: number
  /** Bytes of all files together. */
  totalBytesMax: number
  /** Bytes of all paths and link targets together: what reading keeps in memory. */
  namesBytesMax: number
}

export const defaultTarLimits: TarLimits = {
  entriesMax: 200_000,
  fileBytesMax: 16 * 1024 ** 3,
  totalBytesMax: 64 * 1024 ** 3,
  namesBytesMax: 32 * 1024 ** 2,
}

type Maybe = void | Promise<void>

/**
 * The destination of entries, in the order of the archive. A promise is awaited before the next
 * call.
 */
export interface TarSink {
  makeDirectory(path: string): Maybe
  makeSymlink(path: string, target: string): Maybe
  beginFile(path: string, size: number, isExecutable: boolean): Maybe
  /** The piece is valid only until the call, or its promise, ends. */
  writeFile(piece: Uint8Array): Maybe
  endFile(): Maybe
}

/** What sees the files alone. */
export type FileSink = Pick<TarSink, 'beginFile' | 'writeFile' | 'endFile'>

export interface TarSummary {
  entryCount: number
  fileBytes: number
  /** Bytes of the whole archive, headers included. */
  tarBytes: number
}

const refuse: RefuseBy<TarRefusal> = throwRefusal

/** Takes the archive's bytes piece by piece; `finish` decides about the whole. */
export interface TarReader {
  push(piece: Uint8Array): Promise<void> | undefined
  finish(): TarSummary
}

/**
 * Throws `Refusal<TarRefusal>` as soon as something is wrong; what went to the sink until then must
 * be thrown away, and so must everything when `finish` throws. The reader must not be used after
 * the first throw.
 */
export function createTarReader(sink: TarSink, limits: TarLimits): TarReader {
  const tree = new Map<string, string | undefined>()
  const directories = new Set<string>([''])
  const twins = createTwinGuard()
  const partial = Buffer.alloc(blockBytes)
  let partialBytes = 0
  let state: 'header' | 'pax' | 'content' | 'padding' | 'end' = 'header'
  let remaining = 0
  let padding = 0
  let pax: PaxRecords | undefined
  const paxBlocks = createByteCollector()
  let paxSize = 0
  let zeroBlocks = 0
  let lastPath = ''
  let fileBytes = 0
  let tarBytes = 0
  let namesBytes = 0
  let headerBytes: Uint8Array[] = []

  /**
   * The entry that header and pax records describe, after all checks that do not need the other
   * entries.
   */
  function readEntry(raw: RawHeader): TarEntry {
    if (raw.type !== '0' && raw.type !== '5' && raw.type !== '2') {
      return refuse('entry_kind', 'only files, folders and symbolic links are allowed')
    }
    const fullPath = pax?.path ?? raw.name
    const isDirectory = raw.type === '5'
    if (isDirectory && !fullPath.endsWith('/')) return refuse('path_unsafe', 'a folder without /')
    const path = isDirectory ? fullPath.slice(0, -1) : fullPath
    const pathFault = findPathFault(path)
    if (pathFault) return refuse(pathFault, 'a path is absolute, leads out, or is too long')
    if (isDirectory) return { kind: 'directory', path }
    if (raw.type === '2') {
      const target = pax?.linkpath ?? raw.target
      const targetFault = findTargetFault(target)
      if (targetFault) return refuse(targetFault, `the link ${path} leads out or is too long`)
      return { kind: 'symlink', path, target }
    }
    const size = pax?.size ?? raw.size
    return { kind: 'file', path, size, isExecutable: (raw.mode & 0o100) !== 0 }
  }

  function admit(entry: TarEntry): void {
    const { path } = entry
    if (tree.size >= limits.entriesMax) refuse('too_many_entries', 'too many entries')
    namesBytes += path.length + (entry.kind === 'symlink' ? entry.target.length : 0)
    if (namesBytes > limits.namesBytesMax) refuse('too_many_entries', 'too many long names')
    if (tree.has(path)) refuse('entry_duplicate', `${path} occurs twice`)
    if (lastPath !== '' && comparePaths(lastPath, path) >= 0) {
      refuse('entry_order', `${path} comes too late`)
    }
    lastPath = path
    twins.admit(path)
    const slash = path.lastIndexOf('/')
    if (!directories.has(slash < 0 ? '' : path.slice(0, slash))) {
      refuse('entry_parent', `${path} is not in a folder of the archive`)
    }
    tree.set(path, entry.kind === 'symlink' ? entry.target : undefined)
    if (entry.kind === 'directory') directories.add(path)
    if (entry.kind === 'file') {
      if (entry.size > limits.fileBytesMax) refuse('file_too_large', `${path} is too large`)
      fileBytes += entry.size
      if (fileBytes > limits.totalBytesMax) refuse('total_too_large', 'too many bytes in all')
    }
  }

  function takeHeader(block: Uint8Array): Maybe {
    if (isZero(block)) {
      if (pax) refuse('tar_pax', 'a pax header without an entry')
      zeroBlocks++
      if (zeroBlocks === 2) state = 'end'
      return
    }
    if (zeroBlocks > 0) refuse('tar_trailing_bytes', 'an entry behind the end')
    const raw = decodeHeader(block) ?? refuse('tar_header', 'not a POSIX tar header')
    headerBytes.push(Uint8Array.from(block))
    if (raw.type === 'x') {
      if (pax) refuse('tar_pax', 'two pax headers in a row')
      if (raw.size === 0 || raw.size > paxBytesMax) refuse('tar_pax', 'a pax header of that size')
      paxSize = raw.size
      remaining = raw.size + paddingAfter(raw.size)
      state = 'pax'
      return
    }
    const entry = readEntry(raw)
    const canonical = encodeEntry(entry)
    const received = headerBytes.length === 1 ? headerBytes[0]! : Buffer.concat(headerBytes)
    if (!canonical.equals(received)) {
      refuse('tar_not_canonical', `the header of ${entry.path} is not in the one form of a bundle`)
    }
    headerBytes = []
    pax = undefined
    admit(entry)
    switch (entry.kind) {
      case 'directory':
        return sink.makeDirectory(entry.path)
      case 'symlink':
        return sink.makeSymlink(entry.path, entry.target)
      case 'file':
        remaining = entry.size
        padding = paddingAfter(entry.size)
        state = 'content'
        return sink.beginFile(entry.path, entry.size, entry.isExecutable)
    }
  }

  function takePax(): void {
    const blocks = paxBlocks.take()
    headerBytes.push(blocks)
    if (!isZero(blocks.subarray(paxSize))) refuse('tar_padding', 'padding is not zero')
    pax =
      decodePax(blocks.subarray(0, paxSize)) ??
      refuse('tar_pax', 'a pax record other than path, linkpath and size')
    state = 'header'
  }

  function endContent(): Maybe {
    remaining = padding
    state = padding > 0 ? 'padding' : 'header'
    return sink.endFile()
  }

  /** Takes pieces until one of the sink's calls has to be awaited; returns how far it came. */
  async function pushRest(piece: Uint8Array, at: number, pending: Promise<void>): Promise<void> {
    let position = at
    let waiting: Promise<void> | undefined = pending
    while (waiting) {
      await waiting
      ;[position, waiting] = advance(piece, position)
    }
  }

  function advance(piece: Uint8Array, start: number): [number, Promise<void> | undefined] {
    let at = start
    for (;;) {
      let result: Maybe = undefined
      switch (state) {
        case 'content': {
          if (remaining === 0) {
            result = endContent()
            break
          }
          if (at === piece.length) return [at, undefined]
          const end = Math.min(piece.length, at + remaining)
          result = sink.writeFile(piece.subarray(at, end))
          remaining -= end - at
          at = end
          break
        }
        case 'padding': {
          if (at === piece.length) return [at, undefined]
          const end = Math.min(piece.length, at + remaining)
          if (!isZero(piece.subarray(at, end))) refuse('tar_padding', 'padding is not zero')
          remaining -= end - at
          at = end
          if (remaining === 0) state = 'header'
          break
        }
        case 'pax': {
          if (at === piece.length) return [at, undefined]
          const end = Math.min(piece.length, at + remaining)
          paxBlocks.add(piece.subarray(at, end))
          remaining -= end - at
          at = end
          if (remaining === 0) takePax()
          break
        }
        case 'header': {
          if (at === piece.length) return [at, undefined]
          if (partialBytes === 0 && piece.length - at >= blockBytes) {
            result = takeHeader(piece.subarray(at, at + blockBytes))
            at += blockBytes
            break
          }
          const end = Math.min(piece.length, at + blockBytes - partialBytes)
          partial.set(piece.subarray(at, end), partialBytes)
          partialBytes += end - at
          at = end
          if (partialBytes < blockBytes) return [at, undefined]
          partialBytes = 0
          result = takeHeader(partial)
          break
        }
        case 'end':
          if (at < piece.length) refuse('tar_trailing_bytes', 'bytes behind the end')
          return [at, undefined]
      }
      if (result instanceof Promise) return [at, result]
    }
  }

  return {
    push(piece) {
      tarBytes += piece.length
      const [at, pending] = advance(piece, 0)
      return pending && pushRest(piece, at, pending)
    },
    finish() {
      if (state !== 'end') refuse('tar_truncated', 'the archive has no end')
      const fault = findLinkFault(tree)
      if (fault !== undefined) refuse(fault.code, sayLinkFault(fault))
      return { entryCount: tree.size, fileBytes, tarBytes }
    },
  }
}

const zeros = Buffer.alloc(paxBytesMax + blockBytes)

function isZero(bytes: Uint8Array): boolean {
  return zeros.compare(bytes, 0, bytes.length, 0, bytes.length) === 0
}
