/** A server that cannot start says why at once, in one sentence, and leaves nothing behind. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkDatabaseOwner, openDataDir, StartError } from './start-checks.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
let root: string
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'seaworthy-start-'))
})
after(() => rm(root, { recursive: true }))

/** Runs a server that should end by itself; one that does not is killed, and has no exit code. */
function start(...options: string[]) {
  const command = [main, '--workers', '1', ...options]
  const settings = { encoding: 'utf8', timeout: 120_000, killSignal: 'SIGKILL' } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, command, settings)
  return { status, stdout, stderr }
}

test('a port in use is said before a database and keys are made, in one sentence', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  const dataDir = join(root, 'port-in-use')
  assert.deepEqual(start('--data-dir', dataDir, '--listen', `127.0.0.1:${port}`), {
    status: 1,
    stdout: `Seaworthy 0.1.0 starts on ${dataDir}\n`,
    stderr: `seaworthy: the server did not start: cannot listen on 127.0.0.1:${port}: another program listens there (EADDRINUSE); stop it, or choose another address or port with --listen\n`,
  })
  assert.ok(!existsSync(dataDir), 'nothing was made')
  const plain = ['--listen', '127.0.0.1:0', '--http-listen', `127.0.0.1:${port}`]
  assert.match(start('--data-dir', dataDir, ...plain).stderr, /port with --http-listen\n$/)
  assert.ok(!existsSync(dataDir))
  const elsewhere = start('--data-dir', dataDir, '--listen', '192.0.2.1:8443')
  assert.match(
    elsewhere.stderr,
    /cannot listen on 192\.0\.2\.1:8443: this machine has no such address/,
  )
  assert.ok(!existsSync(dataDir))
})

test('a data folder that cannot be made or used ends the start at once, with the cause', async () => {
  const file = join(root, 'file')
  await writeFile(file, '')
  for (const [option, folder, why] of [
    ['--data-dir', '/proc/foo', 'no such file or folder (ENOENT)'],
    ['--data-dir', file, 'it is a file, not a folder (EEXIST)'],
    ['--data-dir', join(file, 'below'), 'is not a folder (ENOTDIR)'],
    ['--blobs', '/proc/foo', 'no such file or folder (ENOENT)'],
  ] as const) {
    const dataDir = option === '--data-dir' ? [] : ['--data-dir', join(root, 'data')]
    const { status, stderr } = start(option, folder, ...dataDir, '--listen', '127.0.0.1:0')
    assert.equal(status, 1, stderr)
    assert.equal(
      stderr,
      `seaworthy: the server did not start: ${option} ${folder} cannot be used: ${why}; choose another folder\n`,
    )
  }
  assert.deepEqual(await readdir(join(root, 'data')), [], 'no database, no keys')
})

test('`--print-config` checks the settings of a file, says where each comes from, and makes nothing', async () => {
  const file = join(root, 'server.json')
  const dataDir = join(root, 'never-made')
  await writeFile(file, JSON.stringify({ 'data-dir': dataDir, 'log-level': 'warn' }))
  const printed = start('--config', file, '--print-config')
  assert.deepEqual([printed.status, printed.stderr], [0, ''])
  const rows = printed.stdout.split('\n').map((line) => line.split(/ {2,}/))
  const rowOf = (name: string) => rows.find(([first]) => first === name)?.slice(1)
  assert.deepEqual(rowOf('data-dir'), [dataDir, file])
  assert.deepEqual(rowOf('workers'), ['1', '--workers'])
  const told = JSON.parse(start('--config', file, '--print-config', '--json').stdout) as {
    name: string
  }[]
  assert.deepEqual(
    told.find(({ name }) => name === 'log-level'),
    { name: 'log-level', value: 'warn', origin: file },
  )
  await writeFile(file, '{"log-level": "loud"}')
  const refused = start('--config', file, '--print-config')
  assert.deepEqual([refused.status, refused.stdout], [2, ''])
  assert.match(refused.stderr, /--log-level takes debug/)
  assert.ok(!existsSync(dataDir))
})

test('under `--json` each program of the host tells its failure as one line for scripts', () => {
  const run = (program: string, ...args: string[]) => {
    const settings = { encoding: 'utf8', timeout: 120_000, killSignal: 'SIGKILL' } as const
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], settings)
    return { status, told: JSON.parse(stderr.split('\n').at(-2)!) as Record<string, unknown> }
  }
  const transfers = fileURLToPath(new URL('transfers/main.ts', import.meta.url))
  const why = 'cannot be used: no such file or folder (ENOENT); choose another folder'
  const message = `the server did not start: --data-dir /proc/foo ${why}`
  const listen = ['--listen', '127.0.0.1:0']
  const up = ['--workers', '1', '--data-dir', '/proc/foo', ...listen, '--json']
  assert.deepEqual(run(main, ...up), {
    status: 1,
    told: { command: 'up', exitCode: 1, code: 'failed', message },
  })
  const usage = run(main, '--json', '--workers', 'many')
  assert.deepEqual([usage.status, usage.told['code']], [2, 'usage'])
  const nowhere = join(root, 'no-export')
  const imported = run(transfers, 'import', nowhere, '--data-dir', join(root, 'new'), '--json')
  assert.equal(imported.status, imported.told['exitCode'])
  assert.equal(imported.told['command'], 'import')
  assert.match(String(imported.told['message']), /no-export/)
  const exported = run(transfers, 'export', nowhere, '--data-dir', join(root, 'none'), '--json')
  assert.equal(exported.status, exported.told['exitCode'])
  assert.equal(exported.told['command'], 'export')
})

test("another account's data folder is named as that, and left as it is", async () => {
  const folder = join(root, 'foreign')
  await mkdir(join(folder, 'postgresql', 'data'), { recursive: true })
  await chmod(folder, 0o750)
  const { uid } = await stat(folder)
  await assert.rejects(openDataDir(folder, uid + 1), (error: unknown) => {
    assert.ok(error instanceof StartError)
    assert.match(error.message, new RegExp(`belongs to another account \\(uid ${uid}, this is uid`))
    return true
  })
  assert.equal((await stat(folder)).mode & 0o777, 0o750)
  await checkDatabaseOwner(folder, uid)
  await checkDatabaseOwner(join(root, 'none'), uid)
  await assert.rejects(checkDatabaseOwner(folder, uid + 1), /was made by another account \(uid/)
})
