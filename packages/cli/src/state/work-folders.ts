/**
 * Folders that a command works in: removed when it ends, however it is asked to. The next command
 * sweeps what a killed one left behind.
 */
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { minuteMs } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'

export interface WorkFolder {
  folder: string
  remove: () => Promise<void>
}

const form = /^seaworthy-[a-z]+-(\d{1,10})-[A-Za-z0-9]{6}$/
/**
 * A process that this one cannot see, as in another container, changes its folder as long as it is
 * used.
 */
const untouchedMs = 10 * minuteMs

export async function makeWorkFolder(
  kind: string,
  { clock }: { clock: Clock },
): Promise<WorkFolder> {
  await sweepWorkFolders(tmpdir(), clock.now())
  const folder = await mkdtemp(join(tmpdir(), `seaworthy-${kind}-${process.pid}-`))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

/**
 * Removes what processes of this account left in `parent`, which no longer run and have not touched
 * it for a while.
 */
async function sweepWorkFolders(parent: string, now: Date): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(form.exec(name)?.[1])
    if (Number.isNaN(pid) || isRunning(pid)) continue
    const folder = join(parent, name)
    try {
      const facts = await lstat(folder)
      if (!facts.isDirectory() || facts.uid !== process.getuid?.()) continue
      if (now.getTime() - (await newestChangeMs(folder)) < untouchedMs) continue
      await rm(folder, { recursive: true, force: true })
    } catch (error) {
      // Another command is sweeping at the same time.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function newestChangeMs(folder: string): Promise<number> {
  let newest = (await lstat(folder)).mtimeMs
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    newest = Math.max(newest, (await lstat(join(entry.parentPath, entry.name))).mtimeMs)
  }
  return newest
}
