/**
 * What has a name already, and folders with their parents. Node's own recursive `mkdir` never ends
 * below /proc, where nothing can be made.
 */
import { mkdirSync, statSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'

const hasCode = (error: unknown, code: string) =>
  error instanceof Error && 'code' in error && error.code === code

/** Whether anything has that name, a link that leads nowhere included. Throws other errors. */
export async function isTaken(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/**
 * Makes the folder and the parents that it lacks; returns the topmost one that it made, or
 * `undefined` where all existed. Throws the system's error, at once.
 */
export function makeFolders(path: string, mode = 0o777): string | undefined {
  const isMade = tryToMake(path, mode)
  if (isMade !== undefined) return isMade ? path : undefined
  const first = dirname(path) === path ? undefined : makeFolders(dirname(path), mode)
  // The parent exists now. If something is still missing, it cannot be made.
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
  return first ?? path
}

/** Whether it was made; `undefined` when a parent is missing. */
function tryToMake(path: string, mode: number): boolean | undefined {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    // A read-only or foreign parent does not matter where the folder exists already.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return false
    throw error
  }
}
