/** A PostgreSQL of its own for a test, with the server's schema and no server. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { Db } from '../db/connection.ts'
import { createDatabase, openDb } from '../db/connection.ts'
import { migrate } from '../db/migrate.ts'
import { findAccount, startCluster } from '../postgres/index.ts'

export interface TestDatabase {
  /** Another pool of connections. Close it before the database stops. */
  open(): Db
  stop(): Promise<void>
}

export async function startTestDatabase(): Promise<TestDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-database-'))
  const ports = { log: silentLog, clock: systemClock, sleep: systemSleep, random: systemRandom }
  const account = process.getuid?.() === 0 ? await findAccount() : null
  // PostgreSQL's own account must be able to pass.
  await chmod(dataDir, 0o711)
  const cluster = await startCluster({ dataDir, account, arch: process.arch, ports })
  const { socketFile } = cluster
  const address = { kind: 'socket', socketFile, database: 'seaworthy' } as const
  await createDatabase({ ...address, database: 'postgres' }, silentLog)
  const db = openDb(address, silentLog)
  await migrate(db, systemClock.now(), silentLog)
  await db.close()
  return {
    open: () => openDb(address, silentLog),
    async stop() {
      await cluster.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
