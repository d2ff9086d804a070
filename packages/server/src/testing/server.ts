/**
 * A real server for tests: its own processes, its own PostgreSQL, its own folder, on a free port of
 * the loopback interface.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@seaworthy/std/log'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'
import { systemSleep } from '@seaworthy/std/time'
import type { Db } from '../db/connection.ts'
import { openDb } from '../db/connection.ts'
import { socketFileOf } from '../postgres/index.ts'
import { layDatabase } from './prepared-database.ts'

export interface TestServerOptions {
  readonly workers?: number
  /**
   * An existing data folder, which then stays. Without it a new one is made, which `stop` and
   * `kill` remove.
   */
  readonly dataDir?: string
  /**
   * The port to listen on. Without it the server gets one that stays reserved for it while it is
   * stopped.
   */
  readonly port?: number
  readonly args?: readonly string[]
  /**
   * Whether the server makes its database itself, instead of starting on a copy, and takes any free
   * port.
   */
  readonly isFirstStart?: boolean
  /** Variables beyond those of this process. */
  readonly env?: Readonly<Record<string, string>>
}

export interface TestServer {
  readonly url: string
  readonly pin: string
  /** Empty when somebody has signed in before. */
  readonly adminToken: string
  /** The link to become the first owner; empty when there is an owner. */
  readonly ownerLink: string
  readonly dataDir: string
  /** Process id of the primary process. */
  readonly pid: number
  /**
   * Stops gracefully; the folder is removed unless it was given. Rejects when the exit code is not
   * 0.
   */
  stop(): Promise<void>
  /** Does `kill -9` to the primary process; the folder stays. */
  kill(): Promise<void>
  workerPids(): Promise<number[]>
  postgresPid(): Promise<number>
  /**
   * The server's own database, as somebody who has stolen it has it. Close it before the server
   * stops.
   */
  openDatabase(): Db
  /** Everything that the server has written to stderr so far. */
  log(): string
}

const startMs = 120_000

/** Resolves when the server answers; rejects with its output when it ends before. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const base = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'seaworthy-server-')))
  const usesOwn =
    options.args?.includes('--database-url') !== true && options.env?.['DATABASE_URL'] === undefined
  if (usesOwn && options.isFirstStart !== true) await layDatabase(base)
  const port = options.port ?? (options.isFirstStart === true ? 0 : await claimPort())
  const readyFile = join(base, 'ready.json')
  await rm(readyFile, { force: true })
  await rm(`${readyFile}.token`, { force: true })
  await rm(`${readyFile}.owner-link`, { force: true })
  const child = spawn(
    process.execPath,
    [
      programAt(new URL('../main.ts', import.meta.url)),
      ...['--data-dir', base, '--listen', `127.0.0.1:${port}`],
      ...['--workers', String(options.workers ?? 1), '--ready-file', readyFile],
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } },
  )
  let log = ''
  let output = ''
  child.stderr.on('data', (part: Buffer) => (log += part.toString()))
  child.stdout.on('data', (part: Buffer) => (output += part.toString()))
  const removeFolder = async () => {
    if (options.dataDir === undefined) await rm(base, { recursive: true, force: true })
  }
  const facts = await waitUntilReady(child, readyFile).catch(async (error: unknown) => {
    await removeFolder()
    throw new Error(`the server did not start: ${output}${log}`, { cause: error })
  })
  const token = await readFile(`${readyFile}.token`, 'utf8').catch(() => '')
  const ownerLink = await readFile(`${readyFile}.owner-link`, 'utf8').catch(() => '')
  return {
    url: facts.url,
    pin: facts.pin,
    adminToken: token.trim(),
    ownerLink: ownerLink.trim(),
    dataDir: base,
    pid: child.pid!,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        await ended
      }
      await removeFolder()
      if (child.exitCode !== 0) throw new Error(`the server ended with ${child.exitCode}: ${log}`)
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    workerPids: () => findChildren(child.pid!, (command) => command.includes('main.ts')),
    async postgresPid() {
      const [pid] = await findChildren(child.pid!, (command) => command.includes('/bin/postgres'))
      if (pid === undefined) throw new Error('PostgreSQL does not run')
      return pid
    },
    openDatabase: () =>
      openDb({ kind: 'socket', socketFile: socketFileOf(base), database: 'seaworthy' }, silentLog),
    log: () => log,
  }
}

async function waitUntilReady(
  child: ChildProcess,
  readyFile: string,
): Promise<{ url: string; pin: string }> {
  for (let waitedMs = 0; waitedMs < startMs; waitedMs += 20) {
    const text = await readFile(readyFile, 'utf8').catch(() => undefined)
    if (text !== undefined) return JSON.parse(text) as { url: string; pin: string }
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    }
    await systemSleep(20)
  }
  child.kill('SIGKILL')
  throw new Error('it did not answer in time')
}

async function findChildren(
  pid: number,
  isWanted: (command: string) => boolean,
): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const found: number[] = []
  for (const child of text.trim().split(' ').filter(Boolean).map(Number)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')
    if (isWanted(command)) found.push(child)
  }
  return found
}
