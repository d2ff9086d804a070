/**
 * One target of any conforming repository: where the plain client asks for it and keeps it, and
 * what its bytes must be.
 */
import { encodeSegment } from '@seaworthy/std/http'
import { invariant } from '@seaworthy/std/refusal'
import { trustError } from './codes.ts'
import { roleFileName } from './cycle.ts'
import type { TargetFile } from './metadata.ts'

export interface PlainTarget {
  readonly path: string
  readonly target: TargetFile
  /**
   * Path below the base URL, percent-encoded by segment, with the hash prefix where the repository
   * uses it. It must be appended to an address that ends with `/`, never resolved: a path such as
   * `//host/x` or `app:1.0` would lead elsewhere.
   */
  readonly urlPath: string
  /** One file name for the whole target path, percent-encoded; `.` and `..` are refused before. */
  readonly fileName: string
}

/**
 * Where a target is asked for and kept. Throws `target_path_unusable`, and `wrong_hash` when no
 * hash names it.
 */
export function placeTarget(
  path: string,
  target: TargetFile,
  isHashed: boolean,
): Pick<PlainTarget, 'urlPath' | 'fileName'> {
  const names = path.split('/')
  const last = names.pop()!
  const hash = isHashed ? `${strongestFirst(target)}.` : ''
  const segments = [...names, `${hash}${last}`].map(encodeSegment)
  const fileName = roleFileName(path).slice(0, -'.json'.length)
  if (segments.includes(undefined) || /^\.{0,2}$/.test(fileName)) {
    throw trustError(
      'target_path_unusable',
      'a path that is empty or has the segment "." or ".." stands for no file below the repository',
    )
  }
  return { urlPath: segments.join('/'), fileName }
}

export type StrongHash = 'sha256' | 'sha384' | 'sha512'
/** The order of preference for the hash in a file's name. */
const strongHashes: readonly StrongHash[] = ['sha256', 'sha512', 'sha384']

/** Any listed hash names the file (6.2): we take one that we also verify. */
function strongestFirst({ hashes }: TargetFile): string {
  const name = strongHashes.find((one) => Object.hasOwn(hashes, one))
  if (name === undefined) throw provesNothing()
  return hashes[name]!
}

function provesNothing() {
  return trustError('wrong_hash', 'the target has no hash that proves anything')
}

/** A hash over bytes that come piece by piece; the caller provides it. */
export interface StreamingHash {
  update(piece: Uint8Array): void
  /** The digest in lower-case hexadecimal; called once. */
  digest(): string
}

/**
 * Verifies a target as a stream (5.7.3): yields the pieces as they come, and throws `endless_data`,
 * `wrong_length` or `wrong_hash` unless all of them together are what was signed for. Nothing of it
 * may be used before the loop has ended; a loop that is left without an error before that throws,
 * because it has no verdict. Keeps no piece.
 */
export async function* verifyTarget(
  source: AsyncIterable<Uint8Array>,
  { length, hashes }: TargetFile,
  openHash: (name: StrongHash) => StreamingHash,
): AsyncGenerator<Uint8Array> {
  const running = strongHashes
    .filter((name) => Object.hasOwn(hashes, name))
    .map((name) => ({ hash: openHash(name), signed: hashes[name]! }))
  if (running.length === 0) throw provesNothing()
  let received = 0
  let isJudged = false
  try {
    for await (const piece of source) {
      received += piece.length
      if (received > length) {
        throw trustError('endless_data', `longer than the ${length} bytes signed for`)
      }
      for (const { hash } of running) hash.update(piece)
      yield piece
    }
    if (received < length) {
      throw trustError('wrong_length', `shorter than the ${length} bytes signed for`)
    }
    if (running.some(({ hash, signed }) => hash.digest() !== signed)) {
      throw trustError('wrong_hash', 'not the content signed for')
    }
    isJudged = true
  } catch (error) {
    isJudged = true
    throw error
  } finally {
    invariant(isJudged, 'a target under verification was left before its end')
  }
}
