/**
 * Serves devices what the attacker wants, at the server's own address, with its own certificate.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import { once } from 'node:events'
import type { Possessions } from '@seaworthy/server/possessions'
import { formatInstant } from '@seaworthy/std/time'
import type { StolenRepository } from './forge.ts'

/** `current` is called for every request, so that one attack can follow another. */
export async function serveStolen(
  tls: Possessions['tls'],
  address: { host: string; port: number },
  now: () => Date,
  current: () => StolenRepository,
): Promise<Server> {
  const server = createServer(
    { key: tls.keyPem, cert: tls.certificatePem, minVersion: 'TLSv1.3' },
    (request, response) => answer(request, response, now, current()),
  )
  server.listen(address.port, address.host)
  await once(server, 'listening')
  return server
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  now: () => Date,
  { files, assignment }: StolenRepository,
): void {
  const path = request.url ?? '/'
  request.resume()
  const json = (value: object) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
  if (path === '/v1/device/token') {
    const expiresAt = formatInstant(new Date(now().getTime() + 3_600_000))
    return json({ accessToken: 'stolen', expiresAt })
  }
  if (path === '/v1/device/check-in') {
    return json({
      assignment,
      pollSeconds: 1,
      configVersion: 0,
      commands: [],
      serverTime: formatInstant(now()),
      acknowledgedSequence: null,
    })
  }
  const file = path.startsWith('/tuf/') ? files.get(decodeURIComponent(path.slice(5))) : undefined
  if (file === undefined) {
    response.writeHead(404, { 'content-type': 'application/problem+json' })
    const problem = { type: 'about:blank', title: 'Not found', status: 404, code: 'not_found' }
    response.end(JSON.stringify({ ...problem, detail: 'there is nothing here' }))
    return
  }
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': file.length,
  })
  response.end(file)
}
