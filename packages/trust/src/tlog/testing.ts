/**
 * Helpers for the tests of this folder: hashing, keys made on the spot, and a log that lies in
 * memory as files.
 */
import { createHash } from 'node:crypto'
import { appendLeaves, emptyLogEdge, type LogEdge } from './append.ts'
import { hashLeaf, type Sha256 } from './merkle.ts'
import { createNoteKey, type NoteKeyType, type NoteSigner } from './note.ts'
import type { FetchLogFile } from './tile-reader.ts'
import { encodeEntryBundle, formatTilePath, tileAt, tileWidth } from './tiles.ts'

export const sha256: Sha256 = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest())

export async function createTestSigner(
  name: string,
  type: NoteKeyType = 'ed25519',
): Promise<NoteSigner> {
  const made = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in made)) throw new Error('Ed25519 keys come in pairs')
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', made.publicKey))
  return {
    key: await createNoteKey(name, type, raw),
    sign: async (message) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', made.privateKey, new Uint8Array(message))),
  }
}

/** A log on a "disk" that tests can damage. Roots are remembered by size. */
export interface MemoryLog {
  readonly entries: Uint8Array[]
  readonly files: Map<string, Uint8Array>
  readonly roots: Map<number, Uint8Array>
  readonly requests: string[]
  edge: LogEdge
  fetch: FetchLogFile
}

export function createMemoryLog(): MemoryLog {
  const files = new Map<string, Uint8Array>()
  const requests: string[] = []
  return {
    entries: [],
    files,
    roots: new Map([[0, sha256(new Uint8Array())]]),
    requests,
    edge: emptyLogEdge,
    fetch: async (path) => {
      requests.push(path)
      return files.get(path)
    },
  }
}

export function appendToLog(log: MemoryLog, entries: readonly Uint8Array[]): Uint8Array {
  const firstBundle = Math.floor(log.entries.length / tileWidth)
  log.entries.push(...entries)
  const appended = appendLeaves(
    sha256,
    log.edge,
    entries.map((e) => hashLeaf(sha256, e)),
  )
  log.edge = appended.edge
  for (const tile of appended.tiles) log.files.set(tile.path, tile.bytes)
  for (let index = firstBundle; index * tileWidth < log.entries.length; index++) {
    const tile = tileAt('entries', index, log.entries.length)!
    const bundle = log.entries.slice(index * tileWidth, index * tileWidth + tile.width)
    log.files.set(formatTilePath(tile), encodeEntryBundle(bundle))
  }
  log.roots.set(log.edge.size, appended.root)
  return appended.root
}

/** Entries that differ by number, and between logs by `label`. */
export function makeEntries(from: number, to: number, label = 'entry'): Uint8Array[] {
  return Array.from({ length: to - from }, (_, i) =>
    new TextEncoder().encode(`${label} ${from + i}`),
  )
}
