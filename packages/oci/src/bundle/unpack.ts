/** Verifies and unpacks a bundle in one pass, in memory that does not grow with it. */
import type { Readable } from 'node:stream'
import { constants, createZstdDecompress } from 'node:zlib'
import { Refusal } from '@seaworthy/std/refusal'
import type { ExpectedContent } from '../digests.ts'
import { readVerified } from '../digests.ts'
import type { TarLimits, TarSink, TarSummary } from '../tar/read.ts'
import { createTarReader, defaultTarLimits } from '../tar/read.ts'
import { createFrameScanner } from './frame.ts'

export type UnpackRefusal = 'zstd_damaged'

const chunkBytes = 512 * 1024
/** Base-2 logarithm of 32 MiB: the largest history that a bundle may need for its decompression. */
const windowLogMax = 25

export interface UnpackOptions {
  /** The compressed bundle; read once, to its end. */
  source: AsyncIterable<Uint8Array>
  expected: ExpectedContent
  sink: TarSink
  limits?: TarLimits
}

/**
 * Returns only when the source was exactly the expected content, was one zstd frame and nothing
 * else, and all of it went to the sink. Throws `TrustError<ContentFault>` when the bytes are not
 * the expected ones, whatever else is wrong with them; `Refusal<TarRefusal | UnpackRefusal>` when
 * the right bytes are not a valid bundle; errors of source and sink as they are. After a throw
 * everything that went to the sink must be thrown away.
 */
export async function unpackBundle({
  source,
  expected,
  sink,
  limits = defaultTarLimits,
}: UnpackOptions): Promise<TarSummary> {
  const reader = createTarReader(sink, limits)
  const decoder = createDecoder((chunk) => reader.push(chunk))
  try {
    await readVerified(source, expected, (piece) => decoder.write(piece))
    await decoder.end()
    return reader.finish()
  } finally {
    await decoder.close()
  }
}

/** Decompresses what is written to it, while the writer goes on. */
interface Decoder {
  /**
   * Throws errors of `take` that are no refusals at once. Refusals wait for `end`, so that bytes
   * behind the frame are found in any case.
   */
  write(piece: Uint8Array): Promise<void>
  /** Returns when `take` had everything. Throws `zstd_damaged` and what `take` threw. */
  end(): Promise<void>
  /** Returns when `take` is not called any more. */
  close(): Promise<void>
}

function createDecoder(take: (chunk: Uint8Array) => Promise<void> | undefined): Decoder {
  const zstd = createZstdDecompress({
    chunkSize: chunkBytes,
    readableHighWaterMark: 4 * chunkBytes,
    params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
  } as Parameters<typeof createZstdDecompress>[0])
  const frame = createFrameScanner()
  let frameBytes = 0
  let failure: { error: unknown } | undefined

  const read = async () => {
    try {
      for await (const chunk of zstd as Readable as AsyncIterable<Uint8Array>) {
        const pending = take(chunk)
        if (pending) await pending
      }
    } catch (error) {
      failure = { error: isZstdError(error) ? damaged(error) : error }
    }
  }
  const reading = read()

  return {
    async write(piece) {
      const length = frame.push(piece)
      frameBytes += length
      if (length > 0 && !zstd.destroyed && !zstd.write(piece.subarray(0, length))) {
        await drained(zstd)
      }
      if (failure !== undefined && !(failure.error instanceof Refusal)) throw failure.error
    },
    async end() {
      if (!frame.isWhole()) throw damaged()
      zstd.end()
      await reading
      if (failure !== undefined) throw failure.error
      // The decoder must have seen the same end of the frame as the scanner.
      if (zstd.bytesWritten !== frameBytes) throw damaged()
    },
    async close() {
      zstd.destroy()
      await reading
    },
  }
}

function damaged(cause?: unknown): Refusal<UnpackRefusal> {
  return new Refusal<UnpackRefusal>('zstd_damaged', 'the bundle cannot be decompressed', { cause })
}

function isZstdError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return typeof error.code === 'string' && /^(?:ZSTD_|ERR_ZSTD|ERR_BUFFER_TOO|Z_)/.test(error.code)
}

function drained(zstd: ReturnType<typeof createZstdDecompress>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      zstd.off('drain', done).off('close', done)
      resolve()
    }
    zstd.on('drain', done).on('close', done)
  })
}
