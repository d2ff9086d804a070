/** The application's variables and secrets as files, in a folder that root alone may change. */
import {
  chmodSync,
  closeSync,
  constants,
  lchownSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { makeFolders } from '@seaworthy/oci/folders'
import type { Log } from '@seaworthy/std/log'
import type { AppFiles } from '../ports.ts'
import { LocalFault } from '../refusals.ts'
import type { Account } from './accounts.ts'

/** File systems that live in memory, by the number that the kernel gives them: tmpfs and ramfs. */
const inMemory = [0x01021994, 0x858458f6]
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/**
 * `account` is the application's where the agent is root. The folder above `folder` is root's alone
 * then.
 */
export function createAppFiles(
  folder: string,
  account: Pick<Account, 'uid' | 'gid'> | undefined,
  log: Log,
): AppFiles {
  const writeFile = (name: string, bytes: Uint8Array) => {
    const temporary = `${folder}/.${name}.new`
    rmSync(temporary, { force: true })
    // Nobody else can have opened the file before it belongs to the application.
    const file = openSync(temporary, newFile, 0o600)
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written)
    } finally {
      closeSync(file)
    }
    // The permission model offers no such call for open files. Only root can put another file here.
    if (account !== undefined) lchownSync(temporary, account.uid, account.gid)
    chmodSync(temporary, 0o400)
    renameSync(temporary, `${folder}/${name}`)
  }

  let isReady = false
  let isWarned = false
  const makeReady = () => {
    if (isReady) return
    makeFolders(folder, 0o750)
    if (account !== undefined) lchownSync(folder, 0, account.gid)
    chmodSync(folder, 0o750)
    isReady = true
  }
  const warnOfDisk = () => {
    if (isWarned || inMemory.includes(statfsSync(folder).type)) return
    isWarned = true
    log.warn('secrets-on-disk', {
      folder,
      why: 'variables and secrets of the application lie in a folder that is not in memory',
      wayOut:
        'mount a tmpfs there, or leave --state-dir and stateDir out: they then lie below /run',
    })
  }

  const replaceAll = (files: ReadonlyMap<string, Uint8Array>) => {
    makeReady()
    if (files.size > 0) warnOfDisk()
    for (const name of readdirSync(folder)) {
      if (!files.has(name)) rmSync(`${folder}/${name}`, { force: true, recursive: true })
    }
    for (const [name, bytes] of files) writeFile(name, bytes)
  }

  return {
    async replace(files) {
      try {
        replaceAll(files)
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed'
        const isFull = code === 'ENOSPC' || code === 'EDQUOT'
        throw new LocalFault(isFull ? 'no_space' : 'disk_failed', `${folder}: ${code}`, { cause })
      }
    },
  }
}
