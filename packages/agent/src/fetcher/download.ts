/**
 * Bytes from a source into a file, never more than were signed. Content is kept under its digest
 * while it is partial and continued from where it stopped; the installer finds out whether it is
 * genuine.
 */
import type { HttpResponse, Transport } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { Disk, DiskWriter } from '../ports.ts'
import { DiskError } from '../ports.ts'
import type { FetchFailure } from '../refusals.ts'
import { FetchError } from '../refusals.ts'
import type { RateLimits } from './slow-retrieval.ts'
import { createRateWatch } from './slow-retrieval.ts'

export interface DownloadPorts {
  clock: Clock
  sleep: Sleep
  disk: Disk
  limits: RateLimits
}

export interface DownloadOptions {
  transport: Transport
  url: string
  headers: Readonly<Record<string, string>>
  /** The file that is written; continued when it exists. */
  path: string
  /** The exact number of bytes, or with `isLimit` the most. */
  size: number
  isLimit: boolean
  onProgress?: (bytes: number) => void
}

/** How often a connection that broke is resumed at the same source. */
const resumesMax = 8

/**
 * Resolves when exactly `size` bytes (or, with `isLimit`, a whole reply) are in the file; the
 * result says whether it began in an earlier attempt. Throws `FetchError`.
 */
export async function download(ports: DownloadPorts, options: DownloadOptions): Promise<boolean> {
  const watch = createRateWatch(ports.clock.monotonicMs(), options.size, ports.limits)
  let gained = 0
  let isContinued: boolean | undefined
  for (let resumes = 0; ; resumes++) {
    const writer = await openPartial(ports.disk, options)
    const before = writer.size
    isContinued ??= before > 0
    try {
      if (!options.isLimit && writer.size === options.size) return isContinued
      await downloadOnce(ports, options, writer, watch)
      return isContinued
    } catch (error) {
      gained += writer.size - before
      const mayResume =
        !options.isLimit &&
        error instanceof FetchError &&
        error.code === 'unreachable' &&
        gained > 0 &&
        resumes < resumesMax
      if (!mayResume) throw error
    } finally {
      await writer.close()
    }
    gained = 0
    await ports.sleep(250 * (resumes + 1))
  }
}

async function openPartial(
  disk: Disk,
  { path, size, isLimit }: DownloadOptions,
): Promise<DiskWriter> {
  if (isLimit) await disk.remove(path)
  const writer = await disk.append(path, 0o644)
  if (writer.size <= size) return writer
  await writer.close()
  await disk.remove(path)
  return disk.append(path, 0o644)
}

async function downloadOnce(
  ports: DownloadPorts,
  options: DownloadOptions,
  writer: DiskWriter,
  watch: ReturnType<typeof createRateWatch>,
): Promise<void> {
  const from = writer.size
  const abort = new AbortController()
  const guard = guardRate(ports, watch, abort)
  try {
    const response = await withSignal(
      options.transport({
        method: 'GET',
        url: options.url,
        headers: from === 0 ? options.headers : { ...options.headers, range: `bytes=${from}-` },
        signal: abort.signal,
      }),
      abort.signal,
    )
    let skip = checkHead(response, options, from)
    const iterator = response.body[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await withSignal(iterator.next(), abort.signal)
        if (next.done === true) break
        let piece = next.value
        watch.add(ports.clock.monotonicMs(), piece.length)
        if (skip > 0) {
          const skipped = Math.min(skip, piece.length)
          skip -= skipped
          piece = piece.subarray(skipped)
        }
        if (writer.size + piece.length > options.size) throw new FetchError('endless_data')
        await writer.write(piece)
        options.onProgress?.(writer.size)
      }
    } finally {
      // This closes the connection; whether that went well changes nothing about what was received.
      void iterator.return?.().catch(() => {})
    }
    if (!options.isLimit && writer.size < options.size) throw new FetchError('unreachable')
  } catch (error) {
    throw asFetchError(error)
  } finally {
    guard.stop()
    abort.abort()
  }
}

/**
 * How many bytes of the reply are already here. Throws `FetchError` for a reply that cannot be the
 * content.
 */
function checkHead(
  response: HttpResponse,
  { size, isLimit }: DownloadOptions,
  from: number,
): number {
  const failure = failureOfStatus(response.status)
  if (failure !== undefined) throw new FetchError(failure)
  const length = /^\d{1,15}$/.exec(response.headers['content-length'] ?? '')
  const announced = length === null ? undefined : Number(length[0])
  if (response.status === 206) {
    const range = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(
      response.headers['content-range'] ?? '',
    )
    if (range === null || Number(range[1]) !== from) throw new FetchError('malformed_reply')
    if (range[2] !== '*' && Number(range[2]) !== size) {
      throw new FetchError(Number(range[2]) > size ? 'endless_data' : 'wrong_length')
    }
    return 0
  }
  if (announced !== undefined && announced > size) throw new FetchError('endless_data')
  if (announced !== undefined && announced < size && !isLimit) throw new FetchError('wrong_length')
  return from
}

function failureOfStatus(status: number): FetchFailure | undefined {
  if (status === 200 || status === 206) return undefined
  if (status === 404) return 'not_found'
  if (status === 401 || status === 403) return 'not_allowed'
  if (status === 429 || status === 503) return 'rate_limited'
  if (status >= 500) return 'server_error'
  return 'malformed_reply'
}

/** Checks the rate a few times per window, whether anything arrives or not. */
function guardRate(
  ports: DownloadPorts,
  watch: ReturnType<typeof createRateWatch>,
  abort: AbortController,
): { stop: () => void } {
  const end = new AbortController()
  const look = async () => {
    for (;;) {
      await ports.sleep(ports.limits.windowMs / 4, end.signal)
      if (watch.isTooSlow(ports.clock.monotonicMs())) {
        abort.abort(new FetchError('slow_retrieval'))
        return
      }
    }
  }
  look().catch((error: unknown) => {
    // The end of the download ends the waiting; a guard that fails otherwise must not leave a
    // download unguarded.
    if (!end.signal.aborted) abort.abort(asFetchError(error))
  })
  return { stop: () => end.abort(new Error('stopped')) }
}

function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    // A promise that nobody waits for any more may still reject, which must not end the process.
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

export function asFetchError(error: unknown): FetchError {
  if (error instanceof FetchError) return error
  if (error instanceof DiskError) {
    return new FetchError(error.code === 'no_space' ? 'no_space' : 'unreachable', { cause: error })
  }
  if (error instanceof TransportError) {
    if (error.code === 'content_coded') return new FetchError('malformed_reply', { cause: error })
    const isWrongPeer = error.code === 'pin_mismatch' || error.code === 'tls'
    return new FetchError(isWrongPeer ? 'pin_mismatch' : 'unreachable', { cause: error })
  }
  return new FetchError('unreachable', { cause: error })
}
