/**
 * The files that this program keeps for itself, and the one way to read and change each. What lies
 * there may be anything: it is a fresh start only where nothing has that name. A folder, a pipe, a
 * link that leads nowhere, and what cannot be read end the command with the name of the file and
 * what its owner can do.
 */
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { lstat, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { hexEncode } from '@seaworthy/std/bytes'
import { describeSystemError, findSystemCode } from '@seaworthy/std/system-errors'
import { defaultTufLimits } from '@seaworthy/trust/tuf'
import { noteBytesMax } from '@seaworthy/trust/tlog'
import { CliError } from '../failure.ts'
import type { CliPorts } from '../ports.ts'
import { withFileLock } from './file-lock.ts'
import { isMissing, readOpened, requireWritable, writeDurably } from './files.ts'

export interface KeptFile {
  readonly path: string
  readonly bytesMax: number
  /** What its owner does when it is damaged or cannot be read. */
  readonly wayOut: string
}

const mebibyte = 1024 * 1024

const trustState = {
  bytesMax: 256 * mebibyte,
  wayOut:
    'Restore it from a backup, or move it away: the other of the two files then counts alone. Without both, run `seaworthy login …` again: it begins anew at the same root, and what was seen since is forgotten.',
}

const checkpoint = {
  bytesMax: noteBytesMax,
  wayOut:
    'Without it, rewritten history cannot be noticed: restore it from a backup. Without one, move it away; the log is then seen for the first time: compare `seaworthy log verify` with another machine.',
}

/** The files by their paths: in the folder of the configuration, and in that of each server. */
export const keptFiles = {
  'config.json': {
    bytesMax: mebibyte,
    wayOut:
      'Restore it, or move it away and pair again with `seaworthy login`, with the --root that you noted.',
  },
  'signed.json': {
    bytesMax: 16 * mebibyte,
    wayOut:
      'Restore it from a backup: without it nobody can tell what was signed here before. If there is none, move it away, and sign nothing of which you are not sure that it is the first.',
  },
  token: {
    bytesMax: 4096,
    wayOut: 'Move it away, then pair again: `seaworthy login …`.',
  },
  pins: {
    bytesMax: 1024,
    wayOut:
      'Move it away: the pin that was given at `seaworthy login` then counts. If the server has changed its key since, pair again.',
  },
  checkpoint,
  'checkpoint.contradicting': checkpoint,
  'readers.json': {
    bytesMax: 64 * mebibyte,
    wayOut:
      'Restore it from a backup, or import what somebody else exported: `seaworthy reader import FILE`. Without either, move it away: each reader is then to be accepted anew.',
  },
  'own-copies.json': {
    bytesMax: 16 * mebibyte,
    wayOut: 'Move it away, and set each secret anew: `seaworthy secret set`.',
  },
  'secrets.key': {
    bytesMax: 1024,
    wayOut:
      'Restore it from a backup. Without one, move it away, and set each secret anew: `seaworthy secret set`.',
  },
  'trust/anchor.json': {
    bytesMax: defaultTufLimits.rootBytesMax,
    wayOut:
      'Restore it from a backup. Without one, see that nothing has its name and run `seaworthy login …` again: it fetches this very root, and takes no other.',
  },
  'trust/state-a': trustState,
  'trust/state-b': trustState,
} satisfies Readonly<Record<string, Omit<KeptFile, 'path'>>>

export type KeptName = keyof typeof keptFiles

export function keptFile(folder: string, name: KeptName): KeptFile {
  return { path: join(folder, name), ...keptFiles[name] }
}

/** What lies there is no file of this program: it was damaged, or something else has its name. */
export class DamagedFileError extends CliError {}

/** The file as it is; `undefined` where nothing has its name. */
export async function readKept(file: KeptFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { path, bytesMax } = file
  const opened = await openIfThere(file)
  if (opened === undefined) return undefined
  try {
    const facts = await opened.stat()
    if (facts.isDirectory()) throw damaged(file, 'is a folder')
    if (!facts.isFile()) throw damaged(file, 'is not a regular file')
    if (facts.size > bytesMax) throw damaged(file, `is longer than ${bytesMax} bytes`)
    return await readOpened(opened, path, bytesMax)
  } catch (error) {
    throw error instanceof CliError ? error : unusable(file, 'cannot be read', error)
  } finally {
    await opened.close()
  }
}

/** Nothing that lies there holds the command up: a pipe is opened without waiting for a writer. */
async function openIfThere(file: KeptFile): Promise<FileHandle | undefined> {
  const { path } = file
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const code = findSystemCode(error)
    if (code === 'ENXIO') throw damaged(file, 'is not a regular file', error)
    if (code === 'ELOOP') throw damaged(file, 'is a link that leads nowhere', error)
    if (code !== 'ENOENT') throw unusable(file, 'cannot be read', error)
    if (await isLink(path)) throw damaged(file, 'is a link that leads nowhere', error)
    return undefined
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** What `parse` makes of the bytes. Whatever it throws says that they are damaged. */
export async function parseKept<T>(
  file: KeptFile,
  bytes: Uint8Array<ArrayBuffer>,
  parse: (bytes: Uint8Array<ArrayBuffer>) => T | Promise<T>,
): Promise<T> {
  try {
    return await parse(bytes)
  } catch (cause) {
    const why = cause instanceof SyntaxError && cause.message !== '' ? `: ${cause.message}` : ''
    throw damaged(file, `is damaged${why}`, cause)
  }
}

function damaged({ path, wayOut }: KeptFile, what: string, cause?: unknown): DamagedFileError {
  return new DamagedFileError('failed', `${path} ${what}`, { wayOut, cause })
}

/** What may not be read is whole: nobody is sent to restore it, or to move it away. */
function unusable({ path, wayOut }: KeptFile, what: string, cause: unknown): CliError {
  const why = describeSystemError(cause)
  const said = `${path} ${what}${why === undefined ? '' : `: ${why}`}`
  const isOthers = ['EACCES', 'EPERM'].includes(findSystemCode(cause) ?? '')
  if (!isOthers) return new CliError('failed', said, { wayOut, cause })
  return new CliError('notAllowed', said, {
    wayOut:
      'It belongs to another account: run the command as that one, or name a folder of your own with --config-dir.',
    cause,
  })
}

/** Writes the file whole. Its folder is there already. */
export async function writeKept(
  file: KeptFile,
  bytes: Uint8Array | string,
  { random }: Pick<CliPorts, 'random'>,
): Promise<void> {
  try {
    await writeDurably(file.path, bytes, { random })
  } catch (error) {
    throw notWritten(file, error)
  }
}

function notWritten({ path, wayOut }: KeptFile, cause: unknown): unknown {
  const why = describeSystemError(cause)
  if (why === undefined) return cause
  const isInTheWay = findSystemCode(cause) === 'EISDIR'
  return new CliError('failed', `${path} cannot be written: ${why}`, {
    cause,
    wayOut: isInTheWay
      ? wayOut
      : 'See that there is room and that you may write to its folder, then run the command again.',
  })
}

/**
 * Reads the file again and writes it changed, one command after the other. Nothing is written where
 * `change` gives `undefined`.
 */
export async function changeKept(
  ports: Pick<CliPorts, 'sleep' | 'signal' | 'random'>,
  file: KeptFile,
  change: (before: Uint8Array<ArrayBuffer> | undefined) => Promise<Uint8Array | string | undefined>,
): Promise<void> {
  await withFileLock(ports, file.path, async () => {
    const after = await change(await readKept(file))
    if (after !== undefined) await writeKept(file, after, ports)
  })
}

/**
 * Throws where the file could not be changed. It is called before something is done that has to be
 * remembered in it.
 */
export async function requireKeepable(
  ports: Pick<CliPorts, 'sleep' | 'signal' | 'random'>,
  file: KeptFile,
): Promise<void> {
  await withFileLock(ports, file.path, async () => {
    await readKept(file)
    try {
      await requireWritable(file.path, ports)
    } catch (error) {
      throw notWritten(file, error)
    }
  })
}

/** Moves what lies there out of the way, and keeps it. Returns its new path. */
export async function setAside(
  { path }: KeptFile,
  { random }: Pick<CliPorts, 'random'>,
): Promise<string> {
  const aside = `${path}.damaged-${hexEncode(random.bytes(4))}`
  await rename(path, aside)
  return aside
}
