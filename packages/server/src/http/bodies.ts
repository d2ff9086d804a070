/**
 * The only place that reads the body of a request, as a house rule ensures. Every body is read
 * within its limits of size and time (`limits.ts`), and an unread body does not keep its connection
 * open.
 */
import type { IncomingMessage, RequestListener } from 'node:http'
import type { Readable } from 'node:stream'
import { createByteCollector } from '@seaworthy/std/bytes'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { BodyLimits } from './limits.ts'
import { unwantedBody } from './limits.ts'
import { createCredit, timedOut } from './body-pace.ts'
import { HttpError } from './problems.ts'

export interface BodyPorts {
  readonly clock: Clock
  readonly sleep: Sleep
}

/** Reads the whole body. Throws `body_too_large` and `body_timed_out` before it reads on. */
export async function readBytes(
  req: IncomingMessage,
  limits: BodyLimits,
  ports: BodyPorts,
): Promise<Buffer> {
  const { bytesMax } = limits
  requireLength(req, bytesMax)
  // The whole body nearly always arrives with the headers, and then needs neither waiting nor a
  // timer.
  if (!req.complete) await nextTurn()
  if (req.complete) {
    const bytes = readArrived(req)
    if (bytes.length > bytesMax) throw tooLarge(bytesMax)
    return bytes
  }
  const body = createByteCollector()
  for await (const piece of readPieces(req, limits, ports)) body.add(piece)
  return Buffer.from(body.take().buffer)
}

/**
 * The pieces of the body as they come. Throws like `readBytes`. Leaving the loop early leaves the
 * connection open for an answer.
 */
export async function* readPieces(
  req: IncomingMessage,
  { bytesMax, pace }: BodyLimits,
  ports: BodyPorts,
): AsyncGenerator<Uint8Array> {
  requireLength(req, bytesMax)
  const credit = createCredit(pace)
  let length = 0
  const pieces = req.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>
  let isWaiting = false
  try {
    for (;;) {
      const startedMs = ports.clock.monotonicMs()
      isWaiting = true
      // What has arrived already needs no timer.
      const hasArrived = req.readableLength > 0 || req.complete
      const piece = pieces.next()
      const next = await (hasArrived ? piece : within(credit.leftMs(), piece, ports.sleep))
      isWaiting = false
      if (next.done === true) return
      length += next.value.length
      if (length > bytesMax) throw tooLarge(bytesMax)
      credit.spend(ports.clock.monotonicMs() - startedMs, next.value.length)
      yield next.value
    }
  } finally {
    // A reader that still waits ends with the connection; nobody waits for it.
    if (isWaiting) void pieces.return?.()
    else await pieces.return?.()
  }
}

async function within<T>(ms: number, promise: Promise<T>, sleep: Sleep): Promise<T> {
  const done = new AbortController()
  const timeOut = async (): Promise<never> => {
    await sleep(ms, done.signal)
    throw timedOut()
  }
  try {
    return await Promise.race([promise, timeOut()])
  } finally {
    done.abort()
  }
}

function requireLength(req: IncomingMessage, bytesMax: number): void {
  if (Number(req.headers['content-length'] ?? '0') > bytesMax) throw tooLarge(bytesMax)
}

function tooLarge(bytesMax: number): HttpError {
  return new HttpError('body_too_large', `the body may have at most ${bytesMax} bytes`, {
    headers: { connection: 'close' },
  })
}

/** Reads all that has arrived so far; one `read` may give only the first part of it. */
export function readArrived(stream: Readable): Buffer {
  const read = () => stream.read() as Buffer | null
  const first = read()
  let next = read()
  if (first === null || next === null) return first ?? Buffer.alloc(0)
  const all = createByteCollector()
  all.add(first)
  for (; next !== null; next = read()) all.add(next)
  return Buffer.from(all.take().buffer)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Refuses a body on a changing route that takes none. */
export function refuseBody(req: IncomingMessage): void {
  if (!hasBody(req)) return
  throw new HttpError('invalid_request', 'this route takes no body', {
    headers: { connection: 'close' },
  })
}

export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/**
 * The same listener. After the answer it reads and discards the rest of an unread body for a
 * moment, so that the sender can read the answer; then it ends the connection.
 */
export function dropUnwantedBodies(listener: RequestListener, sleep: Sleep): RequestListener {
  return (req, res) => {
    if (hasBody(req)) res.once('finish', () => void dropRest(req, sleep))
    listener(req, res)
  }
}

async function dropRest(req: IncomingMessage, sleep: Sleep): Promise<void> {
  if (req.complete || req.destroyed) return
  const ended = new AbortController()
  let length = 0
  req.on('data', (piece: Uint8Array) => {
    length += piece.length
    if (length > unwantedBody.bytesMax) req.destroy()
  })
  for (const event of ['end', 'error', 'close']) req.on(event, () => ended.abort())
  req.resume()
  await sleep(unwantedBody.ms, ended.signal).then(
    () => req.destroy(),
    () => undefined,
  )
}
