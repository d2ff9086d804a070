/** The record of readers in the folder of its server, beside the anchor that it is bound to. */
import { hash } from 'node:crypto'
import { TrustError } from '@seaworthy/std/refusal'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Connection } from '../connection.ts'
import { makePrivateFolder, readBounded, writeDurably } from '../state/files.ts'
import type { KeptFile } from '../state/kept-files.ts'
import {
  changeKept,
  DamagedFileError,
  keptFile,
  parseKept,
  readKept,
  requireKeepable,
  setAside,
} from '../state/kept-files.ts'
import type { ReaderFault, ReaderRecord } from './record.ts'
import { formatRecord, parseRecord, recordBytesMax } from './record.ts'

type ServerFolder = Pick<Connection, 'folder' | 'server'>

const fileOf = ({ folder }: Pick<ServerFolder, 'folder'>) => keptFile(folder, 'readers.json')

/**
 * What is remembered, which is nothing at first. A damaged record is an error, never a fresh start.
 * Throws `readers_of_other_root`.
 */
export async function readRecord(at: ServerFolder): Promise<ReaderRecord> {
  return await parseOwn(at, await readKept(fileOf(at)))
}

async function parseOwn(
  at: ServerFolder,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): Promise<ReaderRecord> {
  const root = requireRoot(at)
  if (bytes === undefined) return { root, fleets: new Map() }
  const file = fileOf(at)
  const record = await parseKept(file, bytes, parseRecord)
  if (record.root === root) return record
  throw new TrustError<ReaderFault>(
    'readers_of_other_root',
    `${file.path} is of the installation with the root sha256:${record.root}`,
  )
}

function requireRoot({ server }: Pick<ServerFolder, 'server'>): string {
  if (server.rootDigest !== undefined) return server.rootDigest
  throw new CliError('refused', 'the server has no trust root yet', {
    wayOut: 'Make keys with `seaworthy key create`, then run `seaworthy trust init`.',
  })
}

/** Reads again what is remembered, and writes it changed, one command after the other. */
export async function changeRecord(
  { ports }: Context,
  at: ServerFolder,
  change: (record: ReaderRecord) => ReaderRecord,
): Promise<void> {
  await makePrivateFolder(at.folder)
  await changeKept(ports, fileOf(at), async (bytes) => {
    const before = await parseOwn(at, bytes)
    const after = change(before)
    return after === before ? undefined : formatRecord(after)
  })
}

/**
 * Throws where `changeRecord` would fail. It is called before the server does what has to be
 * remembered.
 */
export async function requireChangeable({ ports }: Context, at: ServerFolder): Promise<void> {
  await makePrivateFolder(at.folder)
  await readRecord(at)
  await requireKeepable(ports, fileOf(at))
}

/**
 * The record as `readRecord` gives it, and an empty one in place of a damaged one: for whoever
 * brings another.
 */
export async function readReplaceable(
  at: ServerFolder,
): Promise<{ record: ReaderRecord; isDamaged: boolean }> {
  try {
    return { record: await readRecord(at), isDamaged: false }
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error
    return { record: { root: requireRoot(at), fleets: new Map() }, isDamaged: true }
  }
}

/** Moves a damaged record out of the way, and keeps it. Returns its new path. */
export async function setRecordAside({ ports }: Context, at: ServerFolder): Promise<string> {
  return await setAside(fileOf(at), ports)
}

const exportAgain =
  'Name a file that `seaworthy reader export FILE` has written, and get it again if it was changed on its way.'

/** A record that somebody exported, with the digest that they can tell of it. */
export async function readExported(
  path: string,
): Promise<{ record: ReaderRecord; digest: string }> {
  const bytes = await readBounded(path, recordBytesMax)
  const file: KeptFile = { path, bytesMax: recordBytesMax, wayOut: exportAgain }
  return { record: await parseKept(file, bytes, parseRecord), digest: digestOf(bytes) }
}

export async function writeExported(
  { ports }: Context,
  path: string,
  record: ReaderRecord,
): Promise<{ digest: string }> {
  const text = formatRecord(record)
  await writeDurably(path, text, { random: ports.random, mode: 0o644 })
  return { digest: digestOf(text) }
}

function digestOf(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex')
}
