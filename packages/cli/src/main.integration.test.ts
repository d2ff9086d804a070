import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { defaultKeyFileCost } from '@seaworthy/trust/keys'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

const launcher = fileURLToPath(new URL('../bin/seaworthy', import.meta.url))

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-main-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

function run(args: readonly string[], environment: Record<string, string> = {}) {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  const env = { PATH, NODE_COMPILE_CACHE, HOME: '/nonexistent', ...environment }
  return spawnSync(launcher, args, { encoding: 'utf8', env, timeout: 120_000, input: '' })
}

test('the launcher passes arguments, output and exit codes through', () => {
  const version = run(['--version'])
  assert.deepEqual([version.status, version.stdout, version.stderr], [0, '0.1.0\n', ''])
  assert.equal(run(['nonsense']).status, 2)
  assert.equal(run(['device', 'list']).status, 2)
  assert.equal(run(['key', 'show', '/nonexistent/key']).status, 5)
})

test('a pipe that ends early is no error', (t) => {
  if (skipWithout(t, 'bash')) return
  const shell = spawnSync(
    'bash',
    ['-c', `set -o pipefail; "$0" completion bash | head -n 1`, launcher],
    { encoding: 'utf8' },
  )
  assert.equal(shell.status, 0, shell.stderr)
  assert.match(shell.stdout, /^# bash completion/)
})

test('an interrupted command stops its requests and ends', async (t) => {
  // A server that takes connections and never answers.
  const sockets = new Set<{ destroy(): void }>()
  const silent = createServer((socket) => sockets.add(socket))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const child = spawn(
    launcher,
    [
      'login',
      url,
      '--pin',
      `sha256:${'A'.repeat(43)}`,
      '--token',
      'sw_x_y',
      '--config-dir',
      await makeFolder(t),
    ],
    { stdio: 'ignore' },
  )
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  await new Promise<void>((resolve) => silent.once('connection', () => resolve()))
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  const exitCode = await ended
  clearTimeout(timer)
  // A slow machine may take longer than the time for cleaning up: then the signal ends it.
  assert.ok(exitCode === null || exitCode === 1 || exitCode === 6, `exit code ${exitCode}`)
  assert.notEqual(child.signalCode, 'SIGKILL')
})

test('fault: Ctrl-C while a release is packed is said, and leaves nothing in the folder for temporary files', async (t) => {
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  const key = ann.file('key')
  await ann.ok('key', 'create', key)
  await ann.ok('trust', 'init', '--root-key', key, '--threshold', '1')
  await ann.ok('product', 'create', 'web', '--kind', 'bundle', '--sign-with', key)
  const temporary = ann.file('temporary')
  for (const folder of [temporary, ann.file('source')]) await mkdir(folder)
  // It takes seconds to read, and no room.
  await writeFile(join(ann.file('source'), 'blanks'), '')
  await truncate(join(ann.file('source'), 'blanks'), 4 * 1024 ** 3)
  const from = ['--platform', 'linux/amd64', '--from', ann.file('source'), '--no-start']
  const child = spawn(
    launcher,
    ['--config-dir', ann.file('config'), 'release', 'create', 'web', '1.0', ...from],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TMPDIR: temporary } },
  )
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part))
  const ended = once(child, 'close')
  const listFiles = async () => {
    const entries = await readdir(temporary, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
  }
  await waitUntil(
    async () => `the release is packed: ${said}`,
    async () => (await listFiles()).length > 0 || child.exitCode !== null,
  )
  child.kill('SIGINT')
  assert.deepEqual(await ended, [1, null], said)
  assert.match(said, /seaworthy: release create: interrupted\n$/)
  assert.deepEqual(await listFiles(), [])
})

test('V8 fault: a signal ends a command that waits for a pipe that nobody writes', async (t) => {
  const pipe = join(await makeFolder(t), 'key')
  execFileSync('mkfifo', [pipe])
  const child = spawn(launcher, ['key', 'show', pipe], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part))
  const ended = once(child, 'close')
  t.after(() => child.kill('SIGKILL'))
  // Whoever opens a pipe to write without waiting is refused until it is open for reading.
  await waitUntil('the command reads the pipe', async () => {
    try {
      const writing = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
      t.after(() => closeSync(writing))
      return true
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENXIO') return false
      throw error
    }
  })
  child.kill('SIGTERM')
  await ended
  assert.equal(child.signalCode ?? child.exitCode, 'SIGTERM', said)
})

test('O1 whoever stops npx stops the server and its PostgreSQL', async (t) => {
  if (skipWithout(t, 'npx')) return
  const folder = await makeFolder(t)
  // The database may run under an account of its own, which has to reach its folder.
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await symlink(launcher, join(folder, 'node_modules/.bin/seaworthy'))
  const data = join(folder, 'data')
  const pidFile = join(data, 'postgresql/data/postmaster.pid')
  const up = ['seaworthy', 'up', '--data-dir', data, '--listen', `127.0.0.1:${await claimPort()}`]
  const npx = spawn('npx', up, { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => {
    // This ends what was left running, if anything.
    if (existsSync(pidFile)) process.kill(-npx.pid!, 'SIGTERM')
  })
  let out = ''
  for (const stream of [npx.stdout, npx.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (out += text))
  await waitUntil(
    async () => `a login line\n${out}`,
    () => /seaworthy login /.test(out),
  )
  npx.kill('SIGTERM')
  await waitUntil('PostgreSQL has ended', () => !existsSync(pidFile))
  await waitUntil('everything has let go of the output', () => npx.stdout.readableEnded)
})

/**
 * Runs a command at a pseudo terminal, as a person would: `typed` is typed once `question` is seen.
 */
async function runAtTerminal(
  t: TestContext,
  args: readonly string[],
  question: string,
  typed: string,
): Promise<string | undefined> {
  if (skipWithout(t, 'script')) return undefined
  const command = [launcher, ...args].map((part) => `'${part}'`).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'])
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (!shown.includes(question) && (shown + chunk).includes(question)) child.stdin.write(typed)
    shown += chunk
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  assert.equal(status, 0, shown)
  return shown
}

test('a passphrase typed at a terminal is not shown, and opens the key it was typed for', async (t) => {
  const folder = await makeFolder(t)
  const key = join(folder, 'key')
  const typed = 'correct horsX\u007fe\ncorrect horse\n'
  const shown = await runAtTerminal(t, ['key', 'create', key], 'New passphrase', typed)
  if (shown === undefined) return
  assert.match(shown, /New passphrase for .*key: /)
  assert.doesNotMatch(shown, /correct|hors/)
  assert.equal((await stat(key)).mode & 0o777, 0o600)
  assert.doesNotMatch(await readFile(key, 'utf8'), /PRIVATE|correct/)
})

test('T4 the program makes key files at the full cost, which tests alone do not pay', async (t) => {
  const key = join(await makeFolder(t), 'key')
  const { status, stderr } = run(['key', 'create', key], { SEAWORTHY_PASSPHRASE: 'correct horse' })
  assert.equal(status, 0, stderr)
  const { kdf } = JSON.parse(await readFile(key, 'utf8')) as { kdf: Record<string, unknown> }
  const { memoryKiB, passes, parallelism } = kdf
  assert.deepEqual({ memoryKiB, passes, parallelism }, defaultKeyFileCost)
})

test('without a terminal nothing is asked: passphrases and confirmations are refused clearly', async (t) => {
  const folder = await makeFolder(t)
  const nobody = run(['key', 'create', join(folder, 'key')])
  assert.equal(nobody.status, 2)
  assert.match(nobody.stderr, /nobody is there to type the passphrase.*\nUse --passphrase-file/)
  const short = run(['key', 'create', join(folder, 'key')], { SEAWORTHY_PASSPHRASE: 'short' })
  assert.equal(short.status, 3)
  const token = run(['login', 'https://127.0.0.1:1'])
  assert.equal(token.status, 2)
  const revoke = run(['session', 'revoke', 'session_x', '--config-dir', folder])
  assert.equal(revoke.status, 2)
  assert.match(revoke.stderr, /Nobody is there to say yes\.\nLook at what would be done/)
})

test('keys: what cannot be a key, a wrong passphrase and a PKCS#11 token are told apart', async (t) => {
  const user = await createCliUser(t, 'keys')
  await user.ok('key', 'create', user.file('key'))
  assert.match(await user.fails(3, 'key', 'create', user.file('key')), /exists already/)
  assert.match(
    await user.fails(1, 'key', 'create', user.file('hsm'), '--pkcs11', 'pkcs11:token=x'),
    /PKCS#11/,
  )
  assert.match(await user.fails(1, 'key', 'show', 'pkcs11:token=x'), /PKCS#11/)
  const text = await readFile(user.file('key'), 'utf8')
  await writeFile(user.file('damaged'), text.replace(/"ciphertext": "../, '"ciphertext": "AA'))
  assert.match(await user.fails(3, 'key', 'show', user.file('damaged')), /\(key_file_damaged\)/)
  await writeFile(user.file('other'), 'not a key')
  assert.match(
    await user.fails(3, 'key', 'show', user.file('other')),
    /other: .*\(key_file_malformed\)/,
  )
})
