/** A certificate from a real ACME authority, and port 80. */
import assert from 'node:assert/strict'
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  addServerName,
  removeServerName,
  requestCertificate,
  showCertificate,
} from '@seaworthy/api/certificates'
import { showSelf } from '@seaworthy/api/server'
import { announceServerKey, useServerKey } from '@seaworthy/api/server-keys'
import { utf8Decode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { lacks } from '@seaworthy/std/testing/programs'
import { deleteChallenges, storeChallenge } from '../../db/acme-challenges.ts'
import { notifyCertificate, setFact } from '../../db/server-facts.ts'
import { createTestAuthority } from '../../testing/authority.ts'
import { readAcmeTrouble, setAcmeTrouble } from '../trust/index.ts'
import type { Pebble } from '../../testing/pebble.ts'
import { startPebble } from '../../testing/pebble.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import { createTestClient, startTestServer } from '../../testing/index.ts'

describe('an ACME authority', { skip: lacks('pebble') }, () => {
  let pebble: Pebble
  /** One that wants accounts to be bound. */
  let strictPebble: Pebble | undefined
  let server: TestServer
  let client: TestClient
  let folder: string
  let httpPort: number
  let port: number
  let url: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'seaworthy-acme-'))
    httpPort = await claimPort()
    port = await claimPort()
    pebble = await startPebble({ httpPort, tlsPort: port })
    server = await start(pebble, '--http-listen', `127.0.0.1:${httpPort}`)
    // Nobody but the authority resolves the name.
    url = `https://127.0.0.1:${port}`
    client = createTestClient({ ...server, url })
  })
  after(async () => {
    client?.close()
    await server?.stop()
    await pebble?.stop()
    await strictPebble?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function start(
    { directory, caFile }: Pebble,
    ...args: readonly string[]
  ): Promise<TestServer> {
    return startTestServer({
      ...{ dataDir: folder, port, workers: 2 },
      args: [
        ...['--name', 'ship.example', '--renew-certificate'],
        ...['--acme-directory', directory, '--acme-ca', caFile, '--acme-agree-terms'],
        ...['--acme-email', 'admin@ship.example', ...args],
      ],
    })
  }

  /** The certificate that a new connection is shown. */
  async function shown(
    how: { ALPNProtocols?: string[]; servername?: string } = {},
  ): Promise<X509Certificate | undefined> {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...how })
    // A refused handshake may fail twice: when it is read, and when it is written to.
    socket.on('error', () => undefined)
    try {
      await once(socket, 'secureConnect')
      return socket.getPeerX509Certificate()
    } catch {
      return undefined
    } finally {
      socket.destroy()
    }
  }
  /** Each of the workers takes a turn; nothing is ordered any more, and nothing went wrong. */
  const shownByAll = (what: string, isWanted: (certificate: X509Certificate) => boolean) =>
    waitUntil(
      async () => `${what}\n${server.log().slice(-3000)}`,
      async () => {
        for (let i = 0; i < 6; i++) {
          const certificate = await shown()
          if (certificate !== undefined && isWanted(certificate)) continue
          await orderAgain()
          return false
        }
        return (await problem()) === null
      },
    )
  const view = () => client.api.call(showCertificate, {})
  // A server that does not answer in this moment is asked again by whoever waits.
  const problem = async () => (await view().catch(() => undefined))?.problem

  /** A busy machine may answer the authority too late, and then waits for minutes. */
  async function orderAgain(expected = /has begun, and has not ended/) {
    const now = await problem()
    if (now === null || now === undefined || expected.test(now)) return
    const db = server.openDatabase()
    try {
      await db.write(async (tx) => {
        const trouble = await readAcmeTrouble(tx)
        if (trouble === undefined || /has begun/.test(trouble.message)) return
        if (!expected.test(trouble.message)) await setAcmeTrouble(tx, undefined)
      })
    } finally {
      await db.close()
    }
  }

  async function serialShown(): Promise<string> {
    let serial: string | undefined
    await waitUntil('a certificate is shown', async () => {
      serial = (await shown())?.serialNumber
      return serial !== undefined
    })
    return serial!
  }
  /** A challenge as an order opens it, for as long as `work` takes. */
  async function withChallenge(name: string, token: string, work: () => Promise<void>) {
    const db = server.openDatabase()
    try {
      await db.write((tx) => storeChallenge(tx, { name, token, answer: `${token}.answer` }))
      await work()
      await db.write((tx) => deleteChallenges(tx))
    } finally {
      await db.close()
    }
  }
  const isOfPebble = ({ issuer }: X509Certificate) => issuer.includes('Pebble')

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

  /** What is answered to these bytes until the connection ends, which the server does. */
  async function exchange(text: string): Promise<string> {
    const socket = connectPlain({ host: '127.0.0.1', port: httpPort })
    // The server may end the connection while it is written to.
    socket.on('error', () => undefined)
    const ended = once(socket, 'close')
    let answer = ''
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')))
    socket.write(text)
    await ended
    return answer
  }

  /** What is answered to a request over TLS until the connection ends. */
  async function askByTls(how: { ALPNProtocols: string[]; servername: string }): Promise<string> {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...how })
    socket.on('error', () => undefined)
    const ended = once(socket, 'close')
    let answer = ''
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')))
    socket.write('GET /v1/server HTTP/1.1\r\nHost: ship.example\r\nConnection: close\r\n\r\n')
    await ended
    return answer
  }

  it('A6 the certificate comes from the authority, for the key that is pinned, though it refuses some nonces', async () => {
    await shownByAll('every worker shows the certificate of the authority', isOfPebble)
    const { pin, source, names, problem } = await view()
    assert.deepEqual([pin, source, names, problem], [server.pin, 'acme', ['ship.example'], null])
    await client.api.call(showSelf, {})
    const root = utf8Decode((await client.send('GET', '/ca.crt')).bytes)
    assert.equal(root.trim(), pebble.rootPem.trim())
    await waitUntil('a client that knows the authority takes the certificate', async () => {
      const socket = connect({ host: '127.0.0.1', port, ca: root, servername: 'ship.example' })
      socket.on('error', () => undefined)
      try {
        await once(socket, 'secureConnect')
        return true
      } catch {
        return false
      } finally {
        socket.destroy()
      }
    })
  })

  it('A6 a certificate most of whose life is over is ordered anew', async () => {
    const authority = await createTestAuthority()
    const { requestPem } = await client.api.call(requestCertificate, {})
    const ending = await authority.issue(requestPem, { from: -70, until: 20 })
    const before = await serialShown()
    const db = server.openDatabase()
    try {
      await db.write(async (tx) => {
        await setFact(tx, 'acme-certificate', ending)
        await notifyCertificate(tx)
      })
    } finally {
      await db.close()
    }
    await shownByAll(
      'every worker shows a new certificate of the authority',
      (certificate) => isOfPebble(certificate) && certificate.serialNumber !== before,
    )
    assert.equal((await view()).problem, null)
  })

  it('A6 attack: port 80 gives the way to https and an open challenge, and nothing else', async () => {
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
    await withChallenge('ship.example', 'open', async () => {
      const path = '/.well-known/acme-challenge/open'
      assert.equal((await ask('GET', path, 'SHIP.example:80')).text, 'open.answer')
      assert.equal((await ask('GET', path, 'localhost')).status, 404)
      assert.equal((await ask('POST', path, 'ship.example')).status, 308)
    })
    const posted = await ask('POST', '/v1/device/check-in', 'localhost')
    assert.deepEqual([posted.status, posted.text], [308, ''])
    // Nobody is asked for a body, none is waited for, and a head has its limit.
    const head = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n'
    assert.match(await exchange(`${head}Expect: 100-continue\r\n\r\n`), /^HTTP\/1\.1 308 /)
    assert.match(await exchange(`${head}\r\nsome of it`), /^HTTP\/1\.1 308 /)
    assert.match(await exchange(`${head}X: ${'x'.repeat(9000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  })

  it('A6 a name that the authority cannot reach, or refuses, is named with a way out, and the certificate before goes on', async () => {
    for (const [name, why] of [
      ['gone.example', /gone\.example.*(?:DNS|port 80).*The next order is due at 2/],
      ['blocked.example', /makes no certificate for .*server name remove/],
    ] as const) {
      const before = await serialShown()
      await client.api.call(addServerName, { params: { name } })
      await waitUntil(
        async () => `the failure is named: ${await problem()}`,
        async () => {
          if (why.test((await problem()) ?? '')) return true
          await orderAgain(why)
          return false
        },
      )
      assert.equal(await serialShown(), before)
      await client.api.call(removeServerName, { params: { name } })
    }
  })

  it('A6 after the key was changed, the authority makes a certificate for the next one', async () => {
    const { next } = await client.api.call(announceServerKey, { body: {} })
    const { pin } = next!
    const before = await serialShown()
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

  it('A6 without port 80 a name is proved in a handshake (tls-alpn-01), which serves nothing and is given to nobody else; the account is bound to another', async () => {
    const { pin } = await view()
    client.close()
    await server.stop()
    const { adminToken } = server
    const binding = {
      keyId: 'key-1',
      key: Buffer.from(systemRandom.bytes(32)).toString('base64url'),
    }
    strictPebble = await startPebble({ httpPort, tlsPort: port, binding })
    const keyFile = join(folder, 'binding.key')
    await writeFile(keyFile, `${binding.key}\n`, { mode: 0o600 })
    const args = ['--acme-binding-id', binding.keyId, '--acme-binding-key', keyFile]
    const started = await start(strictPebble, '--acme-challenge', 'tls-alpn-01', ...args)
    server = { ...started, adminToken }
    client = createTestClient({ ...server, url, pin })
    await client.api.call(addServerName, { params: { name: 'also.example' } })
    await shownByAll(
      'every worker shows a certificate of the authority with the new name',
      (certificate) =>
        isOfPebble(certificate) && certificate.checkHost('also.example') !== undefined,
    )
    assert.deepEqual((await view()).problem, null)
    const proof = { ALPNProtocols: ['acme-tls/1'], servername: 'ship.example' }
    await withChallenge('ship.example', 'open', async () => {
      await waitUntil('a worker proves the name', async () => {
        const certificate = await shown(proof)
        return certificate?.subject === 'CN=Seaworthy challenge' && !certificate.ca
      })
      assert.match(await askByTls(proof), /^$/)
      const { ALPNProtocols } = proof
      for (const other of [{ servername: 'also.example' }, { servername: 'evil.example' }, {}]) {
        assert.equal(await shown({ ALPNProtocols, ...other }), undefined)
      }
      const both = { ...proof, ALPNProtocols: ['acme-tls/1', 'http/1.1'] }
      assert.match(await askByTls(both), /^HTTP\/1\.1 /)
    })
    await waitUntil('no worker proves it any more', async () => {
      for (let i = 0; i < 6; i++) if ((await shown(proof)) !== undefined) return false
      return true
    })
  })
})
