/**
 * What a bundle really holds, computed from the bytes of its layer in one pass and in memory that does not grow with it. A list of
 * files that somebody wrote beside the layer is only compared with this, never believed.
 */
import { createHash, hash } from 'node:crypto'
import { Refusal } from '@seaworthy/std/refusal'
import type { ExpectedContent } from '../digests.ts'
import type { TarLimits, TarSink } from '../tar/read.ts'
import type { FileEntry, FileListRefusal } from './file-list.ts'
import { createFileListDigester } from './file-list.ts'
import { unpackBundle } from './unpack.ts'

/** Gives each entry to `onEntry` as it ends, and everything that it gets to `next`. */
export function createListingSink(onEntry: (entry: FileEntry) => void, next?: TarSink): TarSink {
  let file: { path: string; size: number; mode: '0644' | '0755' } | undefined
  let sha256: string | undefined
  let state: ReturnType<typeof createHash> | undefined
  return {
    makeDirectory(path) {
      onEntry({ type: 'directory', path, mode: '0755' })
      return next?.makeDirectory(path)
    },
    makeSymlink(path, target) {
      onEntry({ type: 'symlink', path, target })
      return next?.makeSymlink(path, target)
    },
    beginFile(path, size, isExecutable) {
      file = { path, size, mode: isExecutable ? '0755' : '0644' }
      sha256 = undefined
      state = undefined
      return next?.beginFile(path, size, isExecutable)
    },
    writeFile(piece) {
      // Most files come in one piece.
      if (piece.length === file!.size) sha256 = hash('sha256', piece, 'hex')
      else (state ??= createHash('sha256')).update(piece)
      return next?.writeFile(piece)
    },
    endFile() {
      sha256 ??= (state ?? createHash('sha256')).digest('hex')
      onEntry({ type: 'file', ...file!, sha256 })
      return next?.endFile()
    },
  }
}

/** Keeps the content of one file, as long as it is no longer than `bytesMax`, and gives everything on to `next`. */
export function createKeepingSink(
  wanted: { path: string; bytesMax: number },
  next: TarSink,
): TarSink & { kept(): Uint8Array | undefined } {
  const pieces: Uint8Array[] = []
  let isKept = false
  let isKeeping = false
  return {
    makeDirectory: (path) => next.makeDirectory(path),
    makeSymlink: (path, target) => next.makeSymlink(path, target),
    beginFile(path, size, isExecutable) {
      isKeeping = path === wanted.path && size <= wanted.bytesMax
      isKept ||= isKeeping
      return next.beginFile(path, size, isExecutable)
    },
    writeFile(piece) {
      if (isKeeping) pieces.push(Uint8Array.from(piece))
      return next.writeFile(piece)
    },
    endFile: () => next.endFile(),
    kept: () => (isKept ? Buffer.concat(pieces) : undefined),
  }
}

export interface BundleContents {
  /** Digest and size of the one file list that is exactly this bundle's. */
  list: ExpectedContent
  /** Bytes of all files together. */
  fileBytes: number
  /** Bytes of the archive before compression. */
  tarBytes: number
  /** The content of `seaworthy.json` at the root, `undefined` when there is no such file or it is too long to be one. */
  manifest: Uint8Array | undefined
}

const bundleManifestName = 'seaworthy.json'
const bundleManifestBytesMax = 64 * 1024

/** Reads the layer to its end, verified. Throws what `unpackBundle` throws; nothing of what `onEntry` got counts then. */
export async function computeBundleContents(options: {
  source: AsyncIterable<Uint8Array>
  expected: ExpectedContent
  onEntry?: (entry: FileEntry) => void
  limits?: TarLimits
}): Promise<BundleContents> {
  const { source, expected, onEntry, limits } = options
  const digester = createFileListDigester()
  const listing = createListingSink((entry) => {
    digester.add(entry)
    onEntry?.(entry)
  })
  const sink = createKeepingSink(
    { path: bundleManifestName, bytesMax: bundleManifestBytesMax },
    listing,
  )
  const { fileBytes, tarBytes } = await unpackBundle({
    source,
    expected,
    sink,
    ...(limits === undefined ? {} : { limits }),
  })
  return { list: digester.finish(), fileBytes, tarBytes, manifest: sink.kept() }
}

/** Throws `file_list_mismatch` unless a bundle's documents say exactly what was computed from its layer. */
export function requireSameFiles(
  said: {
    platform: string
    list: ExpectedContent | undefined
    /** What the manifest says the archive has unpacked. */
    unpackedBytes: string | undefined
  },
  computed: BundleContents,
  difference?: string,
): void {
  const { platform, list, unpackedBytes } = said
  const refuse = (what: string): never => {
    throw new Refusal<FileListRefusal>('file_list_mismatch', what)
  }
  if (list?.digest !== computed.list.digest || list.size !== computed.list.size) {
    const how = difference === undefined ? '' : `: ${difference}`
    refuse(`the file list of ${platform} is not what its layer holds${how}`)
  }
  if (unpackedBytes !== undefined && unpackedBytes !== String(computed.tarBytes)) {
    refuse(
      `the bundle of ${platform} says that it unpacks to ${JSON.stringify(unpackedBytes)} bytes, but it has ${computed.tarBytes}`,
    )
  }
}
