/** Reads requests within their limits, and writes answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { problemMediaType } from '@seaworthy/api/problems'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { BodyPorts } from './bodies.ts'
import { readBytes } from './bodies.ts'
import type { BodyLimits } from './limits.ts'
import { findUnstorable } from './plain-json.ts'
import { HttpError } from './problems.ts'
import type { ProblemReply } from './problem-replies.ts'

/**
 * Reads the text of a JSON body without parsing it. Other content types, longer bodies and slow
 * senders are refused before more is read.
 */
export async function readJsonText(
  req: IncomingMessage,
  limits: BodyLimits,
  ports: BodyPorts,
): Promise<string> {
  const type = req.headers['content-type'] ?? ''
  if (type !== 'application/json' && !/^application\/json *(; *charset=utf-8 *)?$/i.test(type)) {
    throw new HttpError('unsupported_media_type', 'send application/json')
  }
  if (req.headers['content-encoding'] !== undefined) {
    throw new HttpError('unsupported_media_type', 'send the body without a content coding')
  }
  const bytes = await readBytes(req, limits, ports)
  try {
    return utf8Decode(bytes)
  } catch (cause) {
    throw new HttpError('invalid_request', 'the body is not JSON', { cause })
  }
}

/** Parses a JSON text. All of the value can be stored; anything else is refused. */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = parseAnyJsonText(text)
  } catch (cause) {
    throw new HttpError('invalid_request', 'the body is not JSON', { cause })
  }
  const fault = findUnstorable(value)
  if (fault !== undefined) throw new HttpError('invalid_request', `the body: ${fault}`)
  return value
}

/** A name or an address, and an optional port. Names of containers have underscores. */
export const hostHeader = /^[A-Za-z0-9._~-]+(?::\d{1,5})?$|^\[[0-9a-fA-F:.]+\](?::\d{1,5})?$/

/** The origin by which the client has reached the server: links must lead there again. */
export function originOf(req: IncomingMessage): string {
  const host = req.headers.host ?? ''
  if (host === '') throw new HttpError('invalid_request', 'the Host header is needed')
  return `https://${host}`
}

/**
 * RFC 9112, 3.2: a request has at most one Host header, and a proper one. Node keeps the first of
 * several, a proxy perhaps the last.
 */
export function requireOneHost({ headers: { host = '' }, rawHeaders }: IncomingMessage): void {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === 'host') count++
  }
  const fault =
    count > 1
      ? 'more than one Host header'
      : host === '' || hostHeader.test(host)
        ? ''
        : 'the Host header is neither a name nor an address'
  if (fault !== '')
    throw new HttpError('invalid_request', fault, { headers: { connection: 'close' } })
}

/** The headers of every answer. */
export const securityHeaders = {
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

export function setSecurityHeaders(res: ServerResponse): void {
  for (const [name, value] of Object.entries(securityHeaders)) res.setHeader(name, value)
}

const replyHeaders = [
  ...Object.entries(securityHeaders).flat(),
  ...['content-type', 'application/json', 'cache-control', 'no-store', 'content-length'],
]
const emptyReplyHeaders = Object.entries(securityHeaders).flat()

/** Sends the answer of a route, with the security headers, all in one piece. */
export function sendReply(res: ServerResponse, status: number, value: unknown): void {
  if (status === 204) {
    res.writeHead(204, emptyReplyHeaders)
    res.end()
    return
  }
  const text = JSON.stringify(value)
  res.writeHead(status, [...replyHeaders, String(Buffer.byteLength(text))])
  res.end(text)
}

export function sendBytes(
  res: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): void {
  res.writeHead(status, { ...headers, 'content-length': String(body.length) })
  res.end(res.req.method === 'HEAD' ? undefined : body)
}

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  const body = utf8Encode(JSON.stringify(value))
  sendBytes(res, status, { 'content-type': 'application/json', 'cache-control': 'no-store' }, body)
}

export function sendProblem(res: ServerResponse, { problem, headers }: ProblemReply): void {
  const isUnread = !res.req.complete
  sendBytes(
    res,
    problem.status,
    {
      'content-type': problemMediaType,
      'cache-control': 'no-store',
      // The rest of an unread body would be read as the next request.
      ...(isUnread ? { connection: 'close' } : {}),
      ...headers,
    },
    utf8Encode(JSON.stringify(problem)),
  )
}
