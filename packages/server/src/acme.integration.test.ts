/** A certificate from a real ACME authority, and port 80. */
import assert from 'node:assert/strict'
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { addServerName, removeServerName, showCertificate } from '@seaworthy/api/certificates'
import { showSelf } from '@seaworthy/api/server'
import { announceServerKey, useServerKey } from '@seaworthy/api/server-keys'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { lacks } from '@seaworthy/std/testing/programs'
import type { Pebble } from './testing/pebble.ts'
import { startPebble } from './testing/pebble.ts'
import type { TestClient, TestServer } from './testing/index.ts'
import { createTestClient, startTestServer } from './testing/index.ts'

describe('an ACME authority', { skip: lacks('pebble') }, () => {
  let pebble: Pebble
  let server: TestServer
  let client: TestClient
  let httpPort: number
  let url: string

  before(async () => {
    httpPort = await claimPort()
    pebble = await startPebble(httpPort)
    const { directory, caFile } = pebble
    server = await startTestServer({
      workers: 2,
      args: [
        ...['--name', 'ship.example', '--renew-certificate'],
        ...['--http-listen', `127.0.0.1:${httpPort}`],
        ...['--acme-directory', directory, '--acme-ca', caFile, '--acme-agree-terms'],
        ...['--acme-email', 'admin@ship.example'],
      ],
    })
    // Nobody but the authority resolves the name.
    url = `https://127.0.0.1:${new URL(server.url).port}`
    client = createTestClient({ ...server, url })
  })
  after(async () => {
    client?.close()
    await server?.stop()
    await pebble?.stop()
  })

  /** The certificate that a new connection is shown. */
  async function shown(): Promise<X509Certificate | undefined> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false })
    try {
      await once(socket, 'secureConnect')
      return socket.getPeerX509Certificate()
    } catch {
      return undefined
    } finally {
      socket.destroy()
    }
  }
  /** Each of the workers takes a turn. */
  const shownByAll = (what: string, isWanted: (certificate: X509Certificate) => boolean) =>
    waitUntil(
      async () => `${what}\n${server.log().slice(-3000)}`,
      async () => {
        for (let i = 0; i < 6; i++) {
          const certificate = await shown()
          if (certificate === undefined || !isWanted(certificate)) return false
        }
        return true
      },
    )
  const isOfPebble = ({ issuer }: X509Certificate) => issuer.includes('Pebble')
  const view = () => client.api.call(showCertificate, {})

  /** One request without TLS. */
  async function ask(method: string, path: string, host: string) {
    const outgoing = request({
      ...{ host: '127.0.0.1', port: httpPort, method, path },
      headers: { host },
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
    let text = ''
    for await (const piece of response) text += String(piece)
    return { status: response.statusCode, location: response.headers.location, text }
  }

  it('A6 the certificate comes from the authority, for the key that is pinned, though it refuses half of all nonces', async () => {
    await shownByAll('every worker shows the certificate of the authority', isOfPebble)
    const { pin, source, names, problem } = await view()
    assert.deepEqual([pin, source, names, problem], [server.pin, 'acme', ['ship.example'], null])
    await client.api.call(showSelf, {})
    const root = utf8Decode((await client.send('GET', '/ca.crt')).bytes)
    assert.equal(root.trim(), pebble.rootPem.trim())
    const { hostname, port } = new URL(url)
    const socket = connect({
      host: hostname,
      port: Number(port),
      ca: root,
      servername: 'ship.example',
    })
    await once(socket, 'secureConnect')
    socket.destroy()
  })

  it('A6 attack: port 80 gives the way to https and an open challenge, and nothing else', async () => {
    const { port } = new URL(server.url)
    const moved = await ask('GET', '/v1/server?x=1', 'ship.example')
    assert.deepEqual(moved, {
      ...{ status: 308, location: `https://ship.example:${port}/v1/server?x=1`, text: '' },
    })
    // A redirect leads to none but our names, whatever is asked for.
    for (const host of ['evil.example', 'ship.example@evil.example', 'ship.example/']) {
      const { status, location } = await ask('GET', '/', host)
      assert.deepEqual([status, location], [421, undefined], host)
    }
    const { location } = await ask('GET', '//evil.example/', 'ship.example')
    assert.equal(location, `https://ship.example:${port}//evil.example/`)
    for (const token of ['unknown', '..%2f..%2fmaster.key', 'a'.repeat(129)]) {
      const path = `/.well-known/acme-challenge/${token}`
      const { status, text } = await ask('GET', path, 'ship.example')
      assert.ok(status === 404 || status === 308, path)
      assert.equal(text, '')
    }
    const posted = await ask('POST', '/v1/device/check-in', 'localhost')
    assert.deepEqual([posted.status, posted.text], [308, ''])
  })

  it('A6 a name that the authority cannot reach, or refuses, is named with a way out, and the certificate before goes on', async () => {
    for (const [name, why] of [
      ['gone.example', /gone\.example.*(?:DNS|port 80)/],
      ['blocked.example', /makes no certificate for .*server name remove/],
    ] as const) {
      const before = (await shown())!.serialNumber
      await client.api.call(addServerName, { params: { name } })
      await waitUntil(
        async () => `the failure is named: ${(await view()).problem}`,
        async () => why.test((await view()).problem ?? ''),
      )
      assert.equal((await shown())!.serialNumber, before)
      await client.api.call(removeServerName, { params: { name } })
    }
  })

  it('A6 after the key was changed, the authority makes a certificate for the next one', async () => {
    const { next } = await client.api.call(announceServerKey, { body: {} })
    const { pin } = next!
    const before = (await shown())!.serialNumber
    await client.api.call(useServerKey, { body: { pin } })
    const { adminToken } = server
    client.close()
    client = createTestClient({ ...server, url, pin, adminToken })
    await shownByAll(
      'every worker shows a new certificate of the authority',
      (certificate) => isOfPebble(certificate) && certificate.serialNumber !== before,
    )
    const shownView = await view()
    assert.deepEqual([shownView.pin, shownView.source], [pin, 'acme'])
  })
})
