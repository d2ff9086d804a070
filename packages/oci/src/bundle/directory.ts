/**
 * A folder as the destination of unpacking. Uses synchronous calls: a bundle has tens of thousands
 * of small files, and waiting for a thread each time costs more than the work. It suits processes
 * that do nothing else meanwhile, such as the installer and the command line.
 */
import { execFile } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import type { TarSink } from '../tar/read.ts'

/**
 * `root` must exist, be empty, and be writable by nobody else. Modes are set to exactly 0644 and
 * 0755 whatever the umask. Nothing is durable before `syncTree` has returned.
 */
export function createDirectorySink(root: string): TarSink & { close(): void } {
  const probe = `${root}/.seaworthy-probe`
  mkdirSync(probe, 0o755)
  const isMasked = (statSync(probe).mode & 0o777) !== 0o755
  rmdirSync(probe)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  let file: number | undefined
  const close = () => {
    if (file !== undefined) closeSync(file)
    file = undefined
  }
  return {
    makeDirectory(path) {
      mkdirSync(`${root}/${path}`, 0o755)
      if (isMasked) chmodSync(`${root}/${path}`, 0o755)
    },
    makeSymlink(path, target) {
      symlinkSync(target, `${root}/${path}`)
    },
    beginFile(path, _size, isExecutable) {
      const mode = isExecutable ? 0o755 : 0o644
      file = openSync(`${root}/${path}`, flags, mode)
      if (isMasked) chmodSync(`${root}/${path}`, mode)
    },
    writeFile(piece) {
      let written = 0
      while (written < piece.length) written += writeSync(file!, piece, written)
    },
    endFile: close,
    close,
  }
}

/**
 * Makes all below `root` durable, contents, names and modes. Uses one syncfs(2) by way of `sync -f`
 * where that program may be run, which costs a tenth of syncing each file; otherwise file by file.
 * Throws when the disk reports an error.
 */
export async function syncTree(root: string): Promise<void> {
  const how = await new Promise<'done' | 'absent'>((resolve, reject) => {
    const absent = () => resolve('absent')
    try {
      execFile('sync', ['-f', '--', root], { env: { PATH: '/usr/bin:/bin' } }, (error) => {
        if (!error) return resolve('done')
        const { code } = error as { code?: unknown }
        // A name instead of an exit code: the program was not run. 1 is also what a `sync` without
        // `-f` answers.
        if (typeof code === 'string' || code === 1) absent()
        else reject(error)
      })
    } catch {
      absent()
    }
  })
  if (how === 'absent') syncEach(root)
}

/** Syncs every file and folder below `root`, and `root`. */
export function syncEach(root: string): void {
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    const path = `${root}/${entry.name}`
    if (entry.isDirectory()) syncEach(path)
    else if (entry.isFile()) syncOne(path)
  }
  syncOne(root)
}

function syncOne(path: string): void {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
