/**
 * The network between devices and the hosts that answer at an origin. Nothing is encrypted here
 * because nobody is trusted here: what a fault does to the bytes is what a hostile network, mirror
 * or cache could do behind a certificate that still fits.
 */
import type { HttpRequest, HttpResponse, Transport } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import type { Sleep } from '@seaworthy/std/time'

export interface WireReply {
  status: number
  headers?: Readonly<Record<string, string>>
  body: Uint8Array
}

/** The host at an origin. `undefined`: nobody is there. */
export type Host = (request: HttpRequest, path: string) => Promise<WireReply | undefined>

export type Fault =
  /** There is no connection. */
  | { kind: 'drop' }
  /** The whole reply comes, but late. */
  | { kind: 'delay'; ms: number }
  /** A few bytes come now and then, until all are there. */
  | { kind: 'trickle'; bytes: number; everyMs: number }
  /** The connection breaks after this number of bytes. */
  | { kind: 'truncate'; afterBytes: number }
  /**
   * Other bytes come than were asked for, and the connection breaks after this number: what is
   * there cannot be continued to anything good.
   */
  | { kind: 'spoil'; afterBytes: number }
  /** The head says nothing of a length, and bytes never end. */
  | { kind: 'endless' }
  /** More bytes come than there should be, and no word of the length. */
  | { kind: 'oversize'; extraBytes: number }
  /** The reply leads elsewhere. */
  | { kind: 'redirect'; to: string }
  /** One byte differs. */
  | { kind: 'corrupt'; offset: number }

export interface PlacedFault {
  origin: string
  /** Paths that the fault happens to; all when absent. */
  path?: RegExp
  fault: Fault
}

export interface SimNetwork {
  addHost(origin: string, host: Host): void
  /** Faults, of which the first that fits a request happens. */
  readonly faults: PlacedFault[]
  /** Every request, `GET https://origin/path`, in order. */
  readonly requests: string[]
  /** Bytes that left a host, by origin. */
  readonly sentBytes: Map<string, number>
  /**
   * The transport of one device; `isOn` ends everything that was under way when the machine goes
   * off.
   */
  connect(isOn: () => boolean): Transport
}

const pieceBytes = 1024
const endlessPieceBytes = 16 * 1024

export function createSimNetwork(sleep: Sleep): SimNetwork {
  const hosts = new Map<string, Host>()
  const faults: PlacedFault[] = []
  const requests: string[] = []
  const sentBytes = new Map<string, number>()
  const never = () => new Promise<never>(() => {})

  const exchange = async (request: HttpRequest): Promise<HttpResponse> => {
    const { origin, pathname } = new URL(request.url)
    requests.push(`${request.method} ${origin}${pathname}`)
    const fault = faults.find(
      (placed) => placed.origin === origin && (placed.path?.test(pathname) ?? true),
    )?.fault
    if (fault?.kind === 'drop') throw new TransportError('unreachable', `${origin} is not there`)
    if (fault?.kind === 'delay') await sleep(fault.ms, request.signal)
    if (fault?.kind === 'redirect') {
      const location = `${fault.to}${pathname}`
      return { status: 302, headers: { location }, body: piecesOf(new Uint8Array()) }
    }
    const reply = await hosts.get(origin)?.(request, pathname)
    if (reply === undefined) throw new TransportError('unreachable', `${origin} is not there`)
    return distort(origin, reply, fault)
  }

  const distort = (origin: string, reply: WireReply, fault: Fault | undefined): HttpResponse => {
    const { status, headers = {} } = reply
    const length = { 'content-length': String(reply.body.length) }
    const answer = (body: AsyncIterable<Uint8Array>, withLength: boolean) => ({
      status,
      headers: withLength ? { ...headers, ...length } : headers,
      body: count(origin, body),
    })
    switch (fault?.kind) {
      case 'trickle':
        return answer(trickle(reply.body, fault.bytes, fault.everyMs, sleep), true)
      case 'truncate':
        return answer(breakAfter(reply.body, fault.afterBytes), true)
      case 'spoil':
        return answer(
          breakAfter(
            reply.body.map((byte) => byte ^ 1),
            fault.afterBytes,
          ),
          true,
        )
      case 'endless':
        return answer(endless(reply.body), false)
      case 'oversize':
        return answer(piecesOf(withExtra(reply.body, fault.extraBytes)), false)
      case 'corrupt':
        return answer(piecesOf(withOtherByte(reply.body, fault.offset)), true)
      case 'delay':
      case 'drop':
      case 'redirect':
      case undefined:
        return answer(piecesOf(reply.body), true)
    }
  }

  async function* count(origin: string, body: AsyncIterable<Uint8Array>) {
    for await (const piece of body) {
      sentBytes.set(origin, (sentBytes.get(origin) ?? 0) + piece.length)
      yield piece
    }
  }

  return {
    addHost(origin, host) {
      hosts.set(origin, host)
    },
    faults,
    requests,
    sentBytes,
    connect: (isOn) => async (request) => {
      if (!isOn()) return never()
      try {
        const response = await exchange(request)
        return isOn() ? response : never()
      } catch (error) {
        if (!isOn()) return never()
        throw error
      }
    },
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.slice(at, at + pieceBytes)
}

async function* trickle(bytes: Uint8Array, size: number, everyMs: number, sleep: Sleep) {
  for (let at = 0; at < bytes.length; at += size) {
    await sleep(everyMs)
    yield bytes.slice(at, at + size)
  }
}

async function* breakAfter(bytes: Uint8Array, afterBytes: number) {
  yield* piecesOf(bytes.slice(0, afterBytes))
  if (afterBytes < bytes.length) throw new TransportError('unreachable', 'the connection broke')
}

async function* endless(bytes: Uint8Array) {
  yield* piecesOf(bytes)
  for (;;) yield new Uint8Array(endlessPieceBytes).fill(0x20)
}

function withExtra(bytes: Uint8Array, extraBytes: number): Uint8Array {
  const longer = new Uint8Array(bytes.length + extraBytes).fill(0x20)
  longer.set(bytes)
  return longer
}

function withOtherByte(bytes: Uint8Array, offset: number): Uint8Array {
  const other = bytes.slice()
  const at = Math.min(offset, bytes.length - 1)
  if (at >= 0) other[at]! ^= 1
  return other
}
