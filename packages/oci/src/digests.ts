/**
 * Digests as OCI writes them, `sha256:<hex>` and `sha512:<hex>`, and streams that are checked
 * against one (image-spec, descriptor.md).
 */
import { createHash, hash } from 'node:crypto'
import { createByteCollector } from '@seaworthy/std/bytes'
import { invariant, Refusal, TrustError } from '@seaworthy/std/refusal'

export const digestAlgorithms = ['sha256', 'sha512'] as const
export type DigestAlgorithm = (typeof digestAlgorithms)[number]
/** Checked text: only `parseDigest` and the functions that compute a digest make one. */
export type Digest = `${DigestAlgorithm}:${string}`

export type ContentFault = 'wrong_hash' | 'wrong_length' | 'endless_data'

const form = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

export function isDigest(text: string): text is Digest {
  return text.length <= 135 && form.test(text)
}

/** Throws `SyntaxError` for any other algorithm, length or upper case. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw new SyntaxError('not a digest sha256:<64 hex> or sha512:<128 hex>')
  return text
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512'
}

export function digestHex(digest: Digest): string {
  return digest.slice(7)
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}`
}

/** A digest that is fed piece by piece. `finish` may be called once. */
export interface Digester {
  readonly algorithm: DigestAlgorithm
  readonly byteCount: number
  update(bytes: Uint8Array): void
  finish(): Digest
}

export function createDigester(algorithm: DigestAlgorithm = 'sha256'): Digester {
  const state = createHash(algorithm)
  let byteCount = 0
  return {
    algorithm,
    get byteCount() {
      return byteCount
    },
    update(bytes) {
      byteCount += bytes.length
      state.update(bytes)
    },
    finish: () => `${algorithm}:${state.digest('hex')}`,
  }
}

/** What content must be: its digest and its exact length in bytes. */
export interface ExpectedContent {
  digest: Digest
  size: number
}

/**
 * Passes the pieces on and, after the last, throws unless they were exactly the expected content. A
 * piece that would exceed the length is not passed on. Throws `TrustError<ContentFault>`. Nothing
 * that was passed on may be used before the loop has ended; a loop that is left without an error
 * before that throws, because it has no verdict. Whoever makes something of the bytes uses
 * `readVerified`, which cannot be left.
 */
export async function* verifyStream(
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedContent,
): AsyncGenerator<Uint8Array> {
  const digester = createDigester(digestAlgorithm(expected.digest))
  let isJudged = false
  try {
    for await (const piece of source) {
      if (digester.byteCount + piece.length > expected.size) {
        throw new TrustError<ContentFault>('endless_data', 'more bytes than were announced')
      }
      digester.update(piece)
      yield piece
    }
    finishVerification(digester, expected)
    isJudged = true
  } catch (error) {
    isJudged = true
    throw error
  } finally {
    invariant(isJudged, 'a stream under verification was left before its end')
  }
}

/**
 * Gives the pieces to `take` one after the other, and returns only when all of them together were
 * exactly the expected content. A refusal of `take` ends neither the reading nor the verification:
 * wrong bytes are reported as such, and not by what `take` made of them. Throws
 * `TrustError<ContentFault>`, else the first refusal of `take`; other errors of both sides at once.
 */
export async function readVerified(
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedContent,
  take: (piece: Uint8Array) => void | Promise<void>,
): Promise<void> {
  let refusal: Refusal | undefined
  for await (const piece of verifyStream(source, expected)) {
    if (refusal !== undefined) continue
    try {
      await take(piece)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refusal = error
    }
  }
  if (refusal !== undefined) throw refusal
}

/**
 * The whole content in memory; the caller has bounded its size. Throws `TrustError<ContentFault>`.
 */
export async function collectVerified(
  source: AsyncIterable<Uint8Array>,
  expected: ExpectedContent,
): Promise<Uint8Array> {
  const content = createByteCollector()
  await readVerified(source, expected, (piece) => content.add(piece))
  return content.take()
}

/** Throws `TrustError<ContentFault>` unless the digester saw exactly the expected content. */
export function finishVerification(digester: Digester, expected: ExpectedContent): void {
  if (digester.byteCount !== expected.size) {
    throw new TrustError<ContentFault>('wrong_length', 'fewer bytes than were announced')
  }
  if (digester.finish() !== expected.digest) {
    throw new TrustError<ContentFault>('wrong_hash', 'the bytes do not have the announced digest')
  }
}

/** Throws `TrustError<ContentFault>` unless the bytes are exactly the expected content. */
export function verifyBytes(bytes: Uint8Array, expected: ExpectedContent): void {
  if (bytes.length !== expected.size) {
    throw new TrustError<ContentFault>('wrong_length', 'not the announced number of bytes')
  }
  if (digestOf(bytes, digestAlgorithm(expected.digest)) !== expected.digest) {
    throw new TrustError<ContentFault>('wrong_hash', 'the bytes do not have the announced digest')
  }
}
