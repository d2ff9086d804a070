/** Verifies and unpacks a bundle in one pass, in memory that does not grow with it. */
import type { Readable } from 'node:stream'
import { constants, createZstdDecompress } from 'node:zlib'
import { Refusal } from '@seaworthy/std/refusal'
import type { ExpectedContent } from '../digests.ts'
import { verifyStream } from '../digests.ts'
import type { TarLimits, TarSink, TarSummary } from '../tar/read.ts'
import { createTarReader, defaultTarLimits } from '../tar/read.ts'

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
 * Returns only when the source was exactly the expected content and all of it went to the sink.
 * Throws `TrustError<ContentFault>` when the bytes are not the expected ones, whatever else is
 * wrong with them; `Refusal<TarRefusal | UnpackRefusal>` when the right bytes are no good bundle;
 * errors of source and sink as they are. After a throw everything that went to the sink must be
 * thrown away.
 */
export async function unpackBundle({
  source,
  expected,
  sink,
  limits = defaultTarLimits,
}: UnpackOptions): Promise<TarSummary> {
  const reader = createTarReader(sink, limits)
  const pieces = verifyStream(source, expected)
  const zstd = createZstdDecompress({
    chunkSize: chunkBytes,
    readableHighWaterMark: 4 * chunkBytes,
    params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
  } as Parameters<typeof createZstdDecompress>[0])
  let sourceFailure: { error: unknown } | undefined

  const feed = async () => {
    try {
      for (;;) {
        const next = await pieces.next().catch((error: unknown) => {
          sourceFailure = { error }
          throw error
        })
        if (next.done) break
        if (zstd.destroyed) return
        if (!zstd.write(next.value)) await drained(zstd)
      }
      zstd.end()
    } catch (error) {
      zstd.destroy(error as Error)
    }
  }
  const feeding = feed()
  try {
    for await (const chunk of zstd as Readable as AsyncIterable<Uint8Array>) {
      const pending = reader.push(chunk)
      if (pending) await pending
    }
    await feeding
    return reader.finish()
  } catch (error) {
    zstd.destroy()
    await feeding
    if (sourceFailure) throw sourceFailure.error
    const failure = isZstdError(error)
      ? new Refusal<UnpackRefusal>('zstd_damaged', 'the bundle cannot be decompressed', {
          cause: error,
        })
      : error
    // Wrong bytes are reported as that, not as what a decoder made of them.
    if (failure instanceof Refusal) await drainAll(pieces)
    throw failure
  } finally {
    await pieces.return(undefined)
  }
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

async function drainAll(pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of pieces) continue
}
