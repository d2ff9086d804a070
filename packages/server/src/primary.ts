/**
 * The primary process: holds the data folder, runs PostgreSQL, prepares the database, supervises
 * the workers.
 */
import { open, rename, rm } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { makeFolders } from '@seaworthy/oci/folders'
import type { S3Credentials } from '@seaworthy/oci/store/s3'
import type { Ports } from './app/app.ts'
import { openBlobStore } from './app/content/index.ts'
import type { OwnCertificate } from './app/trust/index.ts'
import { prepareServer } from './app/trust/index.ts'
import { readCertificateFiles, watchCertificateFiles } from './certificate-files.ts'
import type { Config } from './config/config.ts'
import { loadCredentialKey } from './config/credential-key.ts'
import { addressOf, holdDataDir, startEmbedded } from './data-folder.ts'
import type { DatabaseAddress } from './db/address.ts'
import { openDb } from './db/connection.ts'
import { migrate } from './db/migrate.ts'
import { loadWebFiles } from './http/web.ts'
import type { PostgresCluster } from './postgres/index.ts'
import { checkPort, openDataDir, StartError, useFolder } from './start-checks.ts'
import { logMemoryFile, sweepLogMemory } from './tasks/audit-log-memory.ts'
import { startWorkers } from './workers.ts'

export interface PrimaryOptions {
  readonly config: Config
  readonly blobCredentials: S3Credentials | null
  readonly version: string
  readonly ports: Ports
  readonly machine: { readonly arch: string; readonly uid: number; readonly pid: number }
  /** Prints lines for the person who started the server. */
  readonly print: (line: string) => void
}

export interface Primary {
  readonly url: string
  /** Looks whether the files of the own certificate have changed. */
  lookAtCertificate(): void
  stop(): Promise<void>
}

export async function startPrimary(options: PrimaryOptions): Promise<Primary> {
  const { config, ports, machine } = options
  options.print(`Seaworthy ${options.version} starts on ${config.dataDir}`)
  const unlock = await holdDataDir(config.dataDir)
  if (unlock === undefined) {
    throw new StartError(
      `another server is running on ${config.dataDir}; stop it first or choose another --data-dir`,
    )
  }
  let cluster: PostgresCluster | undefined
  try {
    await checkPort('--listen', config.listen)
    if (config.httpListen !== null) await checkPort('--http-listen', config.httpListen)
    const own = config.tls === null ? null : await readCertificateFiles(config.tls)
    await openDataDir(config.dataDir, machine.uid)
    await sweepLogMemory(logMemoryFile(config.dataDir))
    // A fault of the store, a key or the pages is reported here once, and not by every worker.
    const open = () => openBlobStore(config.blobs, options.blobCredentials, ports)
    const blobs = await (config.blobs.kind === 'folder'
      ? useFolder('--blobs', config.blobs.folder, open)
      : open())
    blobs.close()
    await loadCredentialKey(config, ports)
    if (config.webFolder !== null) await loadWebFiles(config.webFolder)
    cluster = config.databaseUrl === null ? await startEmbedded(options) : undefined
    const database = await addressOf(config)
    options.print('Preparing the database')
    const started = await prepareDatabase(options, database, own)
    const { tls, bootstrapToken: token, firstOwnerCode: code } = started
    const count = config.workersCount
    options.print(
      `Starting ${count} ${count === 1 ? 'process that answers' : 'processes that answer'}`,
    )
    const workers = startWorkers(
      {
        ...{ kind: 'start', config, database, version: options.version },
        own: own === null ? null : { tls, fault: null },
      },
      ports,
    )
    const port = await workers.port.catch(async (error: unknown) => {
      await workers.stop()
      throw error
    })
    const url = `https://${hostOf(config)}:${port}`
    const ownerLink =
      code === null ? null : `https://${browserHostOf(config)}:${port}/first-owner#${code}`
    await announce(options, { url, pin: tls.pin, token, ownerLink })
    const watch =
      config.tls === null
        ? undefined
        : watchCertificateFiles(
            { files: config.tls, names: config.names, first: tls, ports },
            (changed) => workers.showCertificate(changed),
          )
    return {
      url,
      lookAtCertificate: () => watch?.look(),
      async stop() {
        ports.log.info('server.stopping')
        if (config.readyFile !== null) await rm(config.readyFile, { force: true })
        await watch?.stop()
        await workers.stop()
        await cluster?.stop()
        unlock()
        ports.log.info('server.stopped')
      },
    }
  } catch (error) {
    await cluster?.stop()
    unlock()
    throw error
  }
}

async function prepareDatabase(
  { config, ports }: PrimaryOptions,
  database: DatabaseAddress,
  own: OwnCertificate | null,
) {
  const db = openDb(database, ports.log)
  try {
    await migrate(db, ports.clock.now(), ports.log)
    return await prepareServer(db, config, ports, own)
  } finally {
    await db.close()
  }
}

/**
 * The host that clients are told: the first name given, otherwise the listening address if clients
 * can connect to it.
 */
function hostOf({ names, listen }: Config): string {
  const host = names[0] ?? (['0.0.0.0', '::'].includes(listen.host) ? 'localhost' : listen.host)
  return host.includes(':') ? `[${host}]` : host
}

/** The host that browsers are told: they have passkeys for names only. */
function browserHostOf(config: Config): string {
  return config.names.find((name) => isIP(name) === 0) ?? 'localhost'
}

async function announce(
  { config, machine, print }: PrimaryOptions,
  server: { url: string; pin: string; token: string | null; ownerLink: string | null },
): Promise<void> {
  const { url, pin, token, ownerLink } = server
  print(`Seaworthy answers at ${url}`)
  if (token !== null) {
    print('Pair the command line with it (this line is shown until somebody has signed in):')
    print(`  seaworthy login ${url} --pin ${pin} --token ${token}`)
  }
  if (ownerLink !== null) {
    print('Become its first owner in a browser (this link is shown until there is an owner):')
    print(`  ${ownerLink}`)
  }
  if (config.readyFile === null) return
  const tokenFile = `${config.readyFile}.token`
  const ownerLinkFile = `${config.readyFile}.owner-link`
  if (token !== null) await writePrivate(tokenFile, `${token}\n`)
  if (ownerLink !== null) await writePrivate(ownerLinkFile, `${ownerLink}\n`)
  const facts = {
    ...{ url, pin, pid: machine.pid },
    ...(token === null ? {} : { tokenFile }),
    ...(ownerLink === null ? {} : { ownerLinkFile }),
  }
  await writePrivate(config.readyFile, `${JSON.stringify(facts)}\n`)
}

async function writePrivate(path: string, text: string): Promise<void> {
  makeFolders(dirname(path))
  await rm(`${path}.new`, { force: true })
  const file = await open(`${path}.new`, 'wx', 0o600)
  try {
    await file.writeFile(text)
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}
