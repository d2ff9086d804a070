/** A small file that is either the old one or the new one, whole, whatever happens in between. */
import { dirname } from 'node:path'
import type { Disk } from '../ports.ts'

/**
 * Writes, syncs, renames, and syncs the folder. What a crash leaves of an earlier attempt is
 * removed first.
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
  await disk.rename(temporary, path)
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
