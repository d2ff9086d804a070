/**
 * Content that is signed for, out of the fetcher's hands: opened once, copied into the installer's own folder while it is hashed,
 * and used from that copy alone (TRUST.md, 4 and 5). Nothing is parsed before its digest was right.
 */
import { createDigester, digestOf } from '@seaworthy/oci/digests'
import { TrustError } from '@seaworthy/std/refusal'
import { isTrustError, trustError } from '@seaworthy/trust/tuf'
import type { Gateway, SourceSettings } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import { sourceOrder } from '../poll/sources.ts'
import { FetchError, UpdateError } from '../refusals.ts'
import { asTrustError, readHandedOver } from './trust.ts'

export interface ContentPorts {
  disk: Disk
  gateway: Gateway
}

export interface ContentSettings {
  fetchFolder: string
  /** The installer's own. */
  incoming: string
  sources: readonly SourceSettings[]
}

export interface WantedContent {
  /** Below a source: `/tuf/targets/…` or `/v2/…`. */
  path: string
  accept?: string
  /** Hexadecimal, as signed. */
  sha256: string
  size: number
}

const pieceBytes = 1024 * 1024
/** Documents that are read into memory: index and manifests. */
const documentBytesMax = 4 * 1024 * 1024

async function fromSources<T>(
  { gateway }: ContentPorts,
  settings: ContentSettings,
  wanted: WantedContent,
  take: (path: string) => Promise<T>,
): Promise<T> {
  let worst: unknown
  for (const source of sourceOrder(settings.sources, 'content')) {
    try {
      const { file } = await gateway.ask({ kind: 'content', source, ...wanted })
      return await take(`${settings.fetchFolder}/${file}`)
    } catch (error) {
      if (isTrustError(error)) await gateway.ask({ kind: 'discard', sha256: wanted.sha256 })
      else if (!(error instanceof FetchError)) throw error
      if (!(worst instanceof TrustError)) worst = asTrustError(error)
    }
  }
  throw worst
}

/** The bytes themselves. Throws `TrustError` or `FetchError` when no source had them. */
export async function obtainDocument(
  ports: ContentPorts,
  settings: ContentSettings,
  wanted: WantedContent,
): Promise<Uint8Array> {
  if (wanted.size > documentBytesMax)
    throw trustError('release_malformed', 'a document of more than 4 MiB')
  return fromSources(ports, settings, wanted, async (path) => {
    const bytes = await readHandedOver(ports.disk, path, wanted.size)
    // read once and used from memory: nothing of it has to stay in the fetcher's folder
    await ports.gateway.ask({ kind: 'discard', sha256: wanted.sha256 })
    if (bytes.length !== wanted.size) throw trustError('wrong_length', 'not the signed length')
    if (digestOf(bytes) !== `sha256:${wanted.sha256}`)
      throw trustError('wrong_hash', 'not the signed digest')
    return bytes
  })
}

/** The path of a verified copy in the installer's folder. Throws `TrustError`, `FetchError` or `UpdateError<'no_space'>`. */
export async function obtainFile(
  ports: ContentPorts,
  settings: ContentSettings,
  wanted: WantedContent,
): Promise<string> {
  const copy = `${settings.incoming}/sha256-${wanted.sha256}`
  return fromSources(ports, settings, wanted, async (path) => {
    try {
      await copyVerified(ports.disk, path, copy, wanted)
      return copy
    } catch (error) {
      await ports.disk.remove(copy)
      if (error instanceof DiskError && error.code === 'no_space') {
        throw new UpdateError('no_space', 'no space for the release', { cause: error })
      }
      throw error
    }
  })
}

async function copyVerified(
  disk: Disk,
  from: string,
  to: string,
  { sha256, size }: WantedContent,
): Promise<void> {
  const reader = await openHandedOver(disk, from)
  try {
    if (reader.size !== size) throw trustError('wrong_length', 'not the signed length')
    await disk.remove(to)
    const writer = await disk.create(to, { mode: 0o600, durable: false })
    try {
      const digester = createDigester('sha256')
      for (let at = 0; at < size;) {
        const piece = await reader.read(at, Math.min(pieceBytes, size - at))
        if (piece.length === 0) throw trustError('wrong_length', 'the file became shorter')
        digester.update(piece)
        await writer.write(piece)
        at += piece.length
      }
      if (digester.finish() !== `sha256:${sha256}`)
        throw trustError('wrong_hash', 'not the signed digest')
    } finally {
      await writer.close()
    }
  } finally {
    await reader.close()
  }
}

async function openHandedOver(disk: Disk, path: string) {
  try {
    const reader = await disk.open(path)
    if (reader !== undefined) return reader
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    throw new FetchError('malformed_reply', { cause: error })
  }
  throw new FetchError('fetcher_gone')
}
