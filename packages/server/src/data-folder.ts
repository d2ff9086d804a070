/** The data folder of a host: who holds it, and the database that goes with it. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createSocketServer } from 'node:net'
import { findSystemCode } from '@seaworthy/std/system-errors'
import type { Config } from './config/config.ts'
import { parseDatabaseUrl } from './config/database-url.ts'
import type { DatabaseAddress } from './db/address.ts'
import { readDatabaseAddress } from './db/address.ts'
import { createDatabase } from './db/connection.ts'
import type { PostgresCluster, PostgresPorts } from './postgres/index.ts'
import { findAccount, socketFileOf, startCluster } from './postgres/index.ts'
import { checkDatabaseOwner } from './start-checks.ts'

/**
 * Allows one server per data folder on a host; `undefined` while another holds it. The lock is a
 * name that ends with the process, however the process ends.
 */
export async function holdDataDir(dataDir: string): Promise<(() => void) | undefined> {
  const name = createHash('sha256').update(dataDir).digest('hex')
  const lock = createSocketServer()
  try {
    lock.listen(`\0seaworthy-${name}`)
    await once(lock, 'listening')
  } catch (error) {
    if (findSystemCode(error) !== 'EADDRINUSE') throw error
    return undefined
  }
  lock.unref()
  return () => lock.close()
}

export interface EmbeddedOptions {
  readonly config: Pick<Config, 'dataDir'>
  readonly ports: PostgresPorts
  readonly machine: { readonly arch: string; readonly uid: number }
  /** Prints lines for the person who waits. */
  readonly print: (line: string) => void
}

/** Starts PostgreSQL in the data folder, with the server's own database in it. */
export async function startEmbedded(options: EmbeddedOptions): Promise<PostgresCluster> {
  const { config, ports, machine, print } = options
  const account = machine.uid === 0 ? await findAccount() : null
  await checkDatabaseOwner(config.dataDir, account?.uid ?? machine.uid)
  const { dataDir } = config
  const cluster = await startCluster({ dataDir, account, arch: machine.arch, ports, print })
  try {
    const { socketFile } = cluster
    await createDatabase({ kind: 'socket', socketFile, database: 'postgres' }, ports.log)
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** Where the database is that the configuration names; the embedded one may not run. */
export async function addressOf({
  dataDir,
  databaseUrl,
}: Pick<Config, 'dataDir' | 'databaseUrl'>): Promise<DatabaseAddress> {
  if (databaseUrl !== null) return readDatabaseAddress(parseDatabaseUrl(databaseUrl))
  return { kind: 'socket', socketFile: socketFileOf(dataDir), database: 'seaworthy' }
}
