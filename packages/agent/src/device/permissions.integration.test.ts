/**
 * The rights of each process, tried from inside with the very flags and the very account that it is
 * started with (RFD 10, RFD 18).
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { makeTestFolder } from '../testing/test-agent.ts'
import { chooseAccounts } from './accounts.ts'
import { fetcherCommand, installerCommand, probeCommand } from './process-rights.ts'

const isRoot = process.getuid?.() === 0
const skip = isRoot ? false : 'needs root'
const accounts = chooseAccounts(isRoot, {}, () => undefined)
const folder = makeTestFolder()
const [trust, fetchFolder, runDir] = ['trust', 'fetch', 'run'].map(
  (name) => `${folder.path}/${name}`,
) as [string, string, string]
for (const path of [trust, fetchFolder, runDir]) mkdirSync(path)
chmodSync(trust, 0o700)
writeFileSync(`${trust}/device.key`, 'secret', { mode: 0o600 })
if (accounts !== undefined) {
  for (const path of [fetchFolder, runDir]) {
    chownSync(path, accounts.fetcher.uid, accounts.fetcher.gid)
  }
}
const script = `${folder.path}/attempts.mjs`

/** A service of root's that listens in root's own folder, as the installer's neighbours do. */
const service = createServer()
before(async () => {
  await new Promise<void>((resolve) => service.listen(`${trust}/service.sock`, resolve))
})
after(() => {
  service.close()
  folder.remove()
})

/**
 * An attacker who has taken the process over: the process's own beginning, and then every attempt
 * that was ever found or feared.
 */
writeFileSync(
  script,
  `
import { builtinModules, createRequire } from 'node:module'
import * as fs from 'node:fs'
import net from 'node:net'
import dgram from 'node:dgram'
import dns from 'node:dns'
import v8 from 'node:v8'
import { giveUpRoot } from ${JSON.stringify(new URL('accounts.ts', import.meta.url).pathname)}
import { giveUpLastReports } from ${JSON.stringify(new URL('last-reports.ts', import.meta.url).pathname)}
giveUpLastReports()
if (process.env.ACCOUNT) giveUpRoot(process.env.ACCOUNT)
const only = process.env.ONLY?.split(',')
const require = createRequire(import.meta.url)
const { TRUST, FETCH } = process.env
const seen = { modules: builtinModules }
const tell = (error) => error?.code ?? error?.message ?? 'failed'
const attempt = (name, action) => { if (only?.includes(name) === false) return; try { action(); seen[name] = 'allowed' } catch (error) { seen[name] = tell(error) } }
const wait = (name, start) => new Promise((done) => {
  if (only?.includes(name) === false) return done()
  const end = (value) => { seen[name] = value; done() }
  try { start((error) => end(error ? tell(error) : 'allowed')) } catch (error) { end(tell(error)) }
})
// files
attempt('readKey', () => fs.readFileSync(TRUST + '/device.key'))
attempt('writeTrust', () => fs.writeFileSync(TRUST + '/tuf.a', 'forged'))
attempt('removeTrust', () => fs.rmSync(TRUST + '/device.key'))
attempt('moveTrust', () => fs.renameSync(TRUST, FETCH + '/trust'))
attempt('writeFetch', () => fs.writeFileSync(FETCH + '/' + process.pid, 'x'))
attempt('readPasswd', () => fs.readFileSync('/etc/passwd'))
attempt('environmentFile', () => process.loadEnvFile('/etc/passwd'))
attempt('procParent', () => fs.readFileSync('/proc/' + process.ppid + '/environ'))
attempt('procOwn', () => fs.readdirSync('/proc/self/fd'))
attempt('procMemory', () => fs.openSync('/proc/self/mem', 'r+'))
attempt('chdir', () => process.chdir('/'))
attempt('hardLink', () => fs.linkSync(TRUST + '/device.key', FETCH + '/link'))
attempt('symbolicLink', () => fs.symlinkSync(TRUST, FETCH + '/symlink'))
attempt('owner', () => fs.chownSync(FETCH, 0, 0))
attempt('setUidFile', () => fs.chmodSync(TRUST, 0o4777))
attempt('heapSnapshot', () => v8.writeHeapSnapshot(TRUST + '/heap'))
attempt('report', () => process.report.writeReport(TRUST + '/report.json'))
attempt('lastReport', () => { Object.assign(process.report, { directory: TRUST, filename: 'last.json', reportOnFatalError: true }) })
attempt('trace', () => require('node:trace_events').createTracing({ categories: ['v8'] }).enable())
// what opens files by itself
attempt('sqlite', () => { const { DatabaseSync } = require('node:sqlite'); new DatabaseSync(TRUST + '/evil.db').exec('create table t(x)') })
attempt('sqliteAttach', () => { const { DatabaseSync } = require('node:sqlite'); new DatabaseSync(':memory:').exec("attach '" + TRUST + "/evil.db' as evil; vacuum into '" + TRUST + "/copy.db'") })
attempt('webStorage', () => { if (globalThis.localStorage === undefined) throw new Error('absent'); globalThis.localStorage.setItem('a', 'b') })
// code that nothing holds
attempt('child', () => { const { error } = require('node:child_process').spawnSync('/bin/true'); if (error) throw error })
attempt('cluster', () => require('node:cluster').fork())
attempt('execve', () => process.execve('/bin/true', ['true'], {}))
attempt('worker', () => new (require('node:worker_threads').Worker)('', { eval: true }).terminate())
attempt('addon', () => process.dlopen({ exports: {} }, '/nowhere.node'))
attempt('foreignFunctions', () => require('node:ffi'))
attempt('wasi', () => new (require('node:wasi').WASI)({ version: 'preview1', preopens: { '/': '/' } }))
attempt('binding', () => process.binding('spawn_sync'))
attempt('virtualFiles', () => require('node:vfs'))
attempt('engine', () => require('node:crypto').setEngine('/nowhere.so'))
attempt('inspector', () => require('node:inspector').open(0, '127.0.0.1'))
attempt('inspectorSession', () => new (require('node:inspector').Session)().connect())
// other processes
attempt('signalParent', () => process.kill(process.ppid, 0))
attempt('stopParent', () => process.kill(process.ppid, 'SIGWINCH'))
attempt('debugParent', () => process._debugProcess(process.ppid))
attempt('regainRoot', () => process.setuid(0))
attempt('regainGroup', () => process.setgid(0))
attempt('joinGroups', () => process.setgroups([0]))
// the network
await wait('udp', (done) => { const s = dgram.createSocket('udp4'); s.on('error', done); s.bind(0, () => { s.close(); done() }) })
await wait('dns', (done) => dns.lookup('localhost', done))
await wait('listen', (done) => { process.once('uncaughtException', done); const s = net.createServer(); s.on('error', done); s.listen(0, '127.0.0.1', () => { s.close(); done() }) })
await wait('connect', (done) => { const s = net.connect(9, '127.0.0.1'); s.on('error', (e) => done(e.code === 'ECONNREFUSED' ? undefined : e)); s.on('connect', () => { s.destroy(); done() }) })
await wait('privateSocket', (done) => { const s = net.connect(TRUST + '/service.sock'); s.on('error', done); s.on('connect', () => { s.destroy(); done() }) })
await wait('trustSocket', (done) => { const s = net.createServer(); s.on('error', done); s.listen(TRUST + '/evil.sock', () => { s.close(); done() }) })
if (process.env.CHILD) {
  const { spawnSync } = require('node:child_process')
  const run = (args) => spawnSync(process.execPath, [...args, '-e', "require('net').connect(9,'127.0.0.1').on('error', (e) => process.exit(e.code === 'ERR_ACCESS_DENIED' ? 7 : 0))"], { env: {} })
  seen.childNode = run([]).status
}
console.log(JSON.stringify(seen))
process.exit(0)
`,
)

/**
 * Runs the attempts in place of the agent's own code, with all the flags of a command and the
 * account that it names.
 */
function tryWith(
  command: string[],
  role: string,
  environment: Record<string, string> = {},
): Record<string, unknown> {
  const at = command.indexOf(role)
  const account = command.indexOf('--account', at)
  const flags = [...command.slice(1, at - 1), `--allow-fs-read=${script}`]
  const result = spawnSync(process.execPath, [...flags, script], {
    env: {
      TRUST: trust,
      FETCH: fetchFolder,
      ...(account === -1 ? {} : { ACCOUNT: command[account + 1]! }),
      ...environment,
    },
    encoding: 'utf8',
  })
  assert.equal(result.status, 0, result.stderr)
  return JSON.parse(result.stdout) as Record<string, unknown>
}

const network = ['udp', 'dns', 'listen', 'connect']
/**
 * Attempts to open files or run code that the permission model does not see, unless they are turned
 * off or denied.
 */
const code = [
  ...['sqlite', 'sqliteAttach', 'webStorage', 'foreignFunctions', 'addon', 'wasi', 'engine'],
  ...['worker', 'virtualFiles', 'inspector', 'inspectorSession', 'binding'],
]
/** Attempts that the model holds back without any help of the kernel. */
const byTheModel = [
  ...code,
  ...['readKey', 'writeTrust', 'removeTrust', 'moveTrust', 'readPasswd', 'environmentFile'],
  ...['procParent', 'procOwn', 'procMemory', 'chdir', 'hardLink', 'symbolicLink'],
  ...['setUidFile', 'heapSnapshot', 'report', 'lastReport', 'trace', 'child', 'cluster', 'execve'],
]

/**
 * Allows only what is named: an escape that opens again, or one that is added to the list above,
 * fails here.
 */
function assertAllowed(seen: Record<string, unknown>, allowed: readonly string[]): void {
  const { modules: _modules, ...attempts } = seen
  const open = Object.keys(attempts).filter((name) => attempts[name] === 'allowed')
  assert.deepEqual(open.toSorted(), [...allowed].toSorted(), JSON.stringify(attempts))
}

test('V5 the installer cannot open a socket of any kind, and neither can a Node process it starts', () => {
  const command = installerCommand({ configPath: '/x', stateDir: undefined })
  const only = [...network, ...code, 'privateSocket', 'trustSocket', 'child']
  const seen = tryWith(command, 'installer', { CHILD: '1', ONLY: only.join() })
  for (const name of [...network, 'privateSocket', 'trustSocket'])
    assert.equal(seen[name], 'ERR_ACCESS_DENIED', name)
  const { childNode, ...attempts } = seen
  assertAllowed(attempts, ['child'])
  assert.equal(childNode, 7)
})

test('V3 the model alone keeps fetcher and probe from files, databases, links, memory and foreign code', () => {
  const only = [...byTheModel, 'writeFetch'].join()
  assertAllowed(
    tryWith(fetcherCommand(fetchFolder, runDir, undefined), 'fetcher', { ONLY: only }),
    ['writeFetch'],
  )
  assertAllowed(tryWith(probeCommand(undefined), 'probe', { ONLY: only }), [])
})

test(
  'V3 T7 a fetcher that is taken over finds no way out: files, databases, sockets, signals, links, processes',
  { skip },
  () => {
    const seen = tryWith(fetcherCommand(fetchFolder, runDir, accounts!.fetcher), 'fetcher')
    assertAllowed(seen, [...network, 'writeFetch'])
    const walked = Object.keys(seen)
    for (const name of byTheModel) assert.ok(walked.includes(name), `${name} was not tried`)
  },
)

test('V3 T7 a probe that is taken over finds no way out either, and no folder', { skip }, () => {
  assertAllowed(tryWith(probeCommand(accounts!.probe), 'probe'), network)
})

test('V3 T7 attack: flags of the engine, which write any file and open any memory, end a process that changes them', () => {
  const rights = fetcherCommand(fetchFolder, runDir, undefined)
  const flags = rights.slice(1, rights.indexOf('fetcher') - 1)
  for (const flag of [`--redirect-code-traces-to=${trust}/tuf.a`, '--allow-natives-syntax']) {
    const change = `require('node:v8').setFlagsFromString(${JSON.stringify(flag)}); console.log('changed')`
    const told = (given: readonly string[]) =>
      spawnSync(process.execPath, [...given, '-e', change], { encoding: 'utf8' }).stdout
    assert.equal(told(flags), '', flag)
    const without = flags.filter((one) => one !== '--freeze-flags-after-init')
    assert.equal(told(without), 'changed\n', 'without our flag they can be changed')
  }
})

test('V3 every module that this Node brings was looked at for ways out', () => {
  const seen = tryWith(fetcherCommand(fetchFolder, runDir, undefined), 'fetcher', { ONLY: 'none' })
  const known =
    `_http_agent _http_client _http_common _http_incoming _http_outgoing _http_server _tls_common _tls_wrap
    assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns
    dns/promises domain events fs fs/promises http http2 https inspector inspector/promises module net os path path/posix
    path/win32 perf_hooks process punycode querystring readline readline/promises repl stream stream/consumers
    stream/promises stream/web string_decoder sys timers timers/promises tls trace_events tty url util util/types v8 vm wasi
    worker_threads zlib _stream_duplex _stream_passthrough _stream_readable _stream_transform _stream_wrap _stream_writable
    node:sea node:test node:test/reporters`.split(/\s+/)
  assert.deepEqual(
    (seen['modules'] as string[]).filter((name) => !known.includes(name)),
    [],
  )
})

test(
  'V3 a process of the agent that is started as root without an account refuses to go on',
  { skip },
  () => {
    for (const [role, account] of [
      ['fetcher', []],
      ['fetcher', ['--account', '0:0']],
      ['probe', ['--account', '65521:0']],
    ] as const) {
      const main = new URL('../main.ts', import.meta.url).pathname
      const result = spawnSync(process.execPath, [main, role, ...account], { encoding: 'utf8' })
      assert.equal(result.status, 2)
      assert.equal(result.stderr, 'seaworthy-agent: this process does not run as root\n')
    }
  },
)
