/** Debian's PostgreSQL, as a system that is not ours: with passwords, over TCP. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { hexEncode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { claimPort } from '@seaworthy/std/testing/ports'
import { findProgram } from '@seaworthy/std/testing/programs'
import { systemSleep } from '@seaworthy/std/time'
import { findAccount } from '../postgres/index.ts'

export interface TargetPostgres {
  /** The account in it may make others. */
  readonly url: string
  /** Runs SQL by that account, or by the one of another URL; throws what `psql` says. */
  ask(sql: string, url?: string): string
  /** A session by the URL, which resolves when it has ended. */
  stay(url: string): Promise<void>
  stop(): Promise<void>
}

export async function startTargetPostgres(): Promise<TargetPostgres> {
  const programs = dirname(findProgram('postgres 15')!)
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-target-'))
  await chmod(root, 0o755)
  const dataDir = join(root, 'data')
  await mkdir(dataDir, { mode: 0o700 })
  const password = hexEncode(systemRandom.bytes(12))
  const passwordFile = join(root, 'password')
  await writeFile(passwordFile, password)
  const account = process.getuid?.() === 0 ? await findAccount() : null
  if (account !== null) {
    for (const path of [dataDir, passwordFile]) await chown(path, account.uid, account.gid)
  }
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...account }
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', dataDir, '-U', 'sea', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8'],
    { ...options, encoding: 'utf8' },
  )
  assert.equal(made.status, 0, made.stderr)
  const port = await claimPort()
  const settings = {
    ...{ listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: '' },
    log_statement: 'all',
  }
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', dataDir, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    { ...options, stdio: 'ignore' },
  )
  const url = `postgres://sea:${password}@127.0.0.1:${port}/postgres`
  const ask = (sql: string, by = url) => {
    const { status, stdout, stderr } = spawnSync(
      join(programs, 'psql'),
      ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '-c', sql, by],
      { env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' },
    )
    if (status !== 0) throw new Error(stderr)
    return stdout.trim()
  }
  for (let waitedMs = 0; ; waitedMs += 100) {
    try {
      ask('select 1')
      break
    } catch (cause) {
      if (waitedMs > 120_000 || child.exitCode !== null) throw cause
      await systemSleep(100)
    }
  }
  return {
    url,
    ask,
    async stay(of) {
      const args = ['--no-psqlrc', '-c', 'select pg_sleep(600)', of]
      await once(spawn(join(programs, 'psql'), args, { stdio: 'ignore', env: {} }), 'exit')
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      await ended
      await rm(root, { recursive: true, force: true })
    },
  }
}
