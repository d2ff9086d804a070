/** The real server as a process of its own, for tests of the command line. */
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface RunningServer {
  url: string
  pin: string
  /** The bootstrap token. */
  token: string
}

const startMsMax = 60_000

/** Starts `seaworthy up` through the launcher, on a folder that goes with the test. */
export async function startServer(t: TestContext): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-server-'))
  // As root, PostgreSQL runs under another account, which has to get through here.
  await chmod(folder, 0o711)
  const readyFile = join(folder, 'ready.json')
  const launcher = fileURLToPath(new URL('../../bin/seaworthy.mjs', import.meta.url))
  const child = spawn(
    process.execPath,
    [
      launcher,
      'up',
      '--data-dir',
      join(folder, 'data'),
      '--listen',
      '127.0.0.1:0',
      '--workers',
      '1',
      '--ready-file',
      readyFile,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr.on('data', (piece: Buffer) => (log = `${log}${piece.toString()}`.slice(-20_000)))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  t.after(async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  })
  for (let waitedMs = 0; waitedMs < startMsMax && child.exitCode === null; waitedMs += 100) {
    const ready = await readFile(readyFile, 'utf8').catch(() => undefined)
    if (ready !== undefined && ready.trim() !== '') {
      const { url, pin, tokenFile } = JSON.parse(ready) as {
        url: string
        pin: string
        tokenFile: string
      }
      return { url, pin, token: (await readFile(tokenFile, 'utf8')).trim() }
    }
    await sleep(100)
  }
  throw new Error(`the server did not start\n${log}`)
}
