/**
 * O1: a server that is told to stop ends, also while its PostgreSQL has just died and is being
 * started again.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startTestServer } from '@seaworthy/server/testing'
import { systemSleep } from '@seaworthy/std/time'

/**
 * Whether the process that wrote the file is there; the one that was killed leaves its file behind.
 */
function isRunning(pidFile: string): boolean {
  if (!existsSync(pidFile)) return false
  const commandLine = `/proc/${readFileSync(pidFile, 'latin1').split('\n')[0]}/cmdline`
  return existsSync(commandLine) && readFileSync(commandLine, 'latin1').includes('postgres')
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
