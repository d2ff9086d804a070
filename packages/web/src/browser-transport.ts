/** Requests of a page to its own server. The cookie of the session goes with them. */
import type { HttpResponse, Transport } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import { writeOut } from '@seaworthy/std/printable'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export function createBrowserTransport(fetch: Fetch): Transport {
  return async ({ method, url, headers, body, signal }) => {
    if (body !== undefined && !(body instanceof Uint8Array)) {
      throw new TypeError('pages send no streams')
    }
    try {
      const response = await fetch(url, {
        method,
        ...(headers === undefined ? {} : { headers }),
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
        ...(signal === undefined ? {} : { signal }),
        credentials: 'same-origin',
        redirect: 'error',
        cache: 'no-store',
      })
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: isJson(response.headers)
          ? showPieces(readPieces(response.body))
          : readPieces(response.body),
      }
    } catch (cause) {
      if (signal?.aborted === true) throw new TransportError('aborted', 'the page gave up waiting')
      throw new TransportError('unreachable', 'the server cannot be reached', { cause })
    }
  }
}

const isJson = (headers: Headers) =>
  /^application\/(?:[a-z]+\+)?json/.test(headers.get('content-type') ?? '')

/** Escapes the same characters in a text that is parsed as JSON afterwards. */
export function showJsonText(text: string): string {
  return writeOut(text, (character) =>
    character === '\n' ? character : `\\\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
}

/**
 * Escapes invisible and direction-changing characters in the texts of an answer: other people and
 * devices choose names and reasons. Such characters cannot stand between the values of JSON.
 */
async function* showPieces(pieces: HttpResponse['body']): HttpResponse['body'] {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  const show = (text: string) => encoder.encode(showJsonText(text))
  for await (const piece of pieces) yield show(decoder.decode(piece, { stream: true }))
  yield show(decoder.decode())
}

/** Not every browser iterates over streams. */
async function* readPieces(stream: ReadableStream<Uint8Array> | null): HttpResponse['body'] {
  if (stream === null) return
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (cause) {
    throw new TransportError('unreachable', 'the answer broke off', { cause })
  } finally {
    // A fault while the connection closes does not change what was read.
    await reader.cancel().catch(() => undefined)
  }
}
