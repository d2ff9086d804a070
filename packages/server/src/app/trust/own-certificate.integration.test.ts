/** How clients go on while the names and the certificate of a running server change. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import {
  addServerName,
  removeServerName,
  requestCertificate,
  showCertificate,
} from '@seaworthy/api/certificates'
import { ProblemError } from '@seaworthy/api/problems'
import { showSelf } from '@seaworthy/api/server'
import { utf8Decode } from '@seaworthy/std/bytes'
import { claimPort } from '@seaworthy/std/testing/ports'
import { waitUntil } from '@seaworthy/std/testing'
import type { TestAuthority } from '../../testing/authority.ts'
import { createTestAuthority } from '../../testing/authority.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import { createTestClient, startTestServer } from '../../testing/index.ts'

let folder: string
let port: number
let server: TestServer
let client: TestClient
let authority: TestAuthority
const inFolder = (name: string) => join(folder, name)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seaworthy-own-certificate-'))
  port = await claimPort()
  authority = await createTestAuthority()
  server = await startTestServer({ dataDir: folder, port, workers: 2 })
  client = createTestClient(server)
})
after(async () => {
  client?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The certificate that a new connection is shown, if the client that trusts `ca` takes it. */
async function shownTo(ca: string, servername: string): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port, ca, servername })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerX509Certificate()!
  } finally {
    socket.destroy()
  }
}

/** Each of the workers takes a turn. */
async function shownByAll(isWanted: (names: string) => boolean): Promise<void> {
  await waitUntil('every worker shows it', async () => {
    for (let i = 0; i < 6; i++) {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const { subjectAltName = '' } = socket.getPeerX509Certificate()!
      socket.destroy()
      if (!isWanted(subjectAltName)) return false
    }
    return true
  })
}

const refusedWith = (code: string, detail: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProblemError, String(error))
  assert.equal(error.problem.code, code)
  assert.match(error.problem.detail ?? '', detail)
  return true
}
const caOf = async () => utf8Decode((await client.send('GET', '/ca.crt')).bytes)
const add = (name: string) => client.api.call(addServerName, { params: { name } })
const remove = (name: string) => client.api.call(removeServerName, { params: { name } })

/** Puts a file in its place at once, as programs that renew certificates do. */
async function place(name: string, text: string): Promise<void> {
  await writeFile(inFolder(`${name}.new`), text, { mode: 0o600 })
  await rename(inFolder(`${name}.new`), inFolder(name))
}

async function restart(args: readonly string[]): Promise<void> {
  const { adminToken } = server
  client.close()
  await server.stop()
  server = await startTestServer({ dataDir: folder, port, workers: 2, args })
  client = createTestClient({ ...server, adminToken })
}

test('A6 a name is added and removed while the server runs: the pin stays, every worker shows it, and connections go on', async () => {
  await client.api.call(showSelf, {})
  const before = await client.api.call(showCertificate, {})
  const ca = await caOf()
  const view = await add('Ship.Example')
  assert.deepEqual([view.pin, view.source], [before.pin, 'made-here'])
  assert.ok(view.names.includes('ship.example'))
  // The connection that is pinned and kept alive.
  await client.api.call(showSelf, {})
  await shownByAll((names) => names.includes('ship.example'))
  const next = await caOf()
  assert.notEqual(next, ca)
  await shownTo(next, 'ship.example')
  await assert.rejects(shownTo(ca, 'localhost'))
  assert.deepEqual((await add('ship.example')).names, view.names)
  for (const address of ['192.0.2.7', '2001:DB8::1']) await add(address)
  await remove('2001:db8:0::1')
  await remove('ship.example')
  await shownByAll((names) => !names.includes('ship.example') && names.includes('192.0.2.7'))
})

test('A6 names that no client could ask for, that are not there or are needed are refused by name', async () => {
  await assert.rejects(add('*.example'), refusedWith('server_name_malformed', /no host name/))
  await assert.rejects(add('0.0.0.0'), refusedWith('server_name_malformed', /every address/))
  await assert.rejects(remove('x.example'), refusedWith('server_name_not_found', /show/))
  for (const name of ['localhost', '127.0.0.1', '::1']) {
    await assert.rejects(remove(name), refusedWith('server_name_needed', /machine itself/))
  }
})

test('A6 a certificate of one’s own authority, made for the server’s key, is shown under the same pin; renewed files are taken without a restart, broken ones are not', async () => {
  await add('ship.example')
  const { pin } = server
  const { requestPem } = await client.api.call(requestCertificate, {})
  const above = authority.intermediatePem + authority.rootPem
  await place('own.pem', (await authority.issue(requestPem)) + above)
  await restart(['--tls-certificate', inFolder('own.pem')])
  assert.equal(server.pin, pin)
  const shown = await shownTo(authority.rootPem, 'ship.example')
  assert.equal((await client.api.call(showCertificate, {})).source, 'files')
  assert.equal((await caOf()).trim(), authority.rootPem.trim())
  await assert.rejects(add('x.example'), refusedWith('certificate_from_files', /--tls-certificate/))

  await place('own.pem', await authority.issue(requestPem))
  process.kill(server.pid, 'SIGHUP')
  await waitUntil('the broken file is named', async () => {
    const { problem } = await client.api.call(showCertificate, {})
    return problem?.includes('is incomplete') === true
  })
  const still = await shownTo(authority.rootPem, 'ship.example')
  assert.equal(still.serialNumber, shown.serialNumber)

  // Nobody says that the file has changed: the server looks by itself.
  await place('own.pem', (await authority.issue(requestPem)) + above)
  await waitUntil('the renewed certificate is shown by every worker', async () => {
    for (let i = 0; i < 6; i++) {
      const { serialNumber } = await shownTo(authority.rootPem, 'ship.example')
      if (serialNumber === shown.serialNumber) return false
    }
    return true
  })
  await waitUntil(
    'the fault is gone',
    async () => (await client.api.call(showCertificate, {})).problem === null,
  )
})

test('A6 attack on the pin: a certificate for another key does not start the server, unless somebody says that pins end', async () => {
  const { keyPem, requestPem } = await authority.request(['ship.example'])
  const above = authority.intermediatePem + authority.rootPem
  await place('other.pem', (await authority.issue(requestPem)) + above)
  await place('other.key', keyPem)
  const args = ['--tls-certificate', inFolder('other.pem'), '--tls-key', inFolder('other.key')]
  const { pin } = server
  await assert.rejects(restart(args), (error: Error) => {
    assert.match(error.message, /were paired with sha256:.*would refuse it/)
    assert.match(error.message, /--replace-pin/)
    assert.doesNotMatch(error.message, /PRIVATE KEY/)
    return true
  })
  server = await startTestServer({
    ...{ dataDir: folder, port, args: [...args, '--replace-pin'] },
  })
  assert.notEqual(server.pin, pin)
  await shownTo(authority.rootPem, 'ship.example')
  // Once said, it is not asked again.
  await server.stop()
  server = await startTestServer({ dataDir: folder, port, args })
})
