/**
 * A database cluster that was made and migrated once, by the code under test, for a whole run of
 * tests. Most test servers start on a copy, and only a test of the first start makes its own.
 * Without the runner, which names the folder, every server makes its own.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isTaken } from '@seaworthy/oci/folders'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { createDatabase, openDb } from '../db/connection.ts'
import { migrate } from '../db/migrate.ts'
import type { PostgresCluster } from '../postgres/index.ts'
import { findAccount, startCluster } from '../postgres/index.ts'

const waitMsMax = 120_000
const run = promisify(execFile)

/**
 * Starts the server's own PostgreSQL on a data folder, as the server does, with a database
 * `seaworthy`, which is created empty if there is none.
 */
export async function startTestCluster(dataDir: string): Promise<PostgresCluster> {
  // PostgreSQL's own account must be able to pass through the folder.
  await chmod(dataDir, 0o711)
  const ports = { log: silentLog, clock: systemClock, sleep: systemSleep, random: systemRandom }
  const account = process.getuid?.() === 0 ? await findAccount() : null
  const cluster = await startCluster({
    dataDir,
    account,
    arch: process.arch,
    ports,
    print: () => undefined,
  })
  const { socketFile } = cluster
  await createDatabase({ kind: 'socket', socketFile, database: 'postgres' }, silentLog)
  return cluster
}

/**
 * Puts the copy into a data folder that has no cluster yet. Nothing happens where there is one, or
 * when there is no runner.
 */
export async function layDatabase(dataDir: string): Promise<void> {
  const shared = process.env['SEAWORTHY_TEST_SHARED']
  const stateDir = join(dataDir, 'postgresql')
  if (shared === undefined || (await isTaken(join(stateDir, 'data')))) return
  const source = await findPrepared(shared)
  await mkdir(stateDir, { recursive: true, mode: 0o711 })
  // The files are owned by PostgreSQL's account, and must stay so.
  await run('cp', ['-a', source, join(stateDir, 'data')])
}

/** The first process to come makes the cluster; all others wait. */
async function findPrepared(shared: string): Promise<string> {
  const ready = join(shared, 'database')
  const claim = join(shared, 'database.claim')
  const endMs = performance.now() + waitMsMax
  while (!(await isTaken(ready))) {
    if (performance.now() > endMs) throw new Error(`no database was prepared in ${shared}`)
    const isFirst = await mkdir(claim).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
        return false
      },
    )
    if (!isFirst) {
      await systemSleep(50)
      continue
    }
    try {
      await prepare(claim)
      await rename(join(claim, 'postgresql', 'data'), ready)
    } finally {
      await rm(claim, { recursive: true, force: true })
    }
  }
  return ready
}

async function prepare(dataDir: string): Promise<void> {
  const cluster = await startTestCluster(dataDir)
  const { socketFile } = cluster
  const db = openDb({ kind: 'socket', socketFile, database: 'seaworthy' }, silentLog)
  await migrate(db, systemClock.now(), silentLog)
  await db.close()
  await cluster.stop()
}
