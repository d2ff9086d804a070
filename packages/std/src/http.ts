/**
 * One HTTP exchange as a port. A transport follows no redirect, keeps no cookie and repeats
 * nothing: the caller decides that. It asks for content without a coding, and refuses a coded
 * answer. It checks the peer (a pin or a CA) before it sends a byte.
 */
import { createByteCollector } from './bytes.ts'

export interface HttpRequest {
  method: string
  url: string
  headers?: Readonly<Record<string, string>>
  body?: Uint8Array | AsyncIterable<Uint8Array>
  signal?: AbortSignal
}

export interface HttpResponse {
  status: number
  /** Names in lower case; repeated fields joined by a comma. */
  headers: Readonly<Record<string, string>>
  /** Hostile bytes of any length. Leaving the loop early closes the connection. */
  body: AsyncIterable<Uint8Array>
  /** The pin under which the peer was accepted, where the caller gave pins. */
  pin?: string
}

/** Rejects with `TransportError` when there is no whole response head. */
export type Transport = (request: HttpRequest) => Promise<HttpResponse>

export type TransportErrorCode =
  | 'unreachable'
  | 'pin_mismatch'
  | 'tls'
  | 'timed_out'
  | 'aborted'
  /** The peer sent a content coding although none was asked for. */
  | 'content_coded'

/** The network failed, or the peer is not the one that was pinned: no statement about the bytes. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: TransportErrorCode

  constructor(code: TransportErrorCode, publicMessage: string, options?: { cause?: unknown }) {
    super(publicMessage, options)
    this.code = code
  }
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308
}

/**
 * `text` as one segment of a URL's path, whatever it contains. Gives `undefined` for what no URL
 * can hold: `.` and `..`, which every URL parser resolves in any spelling, and lone surrogates.
 * Characters that a path may hold as they are stay as they are, because not every server decodes
 * them.
 */
export function encodeSegment(text: string): string | undefined {
  if (text === '.' || text === '..' || !text.isWellFormed()) return undefined
  return encodeURIComponent(text).replace(/%(?:2[14689A-C]|27|3[ABD]|40)/g, decodeURIComponent)
}

/** A body that has more bytes than its reader allows. */
export class BodyTooLongError extends Error {
  override readonly name = 'BodyTooLongError'
  constructor(maxBytes: number) {
    super(`the body is longer than ${maxBytes} bytes`)
  }
}

/**
 * Returns the whole body. Throws `BodyTooLongError` as soon as it exceeds `maxBytes`, and keeps no
 * more than twice that in memory, however small its pieces are.
 */
export async function readBody(
  response: HttpResponse,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const body = createByteCollector()
  for await (const piece of response.body) {
    if (body.length + piece.length > maxBytes) throw new BodyTooLongError(maxBytes)
    body.add(piece)
  }
  return body.take()
}
