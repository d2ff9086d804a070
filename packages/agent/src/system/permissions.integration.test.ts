/** The rights of each process, tried from inside with the very flags it is started with (RFD 10). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { makeTestFolder } from '../testing/test-agent.ts'
import { fetcherCommand, installerCommand, probeCommand } from './commands.ts'

const folder = makeTestFolder()
after(() => folder.remove())
const [trust, fetchFolder, runDir] = ['trust', 'fetch', 'run'].map(
  (name) => `${folder.path}/${name}`,
) as [string, string, string]
for (const path of [trust, fetchFolder, runDir]) mkdirSync(path)
chmodSync(trust, 0o700)
writeFileSync(`${trust}/device.key`, 'secret', { mode: 0o600 })

const attempts = `
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import dgram from 'node:dgram'
import dns from 'node:dns'
import { Worker } from 'node:worker_threads'
const seen = {}
const attempt = (name, action) => { try { action(); seen[name] = 'allowed' } catch (error) { seen[name] = error.code } }
const wait = (name, start) => new Promise((done) => {
  const end = (value) => { seen[name] = value; done() }
  try { start((error) => end(error ? error.code : 'allowed')) } catch (error) { end(error.code) }
})
attempt('readKey', () => readFileSync(process.env.TRUST + '/device.key'))
attempt('writeTrust', () => writeFileSync(process.env.TRUST + '/tuf.a', 'forged'))
attempt('writeFetch', () => writeFileSync(process.env.FETCH + '/' + process.pid, 'x'))
attempt('readPasswd', () => readFileSync('/etc/passwd'))
attempt('worker', () => new Worker('', { eval: true }).terminate())
attempt('child', () => { const { error } = spawnSync('/bin/true'); if (error) throw error })
await wait('udp', (done) => { const s = dgram.createSocket('udp4'); s.on('error', done); s.bind(0, () => { s.close(); done() }) })
await wait('dns', (done) => dns.lookup('localhost', done))
await wait('listen', (done) => { process.once('uncaughtException', done); const s = net.createServer(); s.on('error', done); s.listen(0, '127.0.0.1', () => { s.close(); done() }) })
await wait('connect', (done) => { const s = net.connect(Number(process.env.PORT), '127.0.0.1'); s.on('error', (e) => done(e.code === 'ECONNREFUSED' ? undefined : e)); s.on('connect', () => { s.destroy(); done() }) })
await wait('unixSocket', (done) => { const s = net.connect('/nowhere'); s.on('error', (e) => done(e.code === 'ENOENT' ? undefined : e)) })
if (process.env.CHILD) {
  const run = (args) => spawnSync(process.execPath, [...args, '-e', "require('net').connect(9,'127.0.0.1').on('error', (e) => process.exit(e.code === 'ERR_ACCESS_DENIED' ? 7 : 0))"], { env: {} })
  seen.childNode = run([]).status
}
console.log(JSON.stringify(seen))
process.exit(0)
`
const script = `${fetchFolder}/attempts.mjs`
writeFileSync(script, attempts)

/** Runs the attempts in place of the agent's own code. */
function tryWith(
  command: string[],
  role: string,
  account?: { uid: number; gid: number },
  extra = {},
): Record<string, unknown> {
  const flags = command.slice(1, command.indexOf(role) - 1)
  const result = spawnSync(process.execPath, [...flags, script], {
    env: { TRUST: trust, FETCH: fetchFolder, PORT: '9', ...extra },
    encoding: 'utf8',
    ...account,
  })
  assert.equal(result.status, 0, result.stderr)
  return JSON.parse(result.stdout) as Record<string, unknown>
}

const denied = 'ERR_ACCESS_DENIED'

test('V5 the installer cannot open a socket of any kind, and neither can a Node process it starts', () => {
  const seen = tryWith(
    installerCommand({ configPath: '/x', stateDir: undefined }),
    'installer',
    undefined,
    { CHILD: '1' },
  )
  for (const name of ['connect', 'listen', 'udp', 'dns', 'unixSocket', 'worker'])
    assert.equal(seen[name], denied, name)
  assert.equal(seen['child'], 'allowed')
  assert.equal(seen['childNode'], 7)
})

test('V3 the fetcher reaches the network and its own folder, and nothing else', () => {
  const seen = tryWith(fetcherCommand(fetchFolder, runDir), 'fetcher')
  for (const name of ['connect', 'listen', 'writeFetch']) assert.equal(seen[name], 'allowed', name)
  for (const name of ['readKey', 'writeTrust', 'readPasswd', 'child', 'worker'])
    assert.equal(seen[name], denied, name)
})

test('V3 the probe reaches the network and no file', () => {
  const seen = tryWith(probeCommand(), 'probe')
  assert.equal(seen['connect'], 'allowed')
  for (const name of ['readKey', 'writeTrust', 'writeFetch', 'child'])
    assert.equal(seen[name], denied, name)
})

test(
  'V3 under another account the kernel alone keeps the fetcher from the trust state',
  { skip: process.getuid?.() === 0 ? false : 'needs root' },
  () => {
    chmodSync(fetchFolder, 0o777)
    const nobody = { uid: 65_534, gid: 65_534 }
    const result = spawnSync(process.execPath, [script], {
      env: { TRUST: trust, FETCH: fetchFolder, PORT: '9' },
      encoding: 'utf8',
      ...nobody,
    })
    const seen = JSON.parse(result.stdout) as Record<string, unknown>
    assert.deepEqual(
      [seen['readKey'], seen['writeTrust'], seen['writeFetch']],
      ['EACCES', 'EACCES', 'allowed'],
    )
  },
)
