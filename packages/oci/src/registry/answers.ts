/**
 * Reads a registry's answers: statuses, locations, bounded bodies, pages. Everything in them is
 * hostile.
 */
import type { HttpResponse } from '@seaworthy/std/http'
import { BodyTooLongError, readBody } from '@seaworthy/std/http'
import type { RefuseBy } from '@seaworthy/std/refusal'
import { Refusal, throwRefusal } from '@seaworthy/std/refusal'
import { parseJson } from '@seaworthy/std/json'

export type RegistryRefusal =
  | 'not_found'
  | 'unauthorized'
  | 'denied'
  | 'malformed_answer'
  | 'unexpected_status'
  | 'redirect_refused'
  | 'answer_too_large'

export const refuse: RefuseBy<RegistryRefusal> = throwRefusal

export function parseLocation({ headers }: HttpResponse, base: URL): URL {
  const text = headers['location']
  if (text === undefined || !URL.canParse(text, base)) {
    return refuse('malformed_answer', 'the registry names no location')
  }
  const url = new URL(text, base)
  if (url.username !== '' || url.password !== '') {
    return refuse('redirect_refused', 'a location with credentials')
  }
  return url
}

/**
 * Reads a short body to its end, so that the connection can be used again; a long one closes it.
 */
export async function discard({ body }: HttpResponse): Promise<void> {
  let length = 0
  for await (const piece of body) {
    length += piece.length
    if (length > 64 * 1024) return
  }
}

export async function requireStatus(
  response: HttpResponse,
  expected: readonly number[],
): Promise<void> {
  const { status } = response
  if (expected.includes(status)) return
  // The status says why; a body that breaks off adds nothing.
  await discard(response).catch(() => {})
  if (status === 404) refuse('not_found', 'the registry does not have it')
  if (status === 401) refuse('unauthorized', 'the registry does not know who asks')
  if (status === 403) refuse('denied', 'the registry does not allow it')
  refuse('unexpected_status', `the registry answered ${status}`)
}

export async function readBounded(response: HttpResponse, bytesMax: number): Promise<Uint8Array> {
  try {
    return await readBody(response, bytesMax)
  } catch (cause) {
    if (!(cause instanceof BodyTooLongError)) throw cause
    throw new Refusal<RegistryRefusal>('answer_too_large', 'the answer is too large', { cause })
  }
}

export function parseAnswer(bytes: Uint8Array) {
  try {
    const value = parseJson(bytes)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (cause) {
    throw new Refusal<RegistryRefusal>('malformed_answer', 'the answer is not JSON', { cause })
  }
  return refuse('malformed_answer', 'the answer is not an object')
}

/** The path of the next page within the repository, from a Link header (RFC 5988). */
export function nextPage({ headers }: HttpResponse, repository: string): string | undefined {
  const match = /<([^>]{1,4000})>\s*;\s*rel="?next"?/.exec(headers['link']?.slice(0, 8000) ?? '')
  if (!match) return undefined
  const url = URL.canParse(match[1]!, 'http://registry/') && new URL(match[1]!, 'http://registry/')
  const prefix = `/v2/${repository}/`
  if (!url || !url.pathname.startsWith(prefix)) return refuse('malformed_answer', 'a foreign page')
  return `${url.pathname.slice(prefix.length)}${url.search}`
}
