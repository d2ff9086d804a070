/**
 * The fast path: connections on which devices say nothing but idle check-ins. They are answered
 * without a request and a response object of Node's HTTP, which cost as much as everything else
 * that a check-in needs (RFD 7). At the first byte that is not exactly such a request, the
 * connection goes to Node's HTTP server, which reads that byte and all that follow.
 */
import type { TLSSocket } from 'node:tls'
import { problemMediaType } from '@seaworthy/api/problems'
import { plainHttp } from '@seaworthy/oci/plain-http'
import { nextPinHeader } from '@seaworthy/std/pins'
import type { Clock } from '@seaworthy/std/time'
import type { Actor } from '../../app/access/index.ts'
import { requirePermission, identifyDevice } from '../../app/access/index.ts'
import type { App } from '../../app/app.ts'
import { readArrived } from '../bodies.ts'
import { noBrowser } from '../browsers.ts'
import { readCheckInRequest } from './request.ts'
import { explainFailure } from '../dispatch.ts'
import type { Endpoint } from '../endpoint.ts'
import type { RequestMeter } from '../metrics.ts'
import { securityHeaders } from '../request.ts'

export interface ConnectionTimes {
  /** The time from the handshake to the first request, in milliseconds. */
  readonly headersTimeout: number
  /** The longest pause between two requests, in milliseconds. */
  readonly keepAliveTimeout: number
}

export interface FastPath {
  /**
   * Takes a connection from which nothing has been read yet. `handOver` gets it when something else
   * comes.
   */
  accept(socket: TLSSocket, times: ConnectionTimes, handOver: (socket: TLSSocket) => void): void
  /** Ends idle connections at once, and each of the others with its answer. */
  drain(): void
  /** Ends all connections at once. */
  destroy(): void
}

interface Call {
  readonly actor: Actor
  readonly body: unknown
  readonly now: Date
}

interface Answer {
  readonly status: number
  /** The header lines. */
  readonly head: string
  readonly text: string
}

interface Connection {
  readonly socket: TLSSocket
  isBusy: boolean
}

export function createFastPath(app: App, endpoint: Endpoint, meter: RequestMeter): FastPath {
  const { route, permission, fastBody } = endpoint
  const live = new Set<Connection>()
  const readDate = createDateReader(app.clock)
  let isDraining = false

  /** The call to make, when the bytes are an idle check-in of a device that has a valid token. */
  const prepare = (bytes: Buffer): Call | undefined => {
    if (app.tracer !== undefined || bytes.length > route.bodyBytesMax) return undefined
    const request = readCheckInRequest(bytes.toString('latin1'))
    const body = request && fastBody?.(request.body)
    if (request === undefined || body === undefined) return undefined
    const now = app.clock.now()
    const actor = identifyDevice(app, request.bearer, now)
    return actor && { actor, body, now }
  }
  const work = async (call: Call): Promise<Answer> => {
    try {
      requirePermission(call.actor, permission)
      const reply = await endpoint.run(app, { ...call, browser: noBrowser, params: {}, query: {} })
      return { status: route.status, head: replyHead, text: JSON.stringify(reply) }
    } catch (error) {
      const { method, path: url } = route
      const { problem, headers } = explainFailure(app, error, { method, url })
      const head = formatHeaders({ ...headersOf(problemMediaType), ...headers })
      return { status: problem.status, head, text: JSON.stringify(problem) }
    }
  }
  const answer = async (connection: Connection, call: Call, keepAliveMs: number) => {
    const end = meter.begin()
    const { socket } = connection
    const { status, head, text } = await work(call)
    connection.isBusy = false
    if (!socket.writable) {
      end(route.name, 'cut_off')
      return
    }
    const length = Buffer.byteLength(text)
    const { nextPin } = app.certificate
    const announced = nextPin === null ? '' : `${nextPinHeader}: ${nextPin}\r\n`
    const stay = isDraining
      ? 'connection: close'
      : `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveMs / 1000}`
    socket.write(
      `HTTP/1.1 ${status} ${plainHttp.STATUS_CODES[status]}\r\n${head}${announced}date: ${readDate()}\r\ncontent-length: ${length}\r\n${stay}\r\n\r\n${text}`,
      length === text.length ? 'latin1' : 'utf8',
    )
    end(route.name, status)
    if (isDraining) socket.destroySoon()
  }

  return {
    accept(socket, times, handOver) {
      const connection: Connection = { socket, isBusy: false }
      live.add(connection)
      /** What arrived while an answer was being made. */
      let unread: Buffer | undefined
      const leave = (first: Buffer) => {
        for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener)
        live.delete(connection)
        socket.setTimeout(0)
        // Node's parser reads what comes next from the handle itself, so it must get first what has
        // arrived already.
        const rest = socket.isPaused() ? [readArrived(socket)] : []
        handOver(socket)
        socket.emit('data', Buffer.concat([first, ...rest]))
        socket.resume()
      }
      const onData = (chunk: Buffer) => {
        if (connection.isBusy) {
          socket.pause()
          unread = chunk
          return
        }
        // Node slows down a client that does not read its answers.
        const call = socket.writableLength === 0 ? prepare(chunk) : undefined
        if (call === undefined) {
          leave(chunk)
          return
        }
        connection.isBusy = true
        void answer(connection, call, times.keepAliveTimeout).then(() => {
          // If the server is stopping, this answer was the connection's last, and said so.
          if (unread !== undefined && socket.writable) leave(unread)
          else if (socket.timeout !== times.keepAliveTimeout)
            socket.setTimeout(times.keepAliveTimeout)
        })
      }
      const listeners = {
        data: onData,
        timeout: () => {
          if (!connection.isBusy) socket.destroy()
        },
        error: () => socket.destroy(),
        close: () => live.delete(connection),
      }
      for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener)
      socket.setTimeout(times.headersTimeout)
    },
    drain() {
      isDraining = true
      for (const { socket, isBusy } of live) if (!isBusy) socket.end()
    },
    destroy() {
      for (const { socket } of live) socket.destroy()
    },
  }
}

const headersOf = (mediaType: string) => ({
  ...securityHeaders,
  'content-type': mediaType,
  'cache-control': 'no-store',
})

function formatHeaders(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
}

const replyHead = formatHeaders(headersOf('application/json'))

/** A reader of the date as HTTP writes it, which is formatted once a second. */
function createDateReader(clock: Clock): () => string {
  let second = Number.NaN
  let text = ''
  return () => {
    const now = clock.now()
    const current = Math.floor(now.getTime() / 1000)
    if (current !== second) {
      second = current
      text = now.toUTCString()
    }
    return text
  }
}
