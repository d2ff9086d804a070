/** Reading a request within its limits, and writing the answer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { problemMediaType } from '@seaworthy/api/problems'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Sleep } from '@seaworthy/std/time'
import { findUnstorable } from './plain-json.ts'
import { HttpError } from './problems.ts'
import type { ProblemReply } from './problems.ts'

const bodyTimeoutMs = 20_000

/** The text of a JSON body, not parsed yet. Refuses other content types, longer bodies and slow senders before it reads on. */
export async function readJsonText(
  req: IncomingMessage,
  bytesMax: number,
  sleep: Sleep,
): Promise<string> {
  const type = req.headers['content-type'] ?? ''
  if (type !== 'application/json' && !/^application\/json *(; *charset=utf-8 *)?$/i.test(type)) {
    throw new HttpError('unsupported_media_type', 'send application/json')
  }
  if (req.headers['content-encoding'] !== undefined) {
    throw new HttpError('unsupported_media_type', 'send the body without a content coding')
  }
  const bytes = await readBytes(req, bytesMax, sleep)
  try {
    return utf8Decode(bytes)
  } catch (cause) {
    throw new HttpError('invalid_request', 'the body is not JSON', { cause })
  }
}

/** The value of a JSON text, of which everything can be stored. */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new HttpError('invalid_request', 'the body is not JSON', { cause })
  }
  const fault = findUnstorable(value)
  if (fault !== undefined) throw new HttpError('invalid_request', `the body: ${fault}`)
  return value
}

/** The bytes of the body. Refuses longer bodies and slow senders before it reads on. */
export async function readBytes(
  req: IncomingMessage,
  bytesMax: number,
  sleep: Sleep,
): Promise<Buffer> {
  const declared = Number(req.headers['content-length'] ?? '0')
  const tooLarge = () =>
    new HttpError('body_too_large', `the body may have at most ${bytesMax} bytes`, {
      headers: { connection: 'close' },
    })
  if (declared > bytesMax) throw tooLarge()
  // Nearly always the whole body came with the headers: then it needs neither waiting nor a timer.
  if (!req.complete) await nextTurn()
  if (req.complete) {
    const bytes = readArrived(req)
    if (bytes.length > bytesMax) throw tooLarge()
    return bytes
  }
  const done = new AbortController()
  const parts: Buffer[] = []
  let length = 0
  const receive = async () => {
    for await (const part of req as AsyncIterable<Buffer>) {
      length += part.length
      if (length > bytesMax) throw tooLarge()
      parts.push(part)
    }
    return Buffer.concat(parts)
  }
  const timeOut = async (): Promise<never> => {
    await sleep(bodyTimeoutMs, done.signal)
    throw new HttpError('body_timed_out', 'the body did not arrive in time', {
      headers: { connection: 'close' },
    })
  }
  try {
    return await Promise.race([receive(), timeOut()])
  } finally {
    done.abort()
  }
}

/** All that has come so far; one `read` may give only the first part of it. */
export function readArrived(stream: Readable): Buffer {
  const parts: Buffer[] = []
  for (let part: unknown; (part = stream.read()) !== null;) parts.push(part as Buffer)
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A name or an address, and perhaps a port. */
export const hostHeader = /^[A-Za-z0-9.-]+(?::\d{1,5})?$|^\[[0-9a-fA-F:.]+\](?::\d{1,5})?$/

/** Where the client has reached us: links must lead there again. */
export function originOf(req: IncomingMessage): string {
  const host = req.headers.host ?? ''
  if (!hostHeader.test(host)) {
    throw new HttpError('invalid_request', 'the Host header is needed')
  }
  return `https://${host}`
}

/** A changing route without a body must not get one. */
export function refuseBody(req: IncomingMessage): void {
  const length = req.headers['content-length']
  if (req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
    throw new HttpError('invalid_request', 'this route takes no body', {
      headers: { connection: 'close' },
    })
  }
}

/** Of every answer. */
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

/** The answer of a route, with the security headers: all in one piece. */
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
      // What is left of an unread body would be taken for the next request.
      ...(isUnread ? { connection: 'close' } : {}),
      ...headers,
    },
    utf8Encode(JSON.stringify(problem)),
  )
}
