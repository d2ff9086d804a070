/** The real server as a process of its own, for tests of the command line. */
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'
import type { Scope } from './scope.ts'

export interface TestedServer {
  url: string
  pin: string
  /** The bootstrap token. */
  token: string
  /** The folder of all that it keeps, its database included. */
  folder: string
  /** The end of what it wrote to its log. */
  log(): string
  /** Ends it in order, and starts it again on the same data and port, after `meanwhile`. */
  restart(meanwhile?: () => Promise<void>): Promise<void>
}

const startMsMax = 120_000

interface Launch {
  readonly launcher: readonly [file: string, ...args: string[]]
  readonly env: NodeJS.ProcessEnv
}

const ownLaunch: Launch = {
  launcher: [process.execPath, programAt(new URL('../main.ts', import.meta.url))],
  env: process.env,
}

/**
 * Puts a copy of the empty database that tests of the server have made for this run, if they have,
 * into the data folder. Otherwise the server makes its own, which takes a second more.
 */
async function layDatabase(dataDir: string): Promise<void> {
  const prepared = join(process.env['SEAWORTHY_TEST_SHARED'] ?? '/nowhere', 'database')
  if (!existsSync(prepared)) return
  const stateDir = join(dataDir, 'postgresql')
  await mkdir(stateDir, { recursive: true, mode: 0o711 })
  // The files are owned by PostgreSQL's account, and must stay so.
  await promisify(execFile)('cp', ['-a', prepared, join(stateDir, 'data')])
}

/** Starts `seaworthy up` through a launcher, on a folder that goes with the test. */
export async function startServer(t: Scope, given: Partial<Launch> = {}): Promise<TestedServer> {
  const launch = { ...ownLaunch, ...given }
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-server-'))
  // When root runs the test, PostgreSQL runs under another account, which has to get through here.
  await chmod(folder, 0o711)
  // What was packed makes its own, as on a machine that has nothing yet.
  if (given.launcher === undefined) await layDatabase(join(folder, 'data'))
  let running = runServer(launch, folder, `127.0.0.1:${await claimPort()}`)
  t.after(async () => {
    await running.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const { url, pin, tokenFile } = await running.ready()
  return {
    url,
    pin,
    token: (await readFile(tokenFile, 'utf8')).trim(),
    folder,
    log: () => running.log(),
    async restart(meanwhile) {
      await running.stop()
      await meanwhile?.()
      running = runServer(launch, folder, new URL(url).host)
      await running.ready()
    },
  }
}

function runServer(launch: Launch, folder: string, listen: string) {
  const [file, ...args] = launch.launcher
  const readyFile = join(folder, `ready-${randomUUID()}.json`)
  const child = spawn(
    file,
    [
      ...[...args, 'up', '--data-dir', join(folder, 'data'), '--listen', listen],
      ...['--workers', '1', '--ready-file', readyFile],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: launch.env },
  )
  let log = ''
  child.stderr.on('data', (piece: Buffer) => (log = `${log}${piece.toString()}`.slice(-20_000)))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    async ready() {
      for (let waitedMs = 0; waitedMs < startMsMax && child.exitCode === null; waitedMs += 100) {
        // The file is absent until the server answers. The reason shows when the time is up or the
        // process ends.
        const ready = await readFile(readyFile, 'utf8').catch(() => undefined)
        if (ready !== undefined && ready.trim() !== '') {
          return JSON.parse(ready) as { url: string; pin: string; tokenFile: string }
        }
        await sleep(100)
      }
      throw new Error(`the server did not start\n${log}`)
    },
    log: () => log,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
