/**
 * Small steps on a disk whose power may go at any moment: each is whole or absent afterwards, and
 * durable when it returns.
 */
import { constants } from 'node:fs'
import { lstat, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolders } from '../folders.ts'

/**
 * Mode of content: only those whom the registry lets read it may, not every account of the host.
 */
export const privateFile = 0o600
export const privateFolder = 0o700

export function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** The result, or `undefined` when a file or folder on the way does not exist. */
export async function ifPresent<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ENOTDIR')) return undefined
    throw error
  }
}

async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Makes the folder and its parents, each durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = makeFolders(path, privateFolder)
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await syncDirectory(dirname(made))
  }
}

/** Moves a file whose bytes are on disk already to its final name; replaces an older one there. */
export async function moveDurably(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to))
  try {
    await rename(from, to)
  } catch (error) {
    if (!hasErrorCode(error, 'EISDIR')) throw error
    // A folder in the place of a file is damage, and whoever writes the file again mends it.
    await rm(to, { recursive: true })
    await rename(from, to)
  }
  await syncDirectory(dirname(to))
}

/** Writes a whole file by way of `temporary`, which lies on the same file system. */
export async function writeDurably(
  to: string,
  bytes: Uint8Array | string,
  temporary: string,
): Promise<void> {
  const file = await open(temporary, 'wx', privateFile)
  try {
    await file.writeFile(bytes)
    await file.datasync()
  } finally {
    await file.close()
  }
  await moveDurably(temporary, to)
}

export async function removeDurably(path: string): Promise<boolean> {
  const removed = await ifPresent(rm(path, { recursive: true }).then(() => true))
  if (removed) await syncDirectory(dirname(path))
  return removed ?? false
}

/**
 * Names in a folder, sorted by their bytes; none when nothing has its name. Throws for a file or a
 * link that leads nowhere in its place: what was in it is lost, and was not nothing.
 */
export async function listNames(path: string): Promise<string[]> {
  for (;;) {
    try {
      return (await readdir(path)).toSorted()
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT')) throw error
      const facts = await ifPresent(lstat(path))
      if (facts === undefined) return []
      // A folder that was made meanwhile is read again.
      if (!facts.isDirectory()) throw error
    }
  }
}

const textBytesMax = 4096

/**
 * The text of a small file; `undefined` when there is none, and for anything else in its place: a
 * folder, a pipe, a link to itself, or more than any such text has.
 */
export async function readText(path: string): Promise<string | undefined> {
  const { O_RDONLY, O_NONBLOCK } = constants
  try {
    const file = await ifPresent(open(path, O_RDONLY | O_NONBLOCK))
    if (file === undefined) return undefined
    try {
      const facts = await file.stat()
      if (!facts.isFile() || facts.size > textBytesMax) return undefined
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (hasErrorCode(error, 'ELOOP') || hasErrorCode(error, 'ENXIO')) return undefined
    throw error
  }
}

const setAside = (path: string) => `${path}.gone`

/**
 * Notes that a file is in use, so that no sweep that is under way removes it; `false` when it does
 * not exist. A file that a sweep has set aside, or left so when it was killed, is put back.
 */
export async function markUsed(path: string, at: Date): Promise<boolean> {
  const touch = () => ifPresent(utimes(path, at, at).then(() => true))
  if (await touch()) return true
  if ((await ifPresent(rename(setAside(path), path).then(() => true))) !== true) return false
  return (await touch()) ?? false
}

/**
 * Removes a file unless it was used since `unusedSince`. It is set aside first and looked at again,
 * so that a use either comes before and is seen, or finds it set aside and takes it back. Returns
 * the size of what was removed.
 */
export async function removeIfUnused(path: string, unusedSince: Date): Promise<number | undefined> {
  const before = await ifPresent(stat(path))
  if (!before || before.mtimeMs >= unusedSince.getTime()) return undefined
  const aside = setAside(path)
  if ((await ifPresent(rename(path, aside).then(() => true))) !== true) return undefined
  const after = await ifPresent(stat(aside))
  if (!after) return undefined
  if (after.mtimeMs >= unusedSince.getTime()) {
    await ifPresent(rename(aside, path))
    return undefined
  }
  return (await ifPresent(rm(aside).then(() => true))) ? after.size : undefined
}

/** Puts back what a killed sweep left set aside. */
export async function restoreSetAside(folder: string): Promise<void> {
  for (const name of await listNames(folder)) {
    if (name.endsWith('.gone'))
      await ifPresent(rename(join(folder, name), join(folder, name.slice(0, -5))))
  }
}
