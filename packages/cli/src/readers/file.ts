/** The record of readers in the folder of its server, beside the anchor that it is bound to. */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { TrustError } from '@seaworthy/std/refusal'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { Session } from '../session.ts'
import { withFileLock } from '../state/file-lock.ts'
import { makePrivateFolder, readBounded, readIfThere, writeDurably } from '../state/files.ts'
import type { ReaderFault, ReaderRecord } from './record.ts'
import { formatRecord, parseRecord, recordBytesMax } from './record.ts'

type Place = Pick<Session, 'folder' | 'server'>

const pathOf = ({ folder }: Pick<Place, 'folder'>) => join(folder, 'readers.json')

/**
 * What is remembered, which is nothing at first. A damaged record is an error, never a fresh start.
 * Throws `readers_of_other_root`.
 */
export async function readRecord(place: Place): Promise<ReaderRecord> {
  const root = requireRoot(place)
  const bytes = await readIfThere(pathOf(place), recordBytesMax)
  if (bytes === undefined) return { root, fleets: new Map() }
  const record = parse(pathOf(place), bytes)
  if (record.root === root) return record
  throw new TrustError<ReaderFault>(
    'readers_of_other_root',
    `${pathOf(place)} is of the installation with the root sha256:${record.root}`,
  )
}

function requireRoot({ server }: Pick<Place, 'server'>): string {
  if (server.rootDigest !== undefined) return server.rootDigest
  throw new CliError('refused', 'the server has no trust root yet', {
    wayOut: 'Make keys with `seaworthy key create`, then run `seaworthy trust init`.',
  })
}

/** Reads again what is remembered, and writes it changed, one command after the other. */
export async function changeRecord(
  { ports }: Context,
  place: Place,
  change: (record: ReaderRecord) => ReaderRecord,
): Promise<void> {
  await makePrivateFolder(place.folder)
  await withFileLock(ports, pathOf(place), async () => {
    const before = await readRecord(place)
    const after = change(before)
    if (after === before) return
    await writeDurably(pathOf(place), formatRecord(after), { random: ports.random })
  })
}

/** A record that somebody exported, with the digest that they can tell of it. */
export async function readExported(
  path: string,
): Promise<{ record: ReaderRecord; digest: string }> {
  const bytes = await readBounded(path, recordBytesMax)
  return { record: parse(path, bytes), digest: digestOf(bytes) }
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

function parse(path: string, bytes: Uint8Array): ReaderRecord {
  try {
    return parseRecord(bytes)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new CliError('failed', `${path} is no record of readers: ${cause.message}`, {
      cause,
      wayOut:
        'Restore it from a backup, or import what somebody else exported: `seaworthy reader import`.',
    })
  }
}
