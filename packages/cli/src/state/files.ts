/**
 * Files that survive a crash whole, and bounded reads. Only the owner can read what is written
 * here, unless a mode says otherwise.
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, readdir, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolders } from '@seaworthy/oci/folders'
import { createByteCollector, hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { CliError } from '../failure.ts'

/** Makes the folder and its parents, readable only by the owner. */
export async function makePrivateFolder(path: string): Promise<void> {
  makeFolders(path, 0o700)
}

export interface WriteOptions {
  random: Random
  /** The file mode; 0600 unless given. */
  mode?: number
  /** Refuses with EEXIST when the file is there already. */
  isNew?: boolean
}

/**
 * Writes, syncs, renames, and syncs the folder: after a crash there is the old file or the new one,
 * whole.
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array | string,
  options: WriteOptions,
): Promise<void> {
  const write = (file: FileHandle) => file.writeFile(bytes)
  if (options.isNew) await fillNew(path, options.mode ?? 0o600, write)
  else await replaceDurably(path, options, write)
}

/**
 * Like `writeDurably`, but for content of any size: `fill` writes it to a file beside `path`, which
 * takes its place once `fill` has returned. When it throws, nothing is left behind and the file
 * that was there stays.
 */
export async function replaceDurably(
  path: string,
  { random, mode = 0o600 }: Omit<WriteOptions, 'isNew'>,
  fill: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${hexEncode(random.bytes(6))}.new`
  try {
    await fillNew(temporary, mode, fill)
    await rename(temporary, path)
  } catch (error) {
    // The first error is the one to report.
    await unlink(temporary).catch(() => {})
    throw error
  }
  await syncFolder(dirname(path))
}

async function fillNew(path: string, mode: number, fill: (file: FileHandle) => Promise<void>) {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode)
  try {
    await fill(file)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncFolder(dirname(path))
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Throws what writing to `path` would throw: a file of some size is written beside it, and removed.
 */
export async function requireWritable(
  path: string,
  { random }: Pick<WriteOptions, 'random'>,
): Promise<void> {
  const temporary = `${path}.${hexEncode(random.bytes(6))}.new`
  try {
    await fillNew(temporary, 0o600, (file) => file.writeFile(new Uint8Array(4096)))
  } finally {
    // The first error is the one to report.
    await unlink(temporary).catch(() => {})
  }
}

/**
 * Reads the whole file, never more than `maxBytes`. Throws what `open` throws, and `CliError` when
 * it is longer.
 */
export async function readBounded(
  path: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, constants.O_RDONLY)
  try {
    return await readOpened(file, path, maxBytes)
  } finally {
    await file.close()
  }
}

/** Reads a file that is open, as `readBounded` does. */
export async function readOpened(
  file: FileHandle,
  path: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await file.stat()
    // One byte more than announced is read, so that a growing file, or one without a size such as a
    // pipe, is noticed.
    const part = new Uint8Array(Math.min(maxBytes + 1, Math.max(size + 1, 65_536)))
    const whole = createByteCollector()
    for (;;) {
      const wanted = Math.min(part.length, maxBytes + 1 - whole.length)
      const { bytesRead } = await file.read(part, 0, wanted, null)
      if (bytesRead === 0) break
      whole.add(part.subarray(0, bytesRead))
      if (whole.length > maxBytes) throw tooLong(path, maxBytes)
    }
    return whole.take()
  } catch (error) {
    // Reading does not say of which file, unlike opening.
    if (error instanceof Error && 'code' in error && !('path' in error)) {
      Object.assign(error, { path })
    }
    throw error
  }
}

const inputPath = '/dev/stdin'

/**
 * Like `readBounded`; without a path it reads standard input. Where another program started this
 * one, that may be a socket, which no path opens.
 */
export async function readFileOrInput(
  { input }: { readonly input: AsyncIterable<Uint8Array> },
  path: string | undefined,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readBounded(path ?? inputPath, maxBytes)
  } catch (error) {
    const isSocket = error instanceof Error && 'code' in error && error.code === 'ENXIO'
    if (!isSocket || (path ?? inputPath) !== inputPath) throw error
  }
  const whole = createByteCollector()
  for await (const part of input) {
    if (whole.length + part.length > maxBytes) throw tooLong(inputPath, maxBytes)
    whole.add(part)
  }
  return whole.take()
}

function tooLong(path: string, maxBytes: number): CliError {
  return new CliError('failed', `${path}: longer than ${maxBytes} bytes`, {
    wayOut: 'It is not the file that this takes: check the path.',
  })
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/**
 * A folder that is written as a whole starts empty, so that it is not mixed with what was there.
 */
export async function requireEmptyFolder(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  if (entries.length > 0)
    throw new CliError('refused', `${folder} is not empty`, {
      wayOut: 'Name a new folder, or empty that one.',
    })
}
