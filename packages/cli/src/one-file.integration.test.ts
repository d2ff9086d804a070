import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { BuiltCli } from '../build/main.ts'
import { buildCli } from '../build/main.ts'
import { startServer } from './testing/server.ts'

const folder = mkdtempSync(join(tmpdir(), 'seaworthy-one-file-'))
after(() => rmSync(folder, { recursive: true }))
/** A machine with the file and nothing else. */
const machine = join(folder, 'machine')
let built: BuiltCli
before(async () => {
  built = await buildCli(join(folder, 'built'))
  mkdirSync(machine)
  renameSync(built.file, join(machine, 'seaworthy.mjs'))
})

function run(...args: string[]) {
  return spawnSync(
    process.execPath,
    ['seaworthy.mjs', '--config-dir', 'config', '--yes', ...args],
    {
      ...{ cwd: machine, encoding: 'utf8', input: '' },
      env: { HOME: machine, PATH: '/usr/bin:/bin', SEAWORTHY_PASSPHRASE: 'of one file' },
    },
  )
}

function ok(...args: string[]): string {
  const { status, stdout, stderr } = run(...args)
  assert.equal(status, 0, `${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

test('T5 the command line as one file pairs, proposes, signs without a server, publishes and exports', async (t) => {
  const { url, pin, token } = await startServer(t)
  ok('login', url, '--pin', pin, '--token', token)
  ok('key', 'create', 'one.key')
  const signed = ['--sign-with', 'one.key']
  ok('trust', 'init', '--root-key', 'one.key', '--threshold', '1')
  ok('product', 'create', 'gate', '--kind', 'bundle', ...signed)
  const proposed = ok(
    'channel',
    'create',
    'gate',
    'stable',
    '--key',
    'one.key.pub',
    '--threshold',
    '1',
  )
  const [proposal] = /proposal_[0-9a-z]{26}/.exec(proposed)!
  ok('proposal', 'export', proposal, '-o', 'stable.json')
  const [root] = /sha256:[0-9a-f]{64}/.exec(ok('trust', 'status'))!
  const offline = ['--config-dir', 'elsewhere', '--root', root, '--key', 'one.key']
  ok('proposal', 'sign', 'stable.json', ...offline)
  ok('proposal', 'import', 'stable.json.signatures')
  mkdirSync(join(machine, 'app'))
  writeFileSync(join(machine, 'app', 'page'), 'high tide')
  const from = ['--platform', 'linux/amd64', '--from', 'app', '--no-start']
  ok('release', 'create', 'gate', '1.0.0', ...from)
  ok('publish', 'gate', '1.0.0', '--channel', 'stable', ...signed)
  ok('release', 'export', 'gate', '1.0.0', '-o', 'gate-1.0.0')
  const commands = readFileSync(new URL('verify-export.sh', import.meta.url), 'utf8')
  assert.ok(readFileSync(join(machine, 'gate-1.0.0/VERIFY.md'), 'utf8').includes(commands.trim()))
})

test('T5 the one file is the same whoever builds it where, and names no folder of theirs', async () => {
  const content = readFileSync(join(machine, 'seaworthy.mjs'), 'utf8')
  const again = await buildCli(join(folder, 'built/once/more'))
  assert.deepEqual([again.sha256, again.bytes], [built.sha256, Buffer.byteLength(content)])
  assert.ok(!content.includes(new URL('../../..', import.meta.url).pathname))
})

test('T5 the one file says in one sentence what it lacks: a newer Node, and the server', () => {
  for (const command of [['up'], ['demo'], ['export', 'x'], ['import', 'x']]) {
    const { status, stdout, stderr } = run(...command)
    assert.deepEqual([status, stdout], [1, ''], command.join(' '))
    assert.match(stderr, /^seaworthy: \w+: the server is not installed beside .*\nRun .*\n$/)
  }
  const pretended = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '24.9.0' } })`
  const preload = `data:text/javascript,${encodeURIComponent(pretended)}`
  const file = join(machine, 'seaworthy.mjs')
  const old = spawnSync(process.execPath, ['--import', preload, file], { encoding: 'utf8' })
  assert.equal(old.status, 2)
  assert.match(old.stderr, /^seaworthy: needs Node 26 or newer, and this is Node 24\.9\.0 at .*\n$/)
})
