/**
 * A whole server as files, and a second one made from them. The tests share one server, which is
 * filled with something of everything, and end with the server that takes its place.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFile,
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDeviceToken } from '@seaworthy/api/device-self'
import type { Route } from '@seaworthy/api/route'
import { routes } from '@seaworthy/api/routes'
import { ProblemError } from '@seaworthy/api/problems'
import { showServer } from '@seaworthy/api/server'
import { listExposures } from '@seaworthy/api/vulnerabilities'
import { hexDecode, hexEncode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { SecretSearch } from '@seaworthy/std/testing/leaks'
import { searchArguments, searchFolder, searchFor } from '@seaworthy/std/testing/leaks'
import { waitUntil } from '@seaworthy/std/testing'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'
import { parseNoteKey, verifyCheckpoint, verifyLog } from '@seaworthy/trust/tlog'
import { nodeSha256 } from '../app/access/index.ts'
import { chooseTables, listTables } from '../db/transfers.ts'
import type { ScopedCall } from '../http/scoped-calls.fixture.ts'
import { makeScopedCalls } from '../http/scoped-calls.fixture.ts'
import type {
  TestBrowser,
  TestClient,
  TestDevice,
  TestIdentityProvider,
  TestServer,
} from '../testing/index.ts'
import {
  addDevice,
  becomeOwner,
  createTestBrowser,
  createTestClient,
  makeAssertion,
  makeProvisioningKey,
  report,
  setUpTrust,
  startIdentityProvider,
  startTestServer,
} from '../testing/index.ts'
import { plantSecrets, redirectUriOf } from './planted-secrets.fixture.ts'

const program = programAt(new URL('./main.ts', import.meta.url))

interface Ended {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

/** Runs the program as the command line does. */
async function run(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (part: Buffer) => (out += part.toString()))
  child.stderr.on('data', (part: Buffer) => (err += part.toString()))
  const [exitCode] = (await once(child, 'close')) as [number]
  return { exitCode, out, err }
}

let base: string
/**
 * Stored credentials have their key. Nobody listens at port 1: the key of an account is made before
 * its authority is asked.
 */
let options: readonly string[]
let server: TestServer
let client: TestClient
let browser: TestBrowser
let device: TestDevice
let asked: readonly Asked[]
let provider: TestIdentityProvider
let search: SecretSearch
const file = (...names: string[]) => join(base, ...names)
/** What a refused command says, with its exit code. */
const said = ({ exitCode, err }: Ended) => `${exitCode} ${err.trim().split('\n').at(-1)}`

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'seaworthy-transfers-'))
  // PostgreSQL's own account must be able to pass.
  await chmod(base, 0o711)
  await mkdir(file('first'))
  // The key of stored credentials lies where no thief of the data folder finds it.
  const key = hexEncode(systemRandom.bytes(32))
  await writeFile(file('credential.key'), key, { mode: 0o600 })
  options = [
    ...['--credential-key-file', file('credential.key')],
    ...['--acme-directory', 'https://127.0.0.1:1/directory', '--acme-agree-terms'],
    ...['--http-listen', `127.0.0.1:${await claimPort()}`],
  ]
  server = await startTestServer({
    dataDir: file('first'),
    args: [...options, '--report-form'],
  })
  client = createTestClient(server)
  const { signers } = await setUpTrust(client)
  browser = createTestBrowser(server, client)
  await becomeOwner(server, browser)
  const calls = await makeScopedCalls(server, client, signers)
  asked = await planWalk(calls)
  device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await report(client, device, { sequence: 1 }, true)
  provider = await startIdentityProvider(redirectUriOf(browser))
  const planted = await plantSecrets(server, client, browser, provider, signers)
  search = searchFor({ ...planted, 'credential key': key, 'credential key, raw': hexDecode(key) })
})
after(async () => {
  client.close()
  await provider?.stop()
  await server.kill()
  await rm(base, { recursive: true, force: true })
})

interface Asked {
  readonly name: string
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

/** A question of every route that reads, about things that exist where it is about any. */
async function planWalk(calls: Awaited<ReturnType<typeof makeScopedCalls>>): Promise<Asked[]> {
  const planned: Asked[] = []
  for (const route of routes) {
    if (route.method !== 'GET' || route.auth === 'device') continue
    const makers = calls.get(route.name) ?? [async (): Promise<ScopedCall> => ({})]
    for (const make of makers) {
      const { params = {}, query: text, about = '' } = await make()
      const query = Object.fromEntries(new URLSearchParams(text))
      planned.push({ name: `${route.name} ${about}`.trim(), route, params, query })
    }
  }
  return planned
}

/** Values that say what time it is, or that a server adds as time goes by. */
const ofTheClock = ['time', 'blindTimeSeconds', 'usedPercent', 'nextVersion', 'next', 'nextAt']
const ofTheDay = ['lastUsedAt', 'samples', 'history']

function withoutTime(answer: unknown): unknown {
  const text = JSON.stringify(answer, (name, value: unknown) => {
    if ([...ofTheClock, ...ofTheDay].includes(name)) return undefined
    return name === 'now' ? { ...(value as object), at: undefined } : value
  })
  return JSON.parse(text)
}

/** What the server says to its owner, to anybody, and to registry clients. */
async function walk(): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  for (const [i, { name, route, params, query }] of asked.entries()) {
    const answer = await browser.api.call(route, { params, query }).catch((error: unknown) => {
      if (!(error instanceof ProblemError)) throw error
      return { refused: error.code }
    })
    answers[`${i} ${name}`] = withoutTime(answer)
  }
  const { adminToken: token } = server
  for (const path of [
    '/tuf/1.root.json',
    '/tuf/timestamp.json',
    '/ca.crt',
    '/openapi.json',
    '/v2/acme/tags/list',
    '/v2/acme/manifests/1.0.0',
    '/log/tile/0/000.p/8',
    '/log/tile/entries/000.p/8',
  ]) {
    const { status, bytes } = await client.send('GET', path, { token })
    answers[path] = [status, Buffer.from(bytes).toString('latin1')]
  }
  return answers
}

async function readHead() {
  const { logVerifierKey } = await client.api.call(showServer, {})
  const key = await parseNoteKey(logVerifierKey)
  const { bytes } = await client.send('GET', '/log/checkpoint')
  return verifyCheckpoint(bytes, {
    ...{ origin: key.name, logKeys: [key], witnesses: [], witnessesMin: 0 },
  })
}

/** The entries of the audit log, as far as it has them. */
async function readActions(): Promise<string[]> {
  const db = server.openDatabase()
  try {
    const rows = await db.reader.sql<{ entry: Uint8Array }[]>`
      select entry from audit_entries order by id`
    return rows.map(
      ({ entry }) => (parseAnyJsonText(Buffer.from(entry).toString()) as { action: string }).action,
    )
  } finally {
    await db.close()
  }
}

test('O4 an export stops at a table or column that nobody has decided about', async () => {
  const db = server.openDatabase()
  try {
    const tables = await listTables(db.reader)
    const chosen = chooseTables(tables)
    const more = { name: 'later', type: 'text', isNullable: true }
    const devices = chosen.find(({ name }) => name === 'devices')!
    assert.throws(
      () => chooseTables([{ ...devices, columns: [...devices.columns, more] }]),
      /exported-tables\.ts says what becomes of devices\.later/,
    )
    assert.throws(() => chooseTables([{ ...devices, name: 'later' }]), /of the table later/)
  } finally {
    await db.close()
  }
})

/** Every row of every table, as text: bytes are in hex. */
async function dumpDatabase(): Promise<string> {
  const db = server.openDatabase()
  try {
    const { sql } = db.reader
    const parts: string[] = []
    for (const { name } of await listTables(db.reader)) {
      const rows = await sql<{ row: string }[]>`select t::text as row from ${sql(name)} t`
      parts.push(name, ...rows.map(({ row }) => row))
    }
    return parts.join('\n')
  } finally {
    await db.close()
  }
}

test('A9 attack: a thief of database, data folder, log and process arguments, the master key apart, finds no secret, token, password, cookie or private key', async () => {
  const dump = await dumpDatabase()
  assert.deepEqual(search(dump), [])
  // The starter of a test finds its token and link in files; `up` prints them.
  const apart = ['master.key', 'ready.json.token', 'ready.json.owner-link']
  assert.deepEqual(await searchFolder(search, server.dataDir, apart), [])
  assert.deepEqual(search(server.log()), [])
  assert.deepEqual(await searchArguments(search), [])
  // The search finds what stands there: a hash, a thing of the server's folder, its arguments.
  const hash = /x([0-9a-f]{64})(?![0-9a-f])/.exec(dump)![1]!
  const control = searchFor({ hash: Buffer.from(hash, 'hex'), main: 'server/src/main.ts' })
  assert.ok(control(dump).includes('hash'))
  assert.ok((await searchFolder(control, server.dataDir)).some((one) => one.startsWith('hash')))
  assert.ok((await searchArguments(control)).some((one) => one.startsWith('main')))
  assert.ok(
    (await searchFolder(search, server.dataDir)).some((one) => one.startsWith('master key')),
  )
})

test('O4 an export of a running server: its files, its digest, no secret in clear, a line in the log', async () => {
  const ended = await run('export', file('moved'), '--data-dir', server.dataDir, '--json')
  assert.equal(ended.exitCode, 0, ended.err)
  const { sha256 } = JSON.parse(ended.out) as { sha256: string }
  assert.match(sha256, /^[0-9a-f]{64}$/)
  assert.ok((await readActions()).includes('server.export'))

  const names = (await readdir(file('moved'), { recursive: true })).toSorted()
  for (const name of [
    ...['export.json', 'schema.json', 'SHA256SUMS', 'tables/devices.jsonl', 'log/checkpoint'],
    ...['tuf/1.root.json', 'tuf/timestamp.json', 'registry/acme/oci-layout'],
    ...['registry/acme/index.json', 'registry/contents.jsonl'],
  ]) {
    assert.ok(names.includes(name), name)
  }
  assert.ok(names.some((name) => /^tuf\/targets\/acme\/stable\/[0-9a-f]{64}\.1\.0\.0$/.test(name)))

  const schema = parseAnyJsonText(await readFile(file('moved', 'schema.json'), 'utf8')) as {
    tables: Record<string, { columns: Record<string, object>; order: string[] }>
  }
  assert.deepEqual(schema.tables['tokens']!.order, ['id'])
  assert.deepEqual(schema.tables['tokens']!.columns['secret_sha256'], {
    type: 'bytea',
    holds: 'hash of a secret, or its salt',
  })

  assert.deepEqual(await searchFolder(search, file('moved')), [])
  assert.deepEqual(await searchFolder(searchFor({ word: 'PRIVATE KEY-----' }), file('moved')), [])
  assert.deepEqual(search(ended.out + ended.err), [])
  assert.equal(
    said(await run('export', file('moved'), '--data-dir', server.dataDir)),
    `3 seaworthy: ${file('moved')} is not empty: name a folder that does not exist; what an export that broke off has left can be removed (folder_not_empty)`,
  )
  assert.match(
    said(await run('export', file('none'), '--data-dir', file('nowhere'))),
    /^1 seaworthy: there is no server in /,
  )
})

test('O4 attack: an export that was cut or changed is refused by name, before anything is made', async () => {
  const { sha256, copy } = await copyExport()
  const spoil = async (change: (folder: string) => Promise<void>, ...args: string[]) => {
    const folder = await copy()
    await change(folder)
    const ended = await run('import', folder, '--data-dir', file('second'), ...args)
    return said(ended).replaceAll(folder, 'DIR')
  }
  assert.match(
    await spoil((folder) => rm(join(folder, 'export.json'))),
    /^3 .*DIR\/export\.json is missing: the export broke off.*\(export_incomplete\)$/,
  )
  assert.match(
    await spoil((folder) => appendFile(join(folder, 'tables/people.jsonl'), '{}\n')),
    /^3 .*tables\/people\.jsonl is not as it was when the export was made \(export_changed\)$/,
  )
  assert.match(
    await spoil((folder) => rm(join(folder, 'tables/people.jsonl'))),
    /^3 .*where tables\/people\.jsonl was .* \(export_changed\)$/,
  )
  assert.match(
    await spoil((folder) => rm(join(folder, 'tuf/timestamp.json'))),
    /^3 .*tuf\/timestamp\.json is missing \(export_incomplete\)$/,
  )
  assert.match(
    await spoil((folder) => writeFile(join(folder, 'tables/zzz.jsonl'), '')),
    /^3 .*tables\/zzz\.jsonl.*\(export_changed\)$/,
  )
  assert.match(
    await spoil((folder) => appendFile(join(folder, 'SHA256SUMS'), 'x')),
    /^3 .*SHA256SUMS is not the list that export\.json names \(export_changed\)$/,
  )
  // Whoever changes the sums, too, is found out by the digest that was noted apart.
  assert.match(
    await spoil((folder) => appendFile(join(folder, 'export.json'), ' '), ...['--sha256', sha256]),
    /^3 .*export\.json has the SHA-256 [0-9a-f]{64}, not the one expected \(export_changed\)$/,
  )
  assert.match(
    await spoil(async () => undefined),
    /^3 .*there is no master key at .*\(master_key_missing\)$/,
  )
  await assert.rejects(readdir(file('second')), { code: 'ENOENT' })
  assert.match(
    said(await run('import', file('moved'), '--data-dir', server.dataDir)),
    /^1 .*a server is running on .*: stop it/,
  )
})

/** The last migration of the schema to which a test takes an export back. */
const olderSchema = '0050-devices-found.sql'

test('O4 an export of an older schema is imported, and the schema brought up to date', async () => {
  const { copy } = await copyExport()
  const folder = await copy()
  const path = (name: string) => join(folder, name)
  const manifest = JSON.parse(await readFile(path('export.json'), 'utf8')) as {
    migrations: { name: string }[]
    tables: Record<string, number>
    counters: Record<string, number>
    sums: { sha256: string; files: number; bytes: number }
  }
  const known = manifest.migrations.findIndex(({ name }) => name === olderSchema) + 1
  const later = manifest.migrations.splice(known)
  assert.ok(known > 0 && later.length > 0)
  const isGone = new Set<string>()
  for (const { name } of later) {
    const url = new URL(`../db/migrations/${name}`, import.meta.url)
    for (const [, table] of (await readFile(url, 'utf8')).matchAll(/^create table (\w+)/gm)) {
      isGone.add(table!)
    }
  }
  const keep = <T>(record: Record<string, T>) =>
    Object.fromEntries(Object.entries(record).filter(([key]) => !isGone.has(key.split('.')[0]!)))
  manifest.tables = keep(manifest.tables)
  manifest.counters = keep(manifest.counters)
  const sums = (await readFile(path('SHA256SUMS'), 'utf8')).split('\n').filter((line) => {
    const table = /^[0-9a-f]{64} {2}tables\/(\w+)\.jsonl$/.exec(line)?.[1]
    return table === undefined || !isGone.has(table)
  })
  for (const table of isGone) await rm(path(`tables/${table}.jsonl`), { force: true })
  const list = sums.join('\n')
  await writeFile(path('SHA256SUMS'), list)
  manifest.sums.files = sums.length - 1
  manifest.sums.sha256 = hexEncode(nodeSha256(Buffer.from(list)))
  await writeFile(path('export.json'), JSON.stringify(manifest))

  await mkdir(file('older'))
  await copyFile(join(server.dataDir, 'master.key'), file('older', 'master.key'))
  const imported = await run('import', folder, '--data-dir', file('older'))
  assert.equal(imported.exitCode, 0, imported.err)
  const exported = await run('export', file('older-again'), '--data-dir', file('older'))
  assert.equal(exported.exitCode, 0, exported.err)
  for (const table of ['devices', 'people', 'tokens', 'provisioning_keys']) {
    const rows = await readFile(file('older-again', 'tables', `${table}.jsonl`), 'utf8')
    assert.equal(rows, await readFile(path(`tables/${table}.jsonl`), 'utf8'), table)
  }
})

/** The export of the running server, and copies of it that a test may spoil. */
async function copyExport() {
  const hash = Buffer.from(nodeSha256(await readFile(file('moved', 'export.json'))))
  return {
    sha256: hash.toString('hex'),
    copy: async () => {
      const folder = await mkdtemp(file('spoilt-'))
      await cp(file('moved'), folder, { recursive: true })
      return folder
    },
  }
}

test('O4 a server that moved house gives the same answers, devices and people go on, and its log is one', async () => {
  await waitUntil('what devices run is counted', async () => {
    const { untold, pending } = await client.api.call(listExposures, {})
    return untold.some(({ count }) => count === 4) && pending.componentsCount === 0
  })
  const before = await walk()
  const refused = Object.values(before).filter((answer) =>
    Object.hasOwn(answer as object, 'refused'),
  )
  // The server has no name beyond localhost, for which it would ask a certificate authority.
  const unnamed = { refused: 'server_name_needed' }
  // Whoever asks is not read in to the case, which does not exist for them, nor its advisory.
  const unread = { refused: 'case_not_found' }
  const expected = [unnamed, unread, unread, { refused: 'advisory_not_found' }]
  assert.deepEqual(refused, expected, 'every other question is about something that exists')
  const head = await readHead()
  await server.stop()
  const exported = await run('export', file('house'), '--data-dir', server.dataDir)
  assert.equal(exported.exitCode, 0, exported.err)
  const sha256 = /SHA-256 of the export: ([0-9a-f]{64})/.exec(exported.out)![1]!

  const second = file('second')
  await mkdir(second)
  const args = ['import', file('house'), '--data-dir', second, '--sha256', sha256]
  await writeFile(join(second, 'master.key'), `${'0'.repeat(64)}\n`)
  assert.match(said(await run(...args)), /^3 seaworthy: the secret .* cannot be opened/)
  // What was refused left nothing behind, and the right key is taken.
  await copyFile(join(server.dataDir, 'master.key'), join(second, 'master.key'))
  const imported = await run(...args)
  assert.equal(imported.exitCode, 0, imported.err)
  assert.match(
    said(await run(...args)),
    /^3 .*the database has rows already .*\(server_not_empty\)$/,
  )

  // An export of the new server has the same rows, to the byte, and one entry more of each step.
  const again = await run('export', file('again'), '--data-dir', second)
  assert.equal(again.exitCode, 0, again.err)
  for (const name of await readdir(file('house', 'tables'))) {
    const rows = await readFile(file('house', 'tables', name), 'utf8')
    const copied = await readFile(file('again', 'tables', name), 'utf8')
    if (name !== 'audit_entries.jsonl') assert.equal(copied, rows, name)
    else
      assert.ok(
        copied.startsWith(rows) && copied.split('\n').length === rows.split('\n').length + 2,
      )
  }

  const { adminToken } = server
  const port = Number(new URL(server.url).port)
  client.close()
  server = { ...(await startTestServer({ dataDir: second, port, args: options })), adminToken }
  client = createTestClient(server)
  const { cookies, authenticator } = browser
  browser = createTestBrowser(server, client, { authenticator })
  for (const [name, value] of cookies) browser.cookies.set(name, value)
  assert.deepEqual(await walk(), before)
  await report(client, device, { sequence: 2 }, true)
  const assertion = await makeAssertion(device.signer, device.id, server.url)
  assert.ok(await client.api.call(createDeviceToken, { body: { assertion } }))
  await browser.signIn()

  const actions = await readActions()
  assert.equal(actions.at(actions.indexOf('server.import') - 1), 'server.export')
  let current = await readHead()
  await waitUntil('what came before and after the move is in one log', async () => {
    current = await readHead()
    return current.size >= actions.length
  })
  assert.ok(current.size > head.size)
  const verdict = await verifyLog({
    ...{ remembered: head, current, sha256: nodeSha256 },
    fetch: async (path) => {
      const { status, bytes } = await client.send('GET', `/log/${path}`, { token: adminToken })
      return status === 200 ? bytes : undefined
    },
  })
  assert.equal(verdict.kind, 'extended')
})
