/**
 * Signed content, taken from the fetcher: opened once, copied into the installer's own folder while
 * it is hashed, and used only from that copy. Nothing is parsed before its digest has been
 * verified.
 */
import { createDigester, digestOf } from '@seaworthy/oci/digests'
import type { Log } from '@seaworthy/std/log'
import { TrustError } from '@seaworthy/std/refusal'
import { isTrustError, trustError } from '@seaworthy/trust/tuf'
import type { Gateway, SourceSettings } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import { sourceOrder } from './sources.ts'
import { FetchError, LocalFault } from '../refusals.ts'
import { asTrustError, readHandedOver } from './trust.ts'
import { Verified } from './verified.ts'

export interface ContentPorts {
  disk: Disk
  gateway: Gateway
  log: Log
}

export interface ContentSettings {
  fetchFolder: string
  /** The installer's own folder for copies. */
  incoming: string
  sources: readonly SourceSettings[]
}

export interface WantedContent {
  /** The path below a source: `/tuf/targets/…` or `/v2/…`. */
  path: string
  accept?: string
  /** The digest in hexadecimal, as signed. */
  sha256: string
  size: number
}

const pieceBytes = 1024 * 1024
/**
 * Tries the sources one after the other. What a source sent is kept only for that source
 * (`fetcher/fetcher.ts`): a hostile one spoils its own download and no other's. Where wrong bytes
 * began in an earlier attempt, the source gets a clean try at once.
 */
async function fromSources<T>(
  { gateway, log }: ContentPorts,
  settings: ContentSettings,
  wanted: WantedContent,
  take: (path: string) => Promise<T>,
): Promise<T> {
  let worst: unknown
  const slow = new Set<number>()
  for (const { source, isHurried, isSecond } of attemptsAt(settings.sources)) {
    if (isSecond && !slow.has(source)) continue
    for (let isAgain = false; ; isAgain = true) {
      let isContinued = false
      try {
        const reply = await gateway.ask({ kind: 'content', source, isHurried, ...wanted })
        isContinued = reply.isContinued
        return await take(`${settings.fetchFolder}/${reply.file}`)
      } catch (error) {
        const isWrong = isTrustError(error)
        if (!isWrong && !(error instanceof FetchError)) throw error
        if (error instanceof FetchError && error.code === 'slow_retrieval') slow.add(source)
        log.warn('source-failed', { source: settings.sources[source]!.url, error })
        if (isWrong) await discardContent(gateway, wanted.sha256, source)
        if (!(worst instanceof TrustError)) worst = asTrustError(error)
        if (!isWrong || !isContinued || isAgain) break
      }
    }
  }
  throw worst
}

interface Attempt {
  source: number
  isHurried: boolean
  isSecond: boolean
}

/**
 * Every source in turn, then the slow ones once more without hurry, the server first. Where all are
 * slow, the network is; each download continues where it stopped.
 */
function attemptsAt(sources: readonly SourceSettings[]): Attempt[] {
  const order = sourceOrder(sources, 'content')
  const isHurried = order.length > 1
  const first = order.map((source) => ({ source, isHurried, isSecond: false }))
  if (!isHurried) return first
  const second = order.toReversed().map((source) => ({ source, isHurried: false, isSecond: true }))
  return [...first, ...second]
}

/**
 * Has the fetcher remove content of one source, or of all. Nothing here depends on whether the
 * fetcher does it.
 */
export async function discardContent(
  gateway: Gateway,
  sha256: string,
  source?: number,
): Promise<void> {
  try {
    const place = source === undefined ? {} : { source }
    await gateway.ask({ kind: 'discard', sha256, ...place })
  } catch (error) {
    if (!(error instanceof FetchError)) throw error
  }
}

/** The bytes themselves. Throws `TrustError` or `FetchError` when no source had them. */
export async function obtainDocument(
  ports: ContentPorts,
  settings: ContentSettings,
  wanted: WantedContent,
): Promise<Verified<Uint8Array>> {
  return fromSources(ports, settings, wanted, async (path) => {
    const bytes = await readHandedOver(ports.disk, path, wanted.size)
    if (bytes.length !== wanted.size) throw trustError('wrong_length', 'not the signed length')
    if (digestOf(bytes) !== `sha256:${wanted.sha256}`)
      throw trustError('wrong_hash', 'not the signed digest')
    // The file is read once and used from memory: nothing of it has to stay in the fetcher's
    // folder.
    await discardContent(ports.gateway, wanted.sha256)
    return new Verified(bytes)
  })
}

/**
 * The path of a verified copy in the installer's folder. Throws `TrustError`, `FetchError` or
 * `LocalFault`.
 */
export async function obtainFile(
  ports: ContentPorts,
  settings: ContentSettings,
  wanted: WantedContent,
): Promise<Verified<string>> {
  const copy = `${settings.incoming}/sha256-${wanted.sha256}`
  return fromSources(ports, settings, wanted, async (path) => {
    try {
      await copyVerified(ports.disk, path, copy, wanted)
      return new Verified(copy)
    } catch (error) {
      await ports.disk.remove(copy)
      throw error instanceof DiskError ? localFault(error) : error
    }
  })
}

/** An error of the installer's own folders. */
export function localFault(error: DiskError): LocalFault {
  const options = { cause: error }
  return error.code === 'no_space'
    ? new LocalFault('no_space', 'no space for the release', options)
    : new LocalFault('disk_failed', error.message, options)
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
