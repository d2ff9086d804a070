import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readBody, TransportError } from '@seaworthy/std/http'
import { lacks } from '@seaworthy/std/testing/programs'
import { systemSleep } from '@seaworthy/std/time'
import { httpsTransport, pinOf } from './transport.ts'

const hasCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

const listen = (server: Server) =>
  new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  )

describe('a server that cannot be reached', () => {
  it('is named with its address, and with what the system said', async () => {
    const nobody = createPlainServer()
    const port = await listen(nobody)
    await new Promise((resolve) => nobody.close(resolve))
    const { transport, close } = httpsTransport({ idleTimeoutMs: 60_000 })
    const reach = (url: string) => transport({ method: 'GET', url })
    await assert.rejects(reach(`https://127.0.0.1:${port}/`), {
      code: 'unreachable',
      message: `127.0.0.1:${port} could not be reached: nothing listens there (ECONNREFUSED)`,
    })
    await assert.rejects(reach(`https://localhost:${port}/`), /:\d+ could not be reached: nothing/)
    await assert.rejects(
      reach('https://nobody.invalid/'),
      /^TransportError: nobody\.invalid could not be reached: .* \((?:ENOTFOUND|EAI_AGAIN)\)$/,
    )
    close()
  })
})

describe('httpsTransport', { skip: lacks('openssl') }, () => {
  let folder: string
  let certificate: string
  let server: ReturnType<typeof createServer>
  let url: string
  let pin: string
  const seen: string[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'seaworthy-tls-'))
    const subject = ['-subj', '/CN=other', '-addext', 'subjectAltName=DNS:localhost']
    const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'crt')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, ...files], { stdio: 'ignore' })
    certificate = await readFile(join(folder, 'crt'), 'utf8')
    const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })
    pin = pinOf(spki)
    server = createServer({ key: await readFile(join(folder, 'key')), cert: certificate })
    server.on('request', (request, response) => {
      seen.push(`${request.method} ${request.url}`)
      if (request.url === '/redirect') response.writeHead(302, { location: '/' })
      if (request.url === '/accepts') return void response.end(request.headers['accept-encoding'])
      if (request.url === '/gzip') response.setHeader('content-encoding', 'gzip')
      if (request.url === '/missing') response.writeHead(404, { 'content-encoding': 'br' })
      if (request.url === '/stall') return void response.write('begun')
      if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': '100' })
        response.write('begun', () => response.destroy())
        return
      }
      request.pipe(response)
    })
    url = `https://localhost:${await listen(server)}`
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await rm(folder, { recursive: true })
  })

  const open = (options: Partial<Parameters<typeof httpsTransport>[0]>) =>
    httpsTransport({ idleTimeoutMs: 60_000, ...options })

  it('O1 a server that dies while requests wait for a connection leaves none of them waiting', async () => {
    const dying = createServer({ key: await readFile(join(folder, 'key')), cert: certificate })
    let arrivedCount = 0
    const arrived = Promise.withResolvers<void>()
    const sockets = new Set<Socket>()
    dying.on('connection', (socket) => sockets.add(socket))
    dying.on('request', () => {
      if (++arrivedCount === 2) arrived.resolve()
    })
    const address = `https://localhost:${await listen(dying)}/`
    const { transport, close } = open({ pin, connectionsMax: 2 })
    const ask = () => transport({ method: 'GET', url: address })
    // The first two take the connections, the others wait for one.
    const asked = Array.from({ length: 2 }, ask)
    await arrived.promise
    asked.push(...Array.from({ length: 6 }, ask))
    const ends = Promise.allSettled(asked)
    dying.close()
    for (const socket of sockets) socket.resetAndDestroy()
    const waiting = new AbortController()
    const late = systemSleep(60_000, waiting.signal).catch(() => undefined)
    const outcome = await Promise.race([ends, late])
    waiting.abort()
    close()
    assert.ok(outcome, 'every request ends')
    for (const end of outcome) {
      assert.ok(end.status === 'rejected' && hasCode('unreachable')(end.reason))
    }
  })

  it('A6 speaks to the pinned key, on kept connections, with bytes and streams as bodies', async () => {
    const { transport, close } = open({ pin })
    for (let i = 0; i < 3; i++) {
      const body =
        i === 1
          ? (async function* () {
              yield Buffer.from('a')
              yield Buffer.from('b')
            })()
          : Buffer.from('ab')
      const response = await transport({ method: 'POST', url: `${url}/`, body })
      assert.equal(response.status, 200)
      assert.equal(Buffer.from(await readBody(response, 10)).toString(), 'ab')
    }
    close()
  })

  it('A6 sends nothing to a server with another key', async () => {
    const { transport, close } = open({ pin: `sha256:${'A'.repeat(43)}` })
    seen.length = 0
    const request = { method: 'POST', url: `${url}/secret`, body: Buffer.from('token') }
    await assert.rejects(transport(request), hasCode('pin_mismatch'))
    assert.deepEqual(seen, [])
    close()
  })

  it('A6 attack: a connection that was opened under a pin that has since ended carries no further request', async () => {
    const next = `sha256:${'B'.repeat(43)}`
    let pins = [pin]
    const { transport, close } = open({ pin: () => pins, connectionsMax: 1 })
    const ask = async () => {
      const response = await transport({ method: 'GET', url: `${url}/a` })
      return { ...response, bytes: await readBody(response, 1000) }
    }
    // The connection waits for its next request when its pin ends.
    assert.equal((await ask()).pin, pin)
    pins = [next]
    await assert.rejects(ask(), hasCode('pin_mismatch'))
    // The connection is in use when its pin ends, and others wait for it.
    pins = [pin]
    const first = await transport({ method: 'GET', url: `${url}/a` })
    const waiting = ask()
    const isRefused = assert.rejects(waiting, hasCode('pin_mismatch'))
    pins = [next]
    await readBody(first, 1000)
    await isRefused
    // Both pins count while the key changes: then the connection stays.
    pins = [pin]
    let connectionsCount = 0
    const count = () => connectionsCount++
    server.on('secureConnection', count)
    for (const now of [[pin], [pin, next], [next, pin]]) {
      pins = now
      assert.equal((await ask()).pin, pin)
    }
    server.off('secureConnection', count)
    assert.equal(connectionsCount, 1)
    close()
  })

  it('O1 fault: a request that is given up ends while its handshake goes on, and leaves no connection', async () => {
    const silent = createTcpServer()
    const ended = new Promise((resolve) =>
      silent.once('connection', (socket) => socket.on('error', resolve).on('close', resolve)),
    )
    const port = await listen(silent)
    const arrived = once(silent, 'connection')
    const { transport, close } = open({ pin })
    const leaving = new AbortController()
    const asked = transport({
      method: 'GET',
      url: `https://127.0.0.1:${port}/`,
      signal: leaving.signal,
    })
    const isAborted = assert.rejects(asked, hasCode('aborted'))
    await arrived
    leaving.abort()
    await isAborted
    close()
    await ended
    silent.close()
  })

  it('A6 checks the chain when there is no pin', async () => {
    const system = open({})
    await assert.rejects(system.transport({ method: 'GET', url }), hasCode('tls'))
    const trusting = open({ ca: certificate })
    assert.equal((await trusting.transport({ method: 'GET', url })).status, 200)
    const byAddress = url.replace('localhost', '127.0.0.1')
    await assert.rejects(trusting.transport({ method: 'GET', url: byAddress }), hasCode('tls'))
    system.close()
    trusting.close()
  })

  it('follows no redirect', async () => {
    const { transport, close } = open({ pin })
    assert.equal((await transport({ method: 'GET', url: `${url}/redirect` })).status, 302)
    close()
  })

  it('A6 asks for content without a coding, and refuses a coded answer by name', async () => {
    const { transport, close } = open({ pin })
    const get = (path: string) => transport({ method: 'GET', url: `${url}${path}` })
    const asked = await readBody(await get('/accepts'), 100)
    assert.equal(Buffer.from(asked).toString(), 'identity')
    await assert.rejects(get('/gzip'), (error: unknown) => {
      assert.ok(hasCode('content_coded')(error))
      assert.match((error as Error).message, /\(gzip\)/)
      return true
    })
    // A 404 may come in any coding: nobody reads its body.
    assert.equal((await get('/missing')).status, 404)
    close()
  })

  it('reports what went wrong by code', async () => {
    // Long enough for a handshake on a busy machine.
    const hurried = open({ pin, idleTimeoutMs: 3000 })
    const stalled = await hurried.transport({ method: 'GET', url: `${url}/stall` })
    await assert.rejects(readBody(stalled, 100), hasCode('timed_out'))
    hurried.close()
    const { transport, close } = open({ pin })
    const cut = await transport({ method: 'GET', url: `${url}/cut` })
    await assert.rejects(readBody(cut, 100), hasCode('unreachable'))
    await assert.rejects(
      transport({ method: 'GET', url: 'https://127.0.0.1:1/' }),
      hasCode('unreachable'),
    )
    await assert.rejects(transport({ method: 'GET', url: 'http://127.0.0.1:1/' }), hasCode('tls'))
    await assert.rejects(
      transport({ method: 'GET', url: 'file:///etc/passwd' }),
      hasCode('unreachable'),
    )
    const stop = new AbortController()
    const waiting = transport({ method: 'GET', url: `${url}/stall`, signal: stop.signal })
    const body = readBody(await waiting, 100)
    body.catch(() => {})
    await systemSleep(10)
    stop.abort()
    await assert.rejects(body, hasCode('aborted'))
    close()
  })

  it('speaks plain http only when told', async () => {
    const plain = createPlainServer((_request, response) => response.end('plain'))
    const port = await listen(plain)
    const { transport, close } = open({ allowPlain: true })
    const response = await transport({ method: 'GET', url: `http://127.0.0.1:${port}/` })
    assert.equal(Buffer.from(await readBody(response, 10)).toString(), 'plain')
    close()
    plain.close()
  })
})
