/**
 * Content whose bytes are exactly what the channel's keys signed. Whatever goes wrong while it is
 * read is the content's own fault, or this machine's: never that of a source, of the fetcher or of
 * the network. That is why `read` is the only function that refuses a release for good
 * (`RefusedContent`), and why it takes every error, foreseen or not: content must not be able to
 * end the installer.
 */
import type { RefuseBy } from '@seaworthy/std/refusal'
import { Refusal, TrustError, throwRefusal } from '@seaworthy/std/refusal'
import { DiskError } from '../ports.ts'
import type { ContentFailure } from '../refusals.ts'
import { FetchError, LocalFault } from '../refusals.ts'

/**
 * A genuine release that this device cannot use: remembered, and tried again only under a higher
 * counter or when the server asks for it. Its constructor is not exported: code without `Verified`
 * content cannot give up a release.
 */
class ContentRefusalError extends Error {
  override readonly name = 'ContentRefusal'
  readonly code: string

  constructor(code: string, message: string, options: { cause: unknown }) {
    super(message, options)
    this.code = code
  }
}
export type RefusedContent = ContentRefusalError

export function isContentRefusal(error: unknown): error is RefusedContent {
  return error instanceof ContentRefusalError
}

export class Verified<T> {
  readonly #content: T

  /**
   * Called only by code that has just compared the bytes with the digest, or the member with the
   * signature, that vouches for them.
   */
  constructor(content: T) {
    this.#content = content
  }

  /** Throws `RefusedContent` or `LocalFault`, and nothing else. */
  async read<R>(reader: (content: T) => R | Promise<R>): Promise<R> {
    try {
      return await reader(this.#content)
    } catch (error) {
      throw verdictOf(error)
    }
  }

  /** A part that a reader took out of the content: as genuine as the whole. */
  async part<R>(reader: (content: T) => R | Promise<R>): Promise<Verified<R>> {
    return new Verified(await this.read(reader))
  }
}

/** Throws `Refusal<ContentFailure>`: what a reader says of content that it cannot use. */
export const refuseContent: RefuseBy<ContentFailure> = throwRefusal

/**
 * Names of system errors that a path or a tree in the content brings about, on a disk that is well.
 */
const pathFaults = ['ENAMETOOLONG', 'ELOOP', 'ENOTDIR', 'EISDIR', 'EILSEQ', 'EINVAL', 'EMLINK']

function verdictOf(error: unknown): RefusedContent | LocalFault {
  if (isContentRefusal(error) || error instanceof LocalFault) return error
  const options = { cause: error }
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof Refusal) return new ContentRefusalError(error.code, message, options)
  // The bytes were verified a moment ago, so the disk now returns other ones.
  if (error instanceof TrustError) return new LocalFault('disk_failed', message, options)
  if (error instanceof DiskError) return verdictOnDisk(error, message)
  // No reader of verified content asks the fetcher; should one ever, the release is not to blame.
  if (error instanceof FetchError) return new LocalFault('disk_failed', message, options)
  return new ContentRefusalError('content_unusable', message, options)
}

function verdictOnDisk(error: DiskError, message: string): RefusedContent | LocalFault {
  const options = { cause: error }
  switch (error.code) {
    case 'no_space':
      return new LocalFault('no_space', 'no space for the release', options)
    case 'failed': {
      const { cause } = error
      const name = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
      return pathFaults.includes(name)
        ? new ContentRefusalError('content_unusable', message, options)
        : new LocalFault('disk_failed', message, options)
    }
    case 'too_long':
    case 'exists':
    case 'not_regular':
      return new ContentRefusalError('content_unusable', message, options)
  }
}
