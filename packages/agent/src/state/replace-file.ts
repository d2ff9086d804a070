/** A small file that is either the old one or the new one, whole, whatever happens in between. */
import { dirname } from 'node:path'
import type { Disk } from '../ports.ts'

/**
 * Writes, syncs, renames, and syncs the folder. What a crash leaves of an earlier attempt is
 * removed first. A link or a folder that lies in the place of the file gives way to it.
 */
export async function replaceFile(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  mode = 0o600,
): Promise<void> {
  const temporary = `${path}.new`
  await disk.remove(temporary)
  const writer = await disk.create(temporary, { mode, durable: true })
  try {
    await writer.write(bytes)
  } finally {
    await writer.close()
  }
  try {
    await disk.rename(temporary, path)
  } catch (error) {
    // No file takes the name of a folder by itself.
    if ((await disk.list(path)) === undefined) throw error
    await disk.remove(path)
    await disk.rename(temporary, path)
  }
  await disk.syncFolder(dirname(path))
}

/** A symbolic link that points to the old target or to the new one, at every instant. */
export async function replaceLink(disk: Disk, path: string, target: string): Promise<void> {
  const temporary = `${path}.new`
  await disk.remove(temporary)
  await disk.symlink(target, temporary)
  await disk.rename(temporary, path)
  await disk.syncFolder(dirname(path))
}
