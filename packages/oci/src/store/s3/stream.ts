/** Writes a stream of unknown length into one object, with at most two parts in memory. */
import { createByteCollector } from '@seaworthy/std/bytes'
import type { S3Client } from './client.ts'
import { ObjectStoreError } from './errors.ts'
import type { StoredBytes } from './records.ts'

/**
 * The smallest part. All parts but the last must have at least 5 MiB, and some servers want them
 * all of one size.
 */
const partBytesMin = 8 * 1024 * 1024
const partsMax = 10_000

/** The size of parts in which `sizeMax` bytes fit into the number of parts that is allowed. */
export function partBytesFor(sizeMax: number): number {
  return Math.max(partBytesMin, Math.ceil(sizeMax / partsMax))
}

/** Writes what the source yields; when the source throws, nothing is kept. */
export async function writeStream(
  client: S3Client,
  key: string,
  source: AsyncIterable<Uint8Array>,
  partBytes: number,
): Promise<StoredBytes> {
  const etags: Promise<string>[] = []
  let partsId: string | undefined
  const waiting = createByteCollector()
  let size = 0

  const writePart = async () => {
    const part = waiting.take()
    partsId ??= await client.startParts(key)
    // One part is on its way while the next one comes in.
    await etags.at(-1)
    const writing = client.writePart(key, partsId, etags.length + 1, part)
    // It is awaited before the next part and at the end; this keeps a rejection until then from
    // counting as unhandled.
    writing.catch(() => {})
    etags.push(writing)
  }
  try {
    for await (const piece of source) {
      size += piece.length
      for (let rest = piece; rest.length > 0;) {
        const taken = rest.subarray(0, partBytes - waiting.length)
        rest = rest.subarray(taken.length)
        waiting.add(taken)
        if (waiting.length === partBytes) await writePart()
      }
    }
    if (partsId === undefined) {
      const etag = await client.write(key, waiting.take())
      return { key, etag: etag!, size }
    }
    if (waiting.length > 0) await writePart()
    await client.finishParts(key, partsId, await Promise.all(etags))
    const stored = await client.head(key)
    if (stored?.size !== size) {
      throw new ObjectStoreError('failed', 'the object store kept another number of bytes')
    }
    return { key, etag: stored.etag, size }
  } catch (error) {
    if (partsId !== undefined) {
      await Promise.allSettled(etags)
      // When this fails too, the sweep of uploads finds what is left.
      await client.abortParts(key, partsId).catch(() => undefined)
    }
    throw error
  }
}

/**
 * How often a read that broke off is resumed before it is given up; any byte counts as progress.
 */
const interruptionsMax = 4

/**
 * The bytes from `start` to `end`, `end` excluded. Throws what `damaged` makes when they are gone
 * or others than those that were written.
 */
export async function* readStream(
  client: S3Client,
  bytes: StoredBytes,
  { start, end }: { start: number; end: number },
  damaged: () => Error,
): AsyncGenerator<Uint8Array> {
  let position = start
  for (let interruptions = 0; position < end;) {
    const body = await client.open(bytes.key, bytes.etag, { start: position, end })
    if (body === undefined) throw damaged()
    const before = position
    try {
      for await (const piece of body) {
        const taken = piece.subarray(0, end - position)
        position += taken.length
        yield taken
        if (position === end) return
      }
    } catch (error) {
      interruptions = position > before ? 1 : interruptions + 1
      if (interruptions > interruptionsMax) throw error
      continue
    }
    interruptions = position > before ? 1 : interruptions + 1
    if (interruptions > interruptionsMax) throw damaged()
  }
}
