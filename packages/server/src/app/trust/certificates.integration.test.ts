/** What becomes of the server's certificate after the first start, on a real PostgreSQL. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { utf8Decode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { hourMs, systemClock, systemSleep } from '@seaworthy/std/time'
import { loadMasterKey } from '../../config/master-key.ts'
import { renewByAcme } from '../acme/index.ts'
import { readAcmeTrouble } from './acme-trouble.ts'
import { prepareServer } from './first-start.ts'
import { CertificateError } from './own-certificate.ts'
import type { ServerTls } from './server-tls.ts'
import { isNamedBy } from './server-tls.ts'
import type { Db, TestDatabase } from '../../testing/index.ts'
import { startTestDatabase } from '../../testing/index.ts'

let database: TestDatabase
let db: Db
let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seaworthy-certificate-'))
  database = await startTestDatabase()
  db = database.open()
})
after(async () => {
  await db.close()
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

const start = async (
  names: readonly string[],
  renewsCertificate = false,
  host = '0.0.0.0',
  endsCredentials = false,
) => {
  const ports = { clock: systemClock, sleep: systemSleep, random: systemRandom, log: silentLog }
  const config = {
    masterKeyFile: join(folder, 'master.key'),
    names,
    renewsCertificate,
    endsCredentials,
    replacesPin: false,
    listen: { host, port: 0 },
  }
  return (await prepareServer(db, config, ports, null)).tls
}

/**
 * Whether a client that trusts only this CA certificate accepts the server as the holder of the
 * name.
 */
async function isTaken(tls: ServerTls, ca: string, name: string): Promise<boolean> {
  const server = createServer({ key: tls.keyPem, cert: tls.certificatePem })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({ host: '127.0.0.1', port, ca, servername: name })
  try {
    await once(socket, 'secureConnect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
    server.close()
  }
}

test('O1 a name that is given after the first start is refused in words, or comes into a new certificate under the same key', async () => {
  const first = await start(['ship.example'])
  assert.ok(await isTaken(first, first.caPem, 'ship.example'))
  const names = ['fleet.example', '192.0.2.7']
  await assert.rejects(start(names), (error) => {
    assert.ok(error instanceof CertificateError)
    assert.match(error.message, /does not name fleet\.example, 192\.0\.2\.7/)
    assert.match(error.message, /for ship\.example, localhost/)
    assert.match(error.message, /--renew-certificate/)
    return true
  })
  const unchanged = await start(['ship.example'])
  assert.equal(unchanged.certificatePem, first.certificatePem)

  const renewed = await start(names, true)
  assert.equal(renewed.pin, first.pin)
  assert.equal(renewed.keyPem, first.keyPem)
  assert.notEqual(renewed.caPem, first.caPem)
  for (const name of ['fleet.example', 'ship.example', 'localhost']) {
    assert.ok(await isTaken(renewed, renewed.caPem, name), name)
  }
  assert.ok(!(await isTaken(renewed, first.caPem, 'ship.example')))
  assert.ok(!(await isTaken(renewed, renewed.caPem, 'other.example')))

  // The option may stay in the unit file: no certificate is made while no name is missing.
  assert.equal((await start(names, true)).certificatePem, renewed.certificatePem)
  assert.equal((await start([], true)).certificatePem, renewed.certificatePem)
  const rows = await db.reader.sql<
    { entry: Uint8Array }[]
  >`select entry from audit_entries order by id`
  const entries = rows.map(({ entry }) => JSON.parse(utf8Decode(entry)) as { action: string })
  assert.equal(entries.filter(({ action }) => action === 'server.renew-certificate').length, 1)
})

test('O1 the address that the server listens on is in its certificate, at the first start and when it is made anew', async () => {
  const before = await start([])
  assert.ok(!isNamedBy(before.certificatePem, '192.0.2.9'))
  // The server may be behind something else, so this is only logged, and nothing changes.
  assert.equal((await start([], false, '192.0.2.9')).certificatePem, before.certificatePem)
  const renewed = await start([], true, '192.0.2.9')
  assert.ok(isNamedBy(renewed.certificatePem, '192.0.2.9'))
  assert.equal(renewed.pin, before.pin)
})

test('A4 attack: a restored backup takes for good what ended after it: a start with `--end-credentials` ends all of it at once', async () => {
  await start([])
  const later = new Date(systemClock.now().getTime() + hourMs)
  await db.write(async ({ sql }) => {
    await sql`
      insert into people (id, name, role, created_at, created_by, let_in_by)
      values ('person_a', 'Ann', 'owner', now(), 'server', 'server')`
    await sql`
      insert into sessions (id, person_id, secret_sha256, created_at, last_used_at, expires_at,
        factor, address, user_agent)
      values ('session_a', 'person_a', '\\x00', now(), now(), ${later}, 'passkey', '', '')`
    await sql`
      insert into invitations (id, code_sha256, role, created_at, created_by, expires_at)
      values ('invitation_a', '\\x00', 'admin', now(), 'person_a', ${later})`
    await sql`
      insert into tokens (id, name, role, secret_sha256, created_at, created_by, expires_at,
        last_used_at, line, holder)
      values ('token_a', 'ci', 'admin', '\\x00', now(), 'person_a', ${later}, now(), 'token_a',
        'person_a')`
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, created_at)
      values ('shops', 'acme', 'stable', 60, true, now())`
    await sql`
      insert into provisioning_keys (id, fleet, secret_sha256, uses_left, expires_at, created_at,
        created_by)
      values ('provisioning_a', 'shops', '\\x00', 5, ${later}, now(), 'person_a')`
  })
  const countGood = async () => {
    const [row] = await db.reader.sql<{ count: number }[]>`
      select (select count(*) from sessions where ended_at is null)
        + (select count(*) from invitations where revoked_at is null)
        + (select count(*) from tokens where revoked_at is null)
        + (select count(*) from provisioning_keys where revoked_at is null) as count`
    return row!.count
  }
  await start([])
  assert.ok((await countGood()) >= 4)
  await start([], false, '0.0.0.0', true)
  assert.equal(await countGood(), 0)
})

test('A6 an order counts as a failure from its beginning, so that a server that dies in it does not order at each start', async () => {
  await start(['ship.example'], true)
  let connectionsCount = 0
  // It takes connections, and says nothing.
  const authority = createPlainServer(() => connectionsCount++).listen(0, '127.0.0.1')
  await once(authority, 'listening')
  const { port } = authority.address() as AddressInfo
  const app = {
    ...{ db, clock: systemClock, sleep: systemSleep, random: systemRandom, log: silentLog },
    masterKey: await loadMasterKey(join(folder, 'master.key'), systemRandom, false),
  }
  const settings = {
    directory: `https://127.0.0.1:${port}/directory`,
    challenge: 'http-01',
    ...{ email: null, caFile: null, binding: null },
  } as const
  const stopping = new AbortController()
  const order = renewByAcme(app, settings, stopping.signal)
  try {
    await waitUntil('the authority is asked', async () => connectionsCount === 1)
    assert.match((await readAcmeTrouble(db.reader))!.message, /has begun, and has not ended/)
    // Another process sees this while the order goes on, and after one that died in it.
    await renewByAcme(app, settings, new AbortController().signal)
    assert.equal(connectionsCount, 1)
    // Nor does another start order sooner because this one stopped in peace.
    const begun = await readAcmeTrouble(db.reader)
    stopping.abort()
    await order
    assert.deepEqual(await readAcmeTrouble(db.reader), begun)
    await renewByAcme(app, settings, new AbortController().signal)
    assert.equal(connectionsCount, 1)
  } finally {
    stopping.abort()
    await order
    authority.close()
  }
})
