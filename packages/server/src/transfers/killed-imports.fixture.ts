/** A server on a database of its own, its export, and imports of that into other databases. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listProducts } from '@seaworthy/api/products'
import { silentLog } from '@seaworthy/std/log'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { systemClock } from '@seaworthy/std/time'
import type { Db } from '../db/connection.ts'
import { migrate } from '../db/migrate.ts'
import { findOccupied, listTables } from '../db/transfers.ts'
import type { CommitLink } from '../testing/commit-link.ts'
import type { TestServer } from '../testing/index.ts'
import { createTestClient, setUpTrust } from '../testing/index.ts'
import type { Harbour } from '../whole/kill-nine.fixture.ts'
import { openDirectly, openHarbour, startIn } from '../whole/kill-nine.fixture.ts'

const program = fileURLToPath(new URL('./main.ts', import.meta.url))

/** Where an import goes: an empty database, and a folder with the master key. */
export interface ImportPlace {
  readonly database: string
  readonly dataDir: string
}

export interface RunningImport {
  readonly kill: () => void
  /** Resolves when the import has said this. */
  readonly said: (wanted: RegExp) => Promise<void>
  readonly ended: Promise<{ exitCode: number | null; err: string }>
}

export interface ExportedServer {
  /** The link to the database, which strikes at a commit. */
  readonly link: CommitLink
  /** Opens the database of a place, as somebody with direct access to it. */
  readonly openDatabase: (place: ImportPlace) => Db
  readonly makePlace: (database: string) => Promise<ImportPlace>
  readonly startImport: (place: ImportPlace) => RunningImport
  /** Whether the database is empty; if it is not, everything that was exported is there. */
  readonly isEmpty: (place: ImportPlace) => Promise<boolean>
  /** Stops the server, and starts the one at this place in its stead: it gives the same answers. */
  readonly moveTo: (place: ImportPlace) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Exports a server by `--database-url`. */
export async function exportServerOf(): Promise<ExportedServer> {
  const harbour = await openHarbour()
  // PostgreSQL's own account must be able to pass.
  await chmod(harbour.root, 0o711)
  const first = join(harbour.root, 'first')
  const exported = join(harbour.root, 'exported')
  await mkdir(first)
  const port = await claimPort()
  let server: TestServer = await startIn(harbour, { dataDir: first, port })
  const { adminToken } = server
  const client = createTestClient(server)
  await setUpTrust(client)
  const asked = await client.api.call(listProducts, { query: {} })
  client.close()
  const run = (verb: 'export' | 'import', { database, dataDir }: ImportPlace) => {
    const url = `postgres://seaworthy@127.0.0.1:${harbour.link.port}/${database}`
    return startProgram(verb, exported, '--data-dir', dataDir, '--database-url', url)
  }
  const ended = await run('export', { database: 'seaworthy', dataDir: first }).ended
  assert.equal(ended.exitCode, 0, ended.err)
  const { tables } = JSON.parse(await readFile(join(exported, 'export.json'), 'utf8')) as {
    tables: Readonly<Record<string, number>>
  }
  await makeBlank(harbour)
  return {
    link: harbour.link,
    async makePlace(database) {
      await createFrom(harbour, `create database ${database} template blank`)
      const dataDir = join(harbour.root, database)
      await mkdir(dataDir)
      await copyFile(join(first, 'master.key'), join(dataDir, 'master.key'))
      return { database, dataDir }
    },
    openDatabase: ({ database }) => openDirectly(harbour, database),
    startImport: (place) => run('import', place),
    isEmpty: ({ database }) => isEmpty(harbour, database, tables),
    async moveTo({ database, dataDir }) {
      await server.stop()
      server = await startIn(harbour, { dataDir, port, database })
      const moved = createTestClient({ ...server, adminToken })
      assert.deepEqual(await moved.api.call(listProducts, { query: {} }), asked)
      moved.close()
    },
    async stop() {
      await server.stop()
      await harbour.close()
    },
  }
}

function startProgram(...args: readonly string[]): RunningImport {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let err = ''
  child.stdout.resume()
  child.stderr.on('data', (part: Buffer) => (err += part.toString()))
  return {
    kill: () => void child.kill('SIGKILL'),
    said: (wanted) => waitUntil(`it says ${wanted.source}`, () => wanted.test(err)),
    ended: once(child, 'close').then(([exitCode]) => ({
      exitCode: exitCode as number | null,
      err,
    })),
  }
}

async function createFrom(harbour: Harbour, statement: string): Promise<void> {
  const postgres = openDirectly(harbour, 'postgres')
  await postgres.writeRows(({ sql }) => sql.unsafe(statement))
  await postgres.close()
}

/** A database with all tables and nothing in them, so that each import need not make them. */
async function makeBlank(harbour: Harbour): Promise<void> {
  await createFrom(harbour, 'create database blank')
  const blank = openDirectly(harbour, 'blank')
  await migrate(blank, systemClock.now(), silentLog)
  await blank.close()
}

async function isEmpty(
  harbour: Harbour,
  database: string,
  tables: Readonly<Record<string, number>>,
): Promise<boolean> {
  const db = openDirectly(harbour, database)
  try {
    return await db.write(async (tx) => {
      if ((await findOccupied(tx, await listTables(tx))) === undefined) return true
      for (const [table, count] of Object.entries(tables)) {
        const [row] = await tx.sql<{ count: number }[]>`
          select count(*)::int as count from ${tx.sql(table)}`
        // The import itself is an entry of the log.
        assert.equal(row!.count, table === 'audit_entries' ? count + 1 : count, table)
      }
      return false
    })
  } finally {
    await db.close()
  }
}
