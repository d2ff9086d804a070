/** The database and the store of this host, for a program that is no server. */
import { join } from 'node:path'
import { isTaken } from '@seaworthy/oci/folders'
import type { S3Credentials } from '@seaworthy/oci/store/s3'
import type { RegistryStore } from '@seaworthy/oci/store'
import type { Ports } from '../app/app.ts'
import { openBlobStore } from '../app/content/index.ts'
import type { Config } from '../config/config.ts'
import { addressOf, holdDataDir, startEmbedded } from '../data-folder.ts'
import type { Db } from '../db/connection.ts'
import { openDb } from '../db/connection.ts'
import type { PostgresCluster } from '../postgres/index.ts'
import { openDataDir, StartError, useFolder } from '../start-checks.ts'

export interface HostOptions {
  readonly config: Config
  readonly blobCredentials: S3Credentials | null
  readonly ports: Ports
  readonly machine: { readonly arch: string; readonly uid: number }
  readonly print: (line: string) => void
}

export interface OpenedHost {
  readonly db: Db
  readonly store: RegistryStore
  close(): Promise<void>
}

/**
 * Opens what is there, beside a server that runs or without one. Throws `StartError` where there is
 * no server's database.
 */
export async function openHost(options: HostOptions): Promise<OpenedHost> {
  const { config } = options
  const isOwn = config.databaseUrl === null
  if (isOwn && !(await isTaken(join(config.dataDir, 'postgresql', 'data')))) {
    throw new StartError(
      `there is no server in ${config.dataDir}: name its folder with --data-dir, or its database with --database-url`,
    )
  }
  const unlock = isOwn ? await holdDataDir(config.dataDir) : () => undefined
  // The server that holds the folder has the database running.
  return open(options, { unlock: unlock ?? (() => undefined), runs: isOwn && unlock !== undefined })
}

/** Opens a place for a server to come. Throws `StartError` while one runs there. */
export async function openNewHost(options: HostOptions): Promise<OpenedHost> {
  const { config, machine } = options
  const unlock = await holdDataDir(config.dataDir)
  if (unlock === undefined) {
    throw new StartError(
      `a server is running on ${config.dataDir}: stop it, and name a new folder with --data-dir`,
    )
  }
  try {
    await openDataDir(config.dataDir, machine.uid)
  } catch (error) {
    unlock()
    throw error
  }
  return open(options, { unlock, runs: config.databaseUrl === null })
}

async function open(
  options: HostOptions,
  { unlock, runs }: { unlock: () => void; runs: boolean },
): Promise<OpenedHost> {
  const { config, ports, blobCredentials } = options
  let cluster: PostgresCluster | undefined
  let db: Db | undefined
  try {
    const openStore = () => openBlobStore(config.blobs, blobCredentials, ports)
    const blobs = await (config.blobs.kind === 'folder'
      ? useFolder('--blobs', config.blobs.folder, openStore)
      : openStore())
    if (runs) cluster = await startEmbedded(options)
    const opened = openDb(await addressOf(config), ports.log)
    db = opened
    return {
      db: opened,
      store: blobs.store,
      async close() {
        await opened.close()
        blobs.close()
        await cluster?.stop()
        unlock()
      },
    }
  } catch (error) {
    await db?.close()
    await cluster?.stop()
    unlock()
    throw error
  }
}
