/**
 * O1: a server that is told to stop ends, also while its PostgreSQL has just died and is being
 * started again.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startTestServer } from '@seaworthy/server/testing'
import { systemSleep } from '@seaworthy/std/time'

/**
 * Whether the process that wrote the file is there; the one that was killed leaves its file behind.
 */
function isRunning(pidFile: string): boolean {
  try {
    const [pid] = readFileSync(pidFile, 'latin1').split('\n')
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('postgres')
  } catch (error) {
    // Either file may go at any moment, even between its opening and its reading.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return false
    throw error
  }
}

test('O1 SIGTERM right after PostgreSQL was killed: everything ends, nothing is left running', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'seaworthy-stop-'))
  try {
    for (const delayMs of [0, 20, 60, 120, 200, 300]) {
      const server = await startTestServer({ dataDir })
      process.kill(await server.postgresPid(), 'SIGKILL')
      await systemSleep(delayMs)
      const stopped = server.stop().then(() => 'stopped' as const)
      const waiting = new AbortController()
      const late = systemSleep(120_000, waiting.signal).catch(() => undefined)
      const outcome = await Promise.race([stopped, late.then(() => 'hangs' as const)])
      waiting.abort()
      assert.equal(outcome, 'stopped', `after ${delayMs} ms`)
      const pidFile = join(dataDir, 'postgresql', 'data', 'postmaster.pid')
      assert.ok(!isRunning(pidFile), `PostgreSQL was left running, after ${delayMs} ms`)
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
})
