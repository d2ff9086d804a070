/**
 * The real `Transport`: node:http(s) with kept-alive connections, which checks the peer before the
 * first byte of a request is written. Follows nothing, repeats nothing, and refuses what comes in a
 * content coding.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, RequestOptions } from 'node:http'
import type { AgentOptions } from 'node:https'
import { Agent as TlsAgent, request as requestTls } from 'node:https'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import { base64UrlEncode } from '@seaworthy/std/bytes'
import type { HttpRequest, HttpResponse, Transport } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import { isPin } from '@seaworthy/std/pins'
import { describeSystemError } from '@seaworthy/std/system-errors'
import { plainHttp } from './plain-http.ts'

export interface HttpsTransportOptions {
  /**
   * Trusts exactly the certificate with this public key, `sha256:<base64url of SHA-256 of the SPKI
   * DER>`, whatever its name, issuer and dates. A function gives those that count at the time of a
   * connection: any of them will do.
   */
  pin?: string | (() => readonly string[])
  /** Trusts these CA certificates (PEM) instead of the system's. Not used together with `pin`. */
  ca?: string | readonly string[]
  /** Allows `http:` too. It is for loopback and tests only, because the peer is not checked. */
  allowPlain?: boolean
  /** Longest wait for connection and handshake, and for each next byte. */
  idleTimeoutMs: number
  /** Connections kept per origin. */
  connectionsMax?: number
}

export interface ClosableTransport {
  transport: Transport
  /** Ends all connections. */
  close: () => void
}

/** The pin of a public key in SPKI DER form. */
export function pinOf(spki: Uint8Array): string {
  return `sha256:${base64UrlEncode(createHash('sha256').update(spki).digest())}`
}

/** The one of the pins that the peer has. Throws `TransportError<'pin_mismatch'>`. */
function checkPin(socket: TLSSocket, pins: readonly string[]): string {
  const certificate = socket.getPeerX509Certificate()
  const actual = certificate && pinOf(certificate.publicKey.export({ type: 'spki', format: 'der' }))
  const found = pins.find((pin) => actual !== undefined && isSame(actual, pin))
  if (found === undefined) {
    throw new TransportError('pin_mismatch', 'the server does not have the pinned public key')
  }
  return found
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

/**
 * An agent whose connections are handed out only after their certificate was found to be the pinned
 * one, and carry no further request once that pin has ended.
 */
class PinnedAgent extends TlsAgent {
  readonly #pins: () => readonly string[]
  readonly #accepted = new WeakMap<Socket, string>()
  /** Connections that Node does not know yet, because their handshake goes on. */
  readonly #connecting = new Set<Socket>()
  readonly #handshakeTimeoutMs: number

  constructor(pins: () => readonly string[], handshakeTimeoutMs: number, options: AgentOptions) {
    super(options)
    this.#pins = pins
    this.#handshakeTimeoutMs = handshakeTimeoutMs
    // It comes before the base class gives the connection to the next request.
    this.prependListener('free', (socket: Socket) => {
      if (!this.#counts(socket)) socket.destroy()
    })
  }

  #counts(socket: Socket): boolean {
    const pin = this.#accepted.get(socket)
    return pin !== undefined && this.#pins().includes(pin)
  }

  /** Ends the idle connections that were accepted under a pin which no longer counts. */
  endOutdated(): void {
    for (const sockets of Object.values(this.freeSockets)) {
      for (const socket of sockets?.filter((one) => !this.#counts(one)) ?? []) {
        sockets!.splice(sockets!.indexOf(socket), 1)
        socket.destroy()
      }
    }
  }

  /** The pin under which the connection was accepted. */
  acceptedPin(socket: Socket): string | undefined {
    return this.#accepted.get(socket)
  }

  override destroy(): void {
    for (const socket of this.#connecting) {
      socket.destroy(new TransportError('aborted', 'all connections were ended'))
    }
    super.destroy()
  }

  override createConnection(
    options: ConnectionOptions,
    created?: (error: Error | null, socket: Socket) => void,
  ): undefined {
    const socket = connect({
      ...options,
      // The pin replaces the certificate authorities; `checkPin` below decides before any byte of
      // HTTP is written.
      rejectUnauthorized: false,
    })
    this.#connecting.add(socket)
    socket.once('close', () => this.#connecting.delete(socket))
    const fail = (error: Error) => {
      socket.destroy()
      created?.(error, socket)
      socket.setMaxListeners(0)
      // Node connects once more for the first request that waits, and when that fails forgets them
      // all. A list that is left empty would be taken for one with a request, and end the process.
      const name = this.getName(options)
      const all = this.requests[name] ?? []
      Reflect.deleteProperty(this.requests, name)
      for (const waiting of all) {
        waiting.destroy(error)
        // A request reports its error only once it has a socket.
        waiting.onSocket(socket)
      }
    }
    socket.setTimeout(this.#handshakeTimeoutMs, () =>
      socket.destroy(new TransportError('timed_out', 'the handshake took too long')),
    )
    socket.once('error', fail)
    socket.once('secureConnect', () => {
      socket.off('error', fail)
      socket.setTimeout(0)
      this.#connecting.delete(socket)
      try {
        this.#accepted.set(socket, checkPin(socket, this.#pins()))
      } catch (error) {
        return fail(error as Error)
      }
      created?.(null, socket)
    })
    return undefined
  }
}

/** Throws `TypeError` for a malformed pin. */
export function httpsTransport(options: HttpsTransportOptions): ClosableTransport {
  const { pin } = options
  if (typeof pin === 'string' && !isPin(pin)) throw new TypeError('not a pin sha256:…')
  const shared = {
    keepAlive: true,
    maxSockets: options.connectionsMax ?? 8,
    scheduling: 'lifo' as const,
  }
  const tlsOptions: AgentOptions = {
    ...shared,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    ...(options.ca === undefined ? {} : { ca: [options.ca].flat() }),
  }
  const tls =
    pin === undefined
      ? new TlsAgent(tlsOptions)
      : new PinnedAgent(
          typeof pin === 'string' ? () => [pin] : pin,
          options.idleTimeoutMs,
          tlsOptions,
        )
  const plain = new plainHttp.Agent(shared)
  const terms: Terms = {
    idleTimeoutMs: options.idleTimeoutMs,
    acceptedPin: (socket) => (tls instanceof PinnedAgent ? tls.acceptedPin(socket) : undefined),
  }

  const transport: Transport = (request) => {
    const url = new URL(request.url)
    const isPlain = url.protocol === 'http:'
    if (!isPlain && url.protocol !== 'https:') {
      throw new TransportError('unreachable', 'only https is spoken')
    }
    if (isPlain && options.allowPlain !== true) {
      throw new TransportError('tls', 'an unencrypted connection is not allowed')
    }
    if (tls instanceof PinnedAgent) tls.endOutdated()
    return exchange(request, terms, (settings, onResponse) =>
      isPlain
        ? plainHttp.request(url, { ...settings, agent: plain }, onResponse)
        : requestTls(url, { ...settings, agent: tls }, onResponse),
    )
  }
  return {
    transport: async (request) => transport(request),
    close() {
      tls.destroy()
      plain.destroy()
    },
  }
}

type StartRequest = (
  settings: RequestOptions,
  onResponse: (response: IncomingMessage) => void,
) => ReturnType<typeof plainHttp.request>

interface Terms {
  readonly idleTimeoutMs: number
  /** The pin under which a connection was accepted. */
  readonly acceptedPin: (socket: Socket) => string | undefined
}

function exchange(
  { method, headers, body, signal }: HttpRequest,
  { idleTimeoutMs, acceptedPin }: Terms,
  start: StartRequest,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const length = body instanceof Uint8Array ? { 'content-length': String(body.length) } : {}
    const settings: RequestOptions = {
      method,
      headers: { 'accept-encoding': 'identity', ...headers, ...length },
      timeout: idleTimeoutMs,
    }
    if (signal) settings.signal = signal
    let timedOut: TransportError | undefined
    const explain = (cause: unknown) => timedOut ?? asTransportError(cause, signal)
    const outgoing = start(settings, (incoming) => {
      const status = incoming.statusCode!
      const answered = readHeaders(incoming)
      const refusal = refuseCoding(status, answered)
      if (refusal !== undefined) {
        outgoing.destroy(refusal)
        reject(refusal)
        return
      }
      const pin = acceptedPin(incoming.socket)
      const body = readIncoming(incoming, explain)
      resolve({ status, headers: answered, body, ...(pin === undefined ? {} : { pin }) })
    })
    outgoing.on('timeout', () => {
      timedOut = new TransportError('timed_out', 'nothing came for too long')
      outgoing.destroy(timedOut)
    })
    if (signal) {
      // The request itself says so only once it has a connection, however long that takes.
      const leave = () => reject(explain(signal.reason))
      signal.addEventListener('abort', leave)
      const forget = () => signal.removeEventListener('abort', leave)
      outgoing.on('response', forget)
      outgoing.on('error', forget)
      outgoing.on('close', forget)
      if (signal.aborted) leave()
    }
    // Stays installed: after the head has come, an error reaches the reader through the body.
    outgoing.on('error', (cause) => reject(explain(cause)))
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body)
    else {
      pipeline(body, outgoing).catch((cause: unknown) => {
        outgoing.destroy()
        reject(explain(cause))
      })
    }
  })
}

/**
 * Refuses a coded answer: no reader here decodes it, so the bytes would be mistaken for the
 * content. The text of an error may be coded.
 */
function refuseCoding(
  status: number,
  headers: Readonly<Record<string, string>>,
): TransportError | undefined {
  if (status < 200 || status > 299) return undefined
  const codings = [headers['content-encoding'], headers['transfer-encoding']]
    .flatMap((field) => field?.split(',') ?? [])
    .map((coding) => coding.trim().toLowerCase())
  const foreign = codings.find((coding) => !['', 'identity', 'chunked'].includes(coding))
  if (foreign === undefined) return undefined
  const name = /^[a-z0-9._-]{1,32}$/.test(foreign) ? foreign : 'one without a proper name'
  const message = `the answer comes in a content coding (${name}) although none was asked for`
  return new TransportError('content_coded', message)
}

async function* readIncoming(
  incoming: IncomingMessage,
  explain: (cause: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of incoming) yield piece as Uint8Array
  } catch (cause) {
    throw explain(cause)
  }
}

function readHeaders(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = Object.create(null)
  for (const [name, values] of Object.entries(incoming.headersDistinct)) {
    if (values) headers[name] = values.join(', ')
  }
  return headers
}

function asTransportError(cause: unknown, signal: AbortSignal | undefined): Error {
  if (cause instanceof TransportError) return cause
  if (signal?.aborted) return new TransportError('aborted', 'the request was aborted', { cause })
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return new TransportError('tls', 'the server could not prove who it is', { cause })
  }
  return new TransportError('unreachable', describeUnreachable(cause), { cause })
}

/**
 * Names the address that was tried and what the system said: both come from the caller's side, and
 * nothing in them from the other.
 */
function describeUnreachable(cause: unknown): string {
  const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause
  const { address, port, hostname } = (first ?? {}) as Record<string, unknown>
  const host = typeof address === 'string' ? address : hostname
  const where =
    typeof host !== 'string'
      ? 'the server'
      : typeof port !== 'number'
        ? host
        : host.includes(':')
          ? `[${host}]:${port}`
          : `${host}:${port}`
  const why = describeSystemError(first)
  return why === undefined
    ? `${where} could not be reached`
    : `${where} could not be reached: ${why}`
}
