/** A PostgreSQL for one test, with the server's schema and no server. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '@seaworthy/std/log'
import { systemClock } from '@seaworthy/std/time'
import type { Db } from '../db/connection.ts'
import { openDb } from '../db/connection.ts'
import { migrate } from '../db/migrate.ts'
import { layDatabase, startTestCluster } from './prepared-database.ts'

export interface TestDatabase {
  /** The socket on which PostgreSQL listens. */
  readonly socketFile: string
  /** Opens another pool of connections. Close it before the database stops. */
  open(): Db
  stop(): Promise<void>
}

export async function startTestDatabase(): Promise<TestDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-database-'))
  await layDatabase(dataDir)
  const cluster = await startTestCluster(dataDir)
  const { socketFile } = cluster
  const address = { kind: 'socket', socketFile, database: 'seaworthy' } as const
  const db = openDb(address, silentLog)
  await migrate(db, systemClock.now(), silentLog)
  await db.close()
  return {
    socketFile,
    open: () => openDb(address, silentLog),
    async stop() {
      await cluster.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
