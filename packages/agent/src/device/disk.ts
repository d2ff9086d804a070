/**
 * The real file system. Node's permission model takes `fsync` away (RFD 10), so under it durability
 * comes from files opened with O_SYNC and from the system's `sync` program, which does what `fsync`
 * would.
 */
import { spawn } from 'node:child_process'
import { closeSync, constants, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import {
  chmod,
  lstat,
  open,
  readdir,
  readlink,
  rename,
  rm,
  statfs,
  symlink,
} from 'node:fs/promises'
import { makeFolders } from '@seaworthy/oci/folders'
import type { Disk, DiskEntry, DiskWriter, TreeWriter } from '../ports.ts'
import { DiskError } from '../ports.ts'

/** Makes paths durable: files and folders one by one, or the whole file system they are on. */
export type SyncPaths = (paths: readonly string[], wholeFileSystem: boolean) => Promise<void>

/** Syncs through `sync` of coreutils or busybox; throws when it is missing or fails. */
export const syncByProgram: SyncPaths = (paths, wholeFileSystem) =>
  new Promise((resolve, reject) => {
    const child = spawn('sync', [...(wholeFileSystem ? ['-f'] : []), ...paths], {
      stdio: 'ignore',
      env: { PATH: '/usr/bin:/bin' },
    })
    child.once('error', (cause) =>
      reject(new DiskError('failed', 'needs the program sync', { cause })),
    )
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new DiskError('failed', `sync of ${paths[0]} failed`)),
    )
  })

/** Syncs in this process, where no permission model forbids it. */
export const syncByCall: SyncPaths = async (paths, wholeFileSystem) => {
  if (wholeFileSystem) return syncByProgram(paths, true)
  for (const path of paths) {
    const file = await open(path, constants.O_RDONLY)
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  }
}

/** Makes nothing durable. It is for the fetcher, whose files are all hashed again before use. */
export const syncNothing: SyncPaths = async () => {}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}

function isAbsent(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR'
}

function failed(cause: unknown, path: string): DiskError {
  const code = errorCode(cause)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new DiskError('no_space', `no space for ${path}`, { cause })
  if (code === 'EEXIST') return new DiskError('exists', `${path} exists`, { cause })
  if (code === 'ELOOP') return new DiskError('not_regular', `${path} is a symbolic link`, { cause })
  return new DiskError('failed', `${path}: ${code ?? 'failed'}`, { cause })
}

/** Turns the system's errors into `DiskError`, so that no caller has to know them. */
async function attempt<T>(path: string, action: Promise<T>): Promise<T> {
  try {
    return await action
  } catch (cause) {
    throw failed(cause, path)
  }
}

/**
 * The open file, or `undefined` when there is none. It is closed again unless it is a regular file.
 */
async function openRegular(path: string): Promise<{ file: FileHandle; size: number } | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw failed(error, path)
  }
  try {
    const stat = await file.stat()
    if (stat.isFile()) return { file, size: stat.size }
  } catch (error) {
    await file.close()
    throw failed(error, path)
  }
  await file.close()
  throw new DiskError('not_regular', `${path} is not a regular file`)
}

async function readPiece(
  path: string,
  file: FileHandle,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const piece = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file
      .read(piece, filled, length - filled, position + filled)
      .catch((cause: unknown) => {
        throw failed(cause, path)
      })
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return piece.subarray(0, filled)
}

function createWriter(
  path: string,
  file: FileHandle,
  startSize: number,
  sync: SyncPaths,
): DiskWriter {
  let size = startSize
  return {
    get size() {
      return size
    },
    async write(bytes) {
      let written = 0
      try {
        while (written < bytes.length) {
          const result = await file.write(bytes, written, bytes.length - written)
          written += result.bytesWritten
        }
      } catch (cause) {
        throw failed(cause, path)
      } finally {
        size += written
      }
    },
    sync: () => sync([path], false),
    close: () => file.close(),
  }
}

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/**
 * Synchronous calls: for thousands of small files they are several times faster than the thread
 * pool.
 */
function createTreeWriter(folder: string): TreeWriter {
  let open: number | undefined
  const attempt = <T>(path: string, action: (whole: string) => T): T => {
    const whole = `${folder}/${path}`
    try {
      return action(whole)
    } catch (cause) {
      throw failed(cause, whole)
    }
  }
  const close = () => {
    if (open !== undefined) closeSync(open)
    open = undefined
  }
  return {
    makeDirectory: (path) => attempt(path, (whole) => mkdirSync(whole, 0o755)),
    makeSymlink: (path, target) => attempt(path, (whole) => symlinkSync(target, whole)),
    beginFile(path, _size, isExecutable) {
      open = attempt(path, (whole) => openSync(whole, newFile, isExecutable ? 0o755 : 0o644))
    },
    writeFile(piece) {
      for (let written = 0; written < piece.length;) {
        written += attempt('', () => writeSync(open!, piece, written))
      }
    },
    endFile: close,
    close,
  }
}

export function createDisk(sync: SyncPaths): Disk {
  return {
    async read(path, bytesMax) {
      const opened = await openRegular(path)
      if (opened === undefined) return undefined
      try {
        if (opened.size > bytesMax)
          throw new DiskError('too_long', `${path} is longer than ${bytesMax} bytes`)
        const bytes = await readPiece(path, opened.file, 0, bytesMax + 1)
        if (bytes.length > bytesMax)
          throw new DiskError('too_long', `${path} is longer than ${bytesMax} bytes`)
        return bytes.slice()
      } finally {
        await opened.file.close()
      }
    },
    async open(path) {
      const opened = await openRegular(path)
      if (opened === undefined) return undefined
      return {
        size: opened.size,
        read: (position, length) => readPiece(path, opened.file, position, length),
        close: () => opened.file.close(),
      }
    },
    async create(path, { mode, durable }) {
      const flags =
        constants.O_WRONLY |
        constants.O_CREAT |
        constants.O_EXCL |
        constants.O_NOFOLLOW |
        (durable ? constants.O_SYNC : 0)
      try {
        return createWriter(path, await open(path, flags, mode), 0, sync)
      } catch (cause) {
        throw failed(cause, path)
      }
    },
    async append(path, mode) {
      const flags =
        constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW
      try {
        const file = await open(path, flags, mode)
        return createWriter(path, file, (await file.stat()).size, sync)
      } catch (cause) {
        throw failed(cause, path)
      }
    },
    async rename(from, to) {
      await attempt(from, rename(from, to))
    },
    remove: (path) => attempt(path, rm(path, { recursive: true, force: true })),
    async makeFolder(path, mode) {
      await attempt(path, Promise.try(makeFolders, path, mode))
    },
    async list(path) {
      try {
        const entries = await readdir(path, { withFileTypes: true })
        return entries
          .map((entry): DiskEntry => ({
            name: entry.name,
            kind: entry.isFile()
              ? 'file'
              : entry.isDirectory()
                ? 'folder'
                : entry.isSymbolicLink()
                  ? 'symlink'
                  : 'other',
          }))
          .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw failed(error, path)
      }
    },
    writeTree: createTreeWriter,
    async symlink(target, path) {
      await attempt(path, symlink(target, path))
    },
    async readLink(path) {
      try {
        if (!(await lstat(path)).isSymbolicLink()) return undefined
        return await readlink(path)
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw failed(error, path)
      }
    },
    syncFolder: (path) => sync([path], false),
    syncTree: (path) => sync([path], true),
    setMode: (path, mode) => attempt(path, chmod(path, mode)),
    async freeBytes(path) {
      const { bavail, bsize } = await attempt(path, statfs(path))
      return bavail * bsize
    },
  }
}
