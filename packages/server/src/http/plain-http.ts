/**
 * Port 80: the answers that an ACME authority asks for, and the way to https. Nothing else is
 * served without TLS, and nothing is read but the head of a request.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { plainHttp } from '@seaworthy/oci/plain-http'
import { secondMs } from '@seaworthy/std/time'
import { findAnswer } from '../app/acme/index.ts'
import type { App } from '../app/app.ts'
import { isNamedBy } from '../app/trust/index.ts'
import { anyone } from '../app/worker/index.ts'
import { poolOf } from './address-pools.ts'
import { connectionLimits } from './limits.ts'

const challengeForm = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{1,128})$/
const hostForm = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?$/
const pathForm = /^\/[\x21-\x7e]*$/
const headersBytesMax = 8 * 1024
/** Connections of one worker; the longest of them ends after `connectionLimits.headersMs`. */
const connectionsMax = 200
/** The share of one network, so that a neighbour does not keep an authority away. */
const networkConnectionsMax = 40

interface Answer {
  readonly status: number
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** `httpsPort` is where the redirects lead. */
export function createPlainServer(
  app: Pick<App, 'budgets' | 'callerLog' | 'certificate' | 'db'>,
  httpsPort: number,
): Server {
  const respond = (req: IncomingMessage, res: ServerResponse) => {
    const host = hostForm.exec((req.headers.host ?? '').toLowerCase())?.[1]
    const token = challengeForm.exec(req.url ?? '')?.[1]
    const isChallenge = token !== undefined && (req.method === 'GET' || req.method === 'HEAD')
    const answer = isChallenge
      ? proveName(app, req, { host, token })
      : Promise.resolve(redirect(app, req, { host, port: httpsPort }))
    answer.then(
      (found) => end(res, found),
      (error: unknown) => {
        app.callerLog.warn(anyone, 'plain.failed', { error })
        end(res, { status: 503 })
      },
    )
  }
  const server = plainHttp.createServer(
    {
      maxHeaderSize: headersBytesMax,
      headersTimeout: connectionLimits.headersMs,
      requestTimeout: connectionLimits.headersMs,
      connectionsCheckingInterval: connectionLimits.checkEveryMs,
    },
    respond,
  )
  // Nobody is asked to go on with a body.
  server.on('checkContinue', respond)
  server.maxConnections = connectionsMax
  shareAmongNetworks(server)
  server.maxHeadersCount = connectionLimits.headersCountMax
  server.timeout = connectionLimits.headersMs
  return server
}

/** Ends each connection of a network that has its share already. */
function shareAmongNetworks(server: Server): void {
  const counts = new Map<string, number>()
  server.prependListener('connection', (socket: Socket) => {
    const network = poolOf(socket.remoteAddress ?? '')
    const count = counts.get(network) ?? 0
    if (count >= networkConnectionsMax) {
      socket.destroy()
      return
    }
    counts.set(network, count + 1)
    socket.once('close', () => {
      const left = counts.get(network)! - 1
      if (left === 0) counts.delete(network)
      else counts.set(network, left)
    })
  })
}

async function proveName(
  { budgets, db }: Pick<App, 'budgets' | 'db'>,
  { socket: { remoteAddress } }: IncomingMessage,
  asked: { readonly host: string | undefined; readonly token: string },
): Promise<Answer> {
  const spending = await budgets.spend('challenges', poolOf(remoteAddress ?? ''))
  if (!spending.isAllowed) {
    const seconds = Math.ceil(spending.waitMs / secondMs)
    return { status: 429, headers: { 'retry-after': String(seconds) } }
  }
  const text = await findAnswer(db, asked)
  return text === undefined ? { status: 404 } : { status: 200, text }
}

/** A redirect leads nowhere but here, whatever name the request brings. */
function redirect(
  { certificate }: Pick<App, 'certificate'>,
  { url = '/' }: IncomingMessage,
  { host, port }: { readonly host: string | undefined; readonly port: number },
): Answer {
  const bare = host?.replaceAll(/^\[|\]$/g, '') ?? ''
  if (host === undefined || !isNamedBy(certificate.current.namedByPem, bare)) return { status: 421 }
  const path = pathForm.test(url) ? url : '/'
  const location = `https://${host}${port === 443 ? '' : `:${port}`}${path}`
  return { status: 308, headers: { location } }
}

/** The body of the request is not read: the connection ends with the answer. */
function end(res: ServerResponse, { status, text = '', headers = {} }: Answer): void {
  res.writeHead(status, {
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    connection: 'close',
  })
  res.end(text)
}
