/**
 * One PostgreSQL and one store for several servers. Each server has its own link to the database,
 * which a test can cut.
 */
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lacksObjectStore, startObjectStore } from '@seaworthy/oci/store/s3/testing'
import { hexEncode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import type { Db } from '../db/connection.ts'
import { openDb } from '../db/connection.ts'
import { startTestCluster } from './prepared-database.ts'
import type { TestServer } from './server.ts'
import { startTestServer } from './server.ts'

/** A host's link to PostgreSQL. */
export interface DatabaseLink {
  readonly url: string
  /** Silently stops letting anything through, in either direction. */
  cut(): void
  restore(): void
}

export interface SharedServices {
  /** Starts a server on the shared database and store; its folder stays until `stop`. */
  startReplica(name: string, link: DatabaseLink): Promise<TestServer>
  openLink(): Promise<DatabaseLink>
  /** Opens the database as somebody with direct access to it. */
  openDatabase(): Db
  stop(): Promise<void>
}

export async function startSharedServices(): Promise<SharedServices> {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-replicas-'))
  const cluster = await startTestCluster(root)
  const { socketFile } = cluster
  const address = { kind: 'socket', socketFile, database: 'seaworthy' } as const
  const objects = lacksObjectStore() === false ? await startObjectStore() : undefined
  const location = objects?.newLocation()
  const closers: (() => void)[] = []
  const masterKeyFile = join(root, 'master.key')
  await writeFile(masterKeyFile, `${hexEncode(systemRandom.bytes(32))}\n`, { mode: 0o600 })
  return {
    async startReplica(name, link) {
      const dataDir = join(root, name)
      await mkdir(dataDir, { recursive: true })
      await copyFile(masterKeyFile, join(dataDir, 'master.key'))
      const blobs =
        location === undefined
          ? join(root, 'blobs')
          : `s3://${location.bucket}/${location.prefix}?endpoint=${location.endpoint}`
      return startTestServer({
        dataDir,
        workers: 2,
        args: ['--database-url', link.url, '--blobs', blobs],
        env: {
          AWS_ACCESS_KEY_ID: objects?.credentials.accessKeyId ?? '',
          AWS_SECRET_ACCESS_KEY: objects?.credentials.secretAccessKey ?? '',
        },
      })
    },
    async openLink() {
      const { close, link } = await openLink(socketFile)
      closers.push(close)
      return link
    },
    openDatabase: () => openDb(address, silentLog),
    async stop() {
      for (const close of closers) close()
      await cluster.stop()
      await objects?.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

async function openLink(socketFile: string): Promise<{ link: DatabaseLink; close: () => void }> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((client) => {
    const upstream = connect({ path: socketFile })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (part: Buffer) => to.write(part))
      from.on('error', () => undefined)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      if (isCut) from.pause()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const link: DatabaseLink = {
    url: `postgres://seaworthy@127.0.0.1:${port}/seaworthy`,
    cut() {
      isCut = true
      for (const socket of sockets) socket.pause()
    },
    restore() {
      isCut = false
      for (const socket of sockets) socket.resume()
    },
  }
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { link, close }
}

/** Does `kill -9` to a server and all that belongs to it, as when its host loses power. */
export async function killReplica(server: TestServer): Promise<void> {
  const pids = await server.workerPids()
  await Promise.all([
    server.kill(),
    ...pids.map(async (pid) => {
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }),
  ])
}

/**
 * Stops every process of a server in the middle of whatever it does, as on a host that is out of
 * memory; the result lets them go on.
 */
export async function freezeReplica(server: TestServer): Promise<() => void> {
  const pids = [server.pid, ...(await server.workerPids())]
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  return () => {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  }
}
