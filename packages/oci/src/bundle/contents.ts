/**
 * What a bundle really holds, computed from the bytes of its layer in one pass and in memory that
 * does not grow with it. A list of files that somebody wrote beside the layer is only compared with
 * this, never believed.
 */
import { createHash, hash } from 'node:crypto'
import { createByteCollector } from '@seaworthy/std/bytes'
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import type { ExpectedContent } from '../digests.ts'
import type { FileSink, TarLimits, TarSink } from '../tar/read.ts'
import type { FileEntry, FileListRefusal } from './file-list.ts'
import { createFileListDigester } from './file-list.ts'
import type { BundleManifestRefusal } from './manifest.ts'
import { bundleManifestBytesMax, bundleManifestName, parseBundleManifest } from './manifest.ts'
import { unpackBundle } from './unpack.ts'

/** Gives each entry to `onEntry` as it ends, and passes everything on to `next`. */
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

/**
 * What lies at the path of `seaworthy.json`: a file of a possible length, or what is wrong with it.
 */
type FoundManifest = { bytes: Uint8Array } | { fault: string }

/** Keeps `seaworthy.json`, and gives everything on to `next`. */
function createKeepingSink(next: TarSink): TarSink & { found(): FoundManifest | undefined } {
  const kept = createByteCollector()
  let isKeeping = false
  let found: FoundManifest | 'file' | undefined
  return {
    makeDirectory(path) {
      if (path === bundleManifestName) found = { fault: 'a folder, not a file' }
      return next.makeDirectory(path)
    },
    makeSymlink(path, target) {
      if (path === bundleManifestName) found = { fault: 'a link, not a file' }
      return next.makeSymlink(path, target)
    },
    beginFile(path, size, isExecutable) {
      isKeeping = path === bundleManifestName && size <= bundleManifestBytesMax
      if (isKeeping) found = 'file'
      else if (path === bundleManifestName) {
        found = { fault: `longer than ${bundleManifestBytesMax} bytes` }
      }
      return next.beginFile(path, size, isExecutable)
    },
    writeFile(piece) {
      if (isKeeping) kept.add(piece)
      return next.writeFile(piece)
    },
    endFile: () => next.endFile(),
    found: () => (found === 'file' ? { bytes: kept.take() } : found),
  }
}

export interface BundleContents {
  /** Digest and size of the one file list that is exactly this bundle's. */
  list: ExpectedContent
  /** Bytes of all files together. */
  fileBytes: number
  /** Bytes of the archive before compression. */
  tarBytes: number
  /**
   * The content of `seaworthy.json` at the root, `undefined` when there is no such file or it is
   * too long to be one.
   */
  manifest: Uint8Array | undefined
  /** What is wrong with the entry at that path, which no device accepts. */
  manifestFault: string | undefined
}

/**
 * Reads the layer to its end, verified. Throws what `unpackBundle` throws; whatever `onEntry` was
 * given must then be ignored.
 */
export async function computeBundleContents(options: {
  source: AsyncIterable<Uint8Array>
  expected: ExpectedContent
  onEntry?: (entry: FileEntry) => void
  /** Sees every file, too. */
  watch?: FileSink | undefined
  limits?: TarLimits
}): Promise<BundleContents> {
  const { source, expected, onEntry, watch, limits } = options
  const digester = createFileListDigester()
  const listing = createListingSink(
    (entry) => {
      digester.add(entry)
      onEntry?.(entry)
    },
    watch && { makeDirectory() {}, makeSymlink() {}, ...watch },
  )
  const sink = createKeepingSink(listing)
  const { fileBytes, tarBytes } = await unpackBundle({
    source,
    expected,
    sink,
    ...(limits === undefined ? {} : { limits }),
  })
  const found = sink.found()
  return {
    list: digester.finish(),
    fileBytes,
    tarBytes,
    manifest: found !== undefined && 'bytes' in found ? found.bytes : undefined,
    manifestFault: found !== undefined && 'fault' in found ? found.fault : undefined,
  }
}

/**
 * Throws `bundle_manifest_malformed` when the bundle's `seaworthy.json` is one that every device
 * would refuse.
 */
export function requireBundleManifest(
  platform: string,
  { manifest, manifestFault }: BundleContents,
): void {
  const refuse: Refuse = refuseAs<BundleManifestRefusal>(
    'bundle_manifest_malformed',
    `no device takes the bundle of ${platform}: `,
  )
  if (manifestFault !== undefined) refuse(`${bundleManifestName}: ${manifestFault}`)
  if (manifest === undefined) return
  try {
    parseBundleManifest(manifest, undefined)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    refuse(error.message, error)
  }
}

/**
 * Throws `file_list_mismatch` unless a bundle's documents say exactly what was computed from its
 * layer.
 */
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
  const refuse: Refuse = refuseAs<FileListRefusal>('file_list_mismatch')
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
