/**
 * `--database-url` against Debian's PostgreSQL, the oldest version that is supported: with
 * passwords, with TLS, and with everything that can be wrong about either.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { claimPort } from '@seaworthy/std/testing/ports'
import { hexEncode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { lacks } from '@seaworthy/std/testing/programs'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { createCertificates } from '../app/trust/make-certificate.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { readDatabaseAddress } from '../db/address.ts'
import { openDb } from '../db/connection.ts'
import { findAccount } from '../postgres/index.ts'
import type { TestAuthority } from '../testing/authority.ts'
import { createTestAuthority } from '../testing/authority.ts'
import { createTestClient, setUpTrust, startTestServer } from '../testing/index.ts'

const programs = '/usr/lib/postgresql/15/bin'

interface OldPostgres {
  readonly port: number
  readonly password: string
  /** PEM files: the authority that issued the server's certificate, and another one. */
  readonly caFile: string
  readonly otherCaFile: string
  /** Keys and certificates of clients: of the authority that the server asks for, and another. */
  readonly client: ClientFiles
  readonly stranger: ClientFiles
  createDatabase(name: string): Promise<void>
  stop(): Promise<void>
}

interface ClientFiles {
  readonly certFile: string
  readonly keyFile: string
}

async function makeClient(folder: string, name: string, authority: TestAuthority) {
  const { keyPem, requestPem } = await authority.request(['client.example'])
  const certFile = join(folder, `${name}.crt`)
  const keyFile = join(folder, `${name}.key`)
  await writeFile(certFile, (await authority.issue(requestPem)) + authority.intermediatePem)
  await writeFile(keyFile, keyPem, { mode: 0o600 })
  return { certFile, keyFile }
}

async function startOldPostgres(): Promise<OldPostgres> {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-pg15-'))
  await chmod(root, 0o755)
  const account = process.getuid?.() === 0 ? await findAccount() : null
  const dataDir = join(root, 'data')
  await mkdir(dataDir, { mode: 0o700 })
  const password = hexEncode(systemRandom.bytes(12))
  const passwordFile = join(root, 'password')
  await writeFile(passwordFile, password)
  const certificates = (names: string[]) =>
    createCertificates({ names, now: systemClock.now(), random: systemRandom })
  const [own, other] = [await certificates(['db.example']), await certificates([])]
  const keyFile = join(root, 'server.key')
  const certFile = join(root, 'server.crt')
  const caFile = join(root, 'ca.crt')
  const otherCaFile = join(root, 'other-ca.crt')
  await writeFile(keyFile, own.keyPem, { mode: 0o600 })
  await writeFile(certFile, own.certificatePem)
  await writeFile(caFile, own.caPem)
  await writeFile(otherCaFile, other.caPem)
  if (account !== null) {
    for (const path of [dataDir, keyFile, passwordFile]) await chown(path, account.uid, account.gid)
  }
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...account }
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', dataDir, '-U', 'sea', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8'],
    { ...options, encoding: 'utf8' },
  )
  assert.equal(made.status, 0, made.stderr)
  const authority = await createTestAuthority()
  const client = await makeClient(root, 'client', authority)
  const stranger = await makeClient(root, 'stranger', await createTestAuthority())
  const clientCaFile = join(root, 'client-ca.crt')
  await writeFile(clientCaFile, authority.rootPem)
  // Only a certificate opens this database; the name in it is that of an account by a map.
  const rules = await readFile(join(dataDir, 'pg_hba.conf'), 'utf8')
  const certified = 'hostssl certified all all cert map=ship\n'
  await writeFile(join(dataDir, 'pg_hba.conf'), `${certified}${rules}`)
  await writeFile(join(dataDir, 'pg_ident.conf'), 'ship ship sea\n')
  const port = await claimPort()
  const settings = {
    // The certificate does not name the second address.
    listen_addresses: '127.0.0.1,127.0.0.2',
    port: String(port),
    unix_socket_directories: '',
    ssl: 'on',
    ssl_cert_file: certFile,
    ssl_key_file: keyFile,
    ssl_ca_file: clientCaFile,
    max_connections: '200',
  }
  const child: ChildProcess = spawn(
    join(programs, 'postgres'),
    ['-D', dataDir, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    { ...options, stdio: 'ignore' },
  )
  const psql = (sql: string) =>
    spawnSync(
      join(programs, 'psql'),
      ['-h', '127.0.0.1', '-p', String(port), '-U', 'sea', '-d', 'postgres', '-c', sql],
      {
        env: { PATH: '/usr/bin:/bin', PGPASSWORD: password },
        encoding: 'utf8',
      },
    )
  for (let waitedMs = 0; psql('select 1').status !== 0; waitedMs += 100) {
    assert.ok(waitedMs < 120_000 && child.exitCode === null, 'PostgreSQL 15 starts')
    await systemSleep(100)
  }
  return {
    port,
    password,
    caFile,
    otherCaFile,
    client,
    stranger,
    async createDatabase(name) {
      const created = psql(`create database ${name}`)
      assert.equal(created.status, 0, created.stderr)
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      await ended
      await rm(root, { recursive: true, force: true })
    },
  }
}

describe('--database-url', { skip: lacks('postgres 15') }, () => {
  let postgres: OldPostgres
  before(async () => {
    postgres = await startOldPostgres()
  })
  after(() => postgres.stop())

  const urlOf = (
    query: string,
    { password = postgres.password, host = '127.0.0.1', database = 'sea' } = {},
  ) => `postgres://sea:${password}@${host}:${postgres.port}/${database}${query}`

  const start = (url: string) => startTestServer({ env: { DATABASE_URL: url } })

  /** Checks what the person who started the server sees. */
  async function refused(url: string, why: RegExp): Promise<void> {
    await assert.rejects(start(url), (error: Error) => {
      assert.match(error.message, why)
      assert.ok(!error.message.includes(postgres.password), 'no password')
      assert.ok(!error.message.includes('hunter2'), 'no wrong password either')
      return true
    })
  }

  it('serves from PostgreSQL 15 over TLS with its certificate and name checked', async () => {
    await postgres.createDatabase('served')
    const query = `?sslmode=verify-full&sslrootcert=${postgres.caFile}`
    const server = await start(urlOf(query, { database: 'served', host: 'localhost' }))
    const client = createTestClient(server)
    try {
      await setUpTrust(client)
      assert.equal((await client.send('GET', '/readyz')).status, 200)
      assert.ok(!server.log().includes(postgres.password))
    } finally {
      client.close()
      await server.stop()
    }
  })

  it('says what is wrong with a password, a certificate, a name, a host, a database', async () => {
    const { caFile, otherCaFile } = postgres
    await refused(
      urlOf('', { password: 'hunter2' }),
      /password authentication failed for user "sea"/,
    )
    await refused(urlOf(`?sslrootcert=${otherCaFile}`), /could not prove who it is/)
    await refused(urlOf('?sslmode=verify-full'), /could not prove who it is/)
    await refused(urlOf('?sslrootcert=/no/such/file'), /\/no\/such\/file cannot be read/)
    await refused(
      urlOf(`?sslrootcert=${caFile}`, { database: 'nowhere' }),
      /database "nowhere" does not exist/,
    )
    await refused(
      `postgres://sea:hunter2@127.0.0.1:1/sea`,
      /ECONNREFUSED|could not be reached|connect/,
    )
  })

  it('A6 attack: no password but a certificate of the right authority opens a database that asks for one', async () => {
    const { caFile, client, stranger } = postgres
    await postgres.createDatabase('certified')
    const certified = (query: string) =>
      urlOf(`?sslmode=verify-full&sslrootcert=${caFile}${query}`, { database: 'certified' })
    const by = ({ certFile, keyFile }: ClientFiles) => `&sslcert=${certFile}&sslkey=${keyFile}`
    const url = parseDatabaseUrl(certified(by(client)))
    const db = openDb(await readDatabaseAddress(url), silentLog)
    const [row] = await db.reader.sql`
      select client_dn from pg_stat_ssl where pid = pg_backend_pid()`
    await db.close()
    assert.deepEqual(row, { client_dn: '/CN=ship' })

    await refused(certified(''), /certificate/)
    await refused(
      certified(by(stranger)),
      /does not take the certificate in sslcert .*stranger\.crt/,
    )
    const swapped = { certFile: client.certFile, keyFile: stranger.keyFile }
    await refused(certified(by(swapped)), /sslcert .*client\.crt and sslkey .* do not belong/)
    await chmod(client.keyFile, 0o644)
    await refused(certified(by(client)), /client\.key is open to other accounts.*chmod/)
  })

  it('verify-ca takes another name, verify-full does not, require takes anything that encrypts', async () => {
    const ask = async (query: string, host: string) => {
      const url = parseDatabaseUrl(urlOf(query, { host, database: 'postgres' }))
      const db = openDb(await readDatabaseAddress(url), silentLog)
      try {
        const [row] = await db.reader
          .sql`select ssl, version from pg_stat_ssl where pid = pg_backend_pid()`
        return row
      } finally {
        await db.close()
      }
    }
    const { caFile, otherCaFile } = postgres
    for (const query of [
      `?sslmode=verify-full&sslrootcert=${caFile}`,
      `?sslmode=verify-ca&sslrootcert=${caFile}`,
      `?sslmode=require`,
    ]) {
      assert.deepEqual(await ask(query, '127.0.0.1'), { ssl: true, version: 'TLSv1.3' }, query)
    }
    assert.ok(await ask(`?sslmode=verify-ca&sslrootcert=${caFile}`, '127.0.0.2'))
    await assert.rejects(
      ask(`?sslmode=verify-full&sslrootcert=${caFile}`, '127.0.0.2'),
      /ERR_TLS_CERT_ALTNAME_INVALID/,
    )
    assert.deepEqual(await ask('?sslmode=disable', '127.0.0.1'), { ssl: false, version: null })
    for (const query of [
      `?sslmode=verify-ca&sslrootcert=${otherCaFile}`,
      `?sslmode=require&sslrootcert=${otherCaFile}`,
    ]) {
      await assert.rejects(ask(query, '127.0.0.1'), /could not prove who it is/, query)
    }
  })
})
