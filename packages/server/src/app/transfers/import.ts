/** An export into an empty server: content first, then all tables in one transaction. */
import { join } from 'node:path'
import type { Log } from '@seaworthy/std/log'
import type { Clock } from '@seaworthy/std/time'
import type { MasterKey } from '../../config/master-key.ts'
import { appendAudit, readLogState } from '../../db/audit-log.ts'
import type { Db, WriteTx } from '../../db/connection.ts'
import { compareMigrations, migrate } from '../../db/migrate.ts'
import type { StoredTable } from '../../db/transfers.ts'
import {
  allowLongWork,
  findOccupied,
  insertRows,
  listTables,
  withoutForeignKeys,
  writeCounters,
} from '../../db/transfers.ts'
import { verifyLogState } from '../access/index.ts'
import { loadOnlineSecrets, openOnlineKeys } from '../trust/index.ts'
import type { ContentDeps } from './content.ts'
import { importContent } from './content.ts'
import { readLines, verifySums } from './files.ts'
import type { ExportManifest } from './manifest.ts'
import { readManifest } from './manifest.ts'
import { refuse } from './refusals.ts'

/** How many characters of rows are sent at a time, beyond a single row. */
const batchLength = 2 * 1024 * 1024
const batchRowsMax = 2000

export interface ImportDeps extends ContentDeps {
  readonly db: Db
  readonly masterKey: MasterKey
  readonly clock: Clock
  readonly log: Log
}

/**
 * Checks an export before anything is made for it: that it is whole, unchanged and of a schema that
 * this version knows. `expected` is the digest that the export printed, if it is known.
 */
export async function checkExport(
  folder: string,
  expected: string | null,
  print: (line: string) => void,
): Promise<ExportManifest> {
  const { manifest } = await readManifest(folder, expected)
  if ((await compareMigrations(manifest.migrations)) === 'different') {
    refuse(
      'schema_differs',
      `the export was made by version ${manifest.program}, which has a schema that this version does not know: import it with that version or a newer one`,
    )
  }
  print(`checking ${manifest.sums.files} files of ${manifest.at}`)
  await verifySums(folder, manifest.sums)
  return manifest
}

/**
 * Throws `server_not_empty`, `export_malformed`, and `SealError` when the master key is another
 * one. Nothing is in the database then, or after a crash, and the same import may be run again.
 */
export async function importServer(
  deps: ImportDeps,
  folder: string,
  manifest: ExportManifest,
): Promise<void> {
  const { db, clock, log } = deps
  await migrate(db, clock.now(), log, manifest.migrations.length)
  await db.write((tx) => requireEmpty(tx))
  await importContent(deps, folder)
  await db.write(async (tx) => {
    await allowLongWork(tx)
    const tables = new Map((await requireEmpty(tx)).map((table) => [table.name, table]))
    await withoutForeignKeys(tx, async () => {
      for (const [name, count] of manifest.tables) {
        const table = tables.get(name)
        if (table === undefined) return refuse('export_malformed', `there is no table ${name}`)
        await importTable(deps, tx, table, { folder, count })
      }
    })
    await writeCounters(tx, manifest.counters)
    await requireOwnSecrets(tx, deps.masterKey)
    await appendAudit(tx, {
      ...{ actor: 'server', action: 'server.import', subject: 'server', outcome: 'done' },
      detail: { exportedAt: manifest.at, sums: manifest.sums.sha256 },
    })
  })
  await migrate(db, clock.now(), log)
}

async function requireEmpty(tx: WriteTx): Promise<StoredTable[]> {
  const tables = await listTables(tx)
  const occupied = await findOccupied(tx, tables)
  if (occupied !== undefined) {
    refuse(
      'server_not_empty',
      `the database has rows already (in ${occupied}): an export goes into a new data folder, or an empty database`,
    )
  }
  return tables
}

async function importTable(
  { print }: Pick<ImportDeps, 'print'>,
  tx: WriteTx,
  table: StoredTable,
  expected: { folder: string; count: number },
): Promise<void> {
  let count = 0
  let lines: string[] = []
  let length = 0
  const send = async () => {
    if (lines.length > 0) count += await insertRows(tx, table, lines)
    lines = []
    length = 0
  }
  for await (const line of readLines(join(expected.folder, 'tables', `${table.name}.jsonl`))) {
    lines.push(line)
    length += line.length
    if (length >= batchLength || lines.length >= batchRowsMax) await send()
  }
  await send()
  if (count !== expected.count) {
    refuse('export_malformed', `the table ${table.name} has another number of rows than it says`)
  }
  if (count > 0) print(`table ${table.name}: ${count} rows`)
}

/** The server could not start on secrets of another master key, or on another log's checkpoint. */
async function requireOwnSecrets(tx: WriteTx, masterKey: MasterKey): Promise<void> {
  const { logSigner: signer, logOrigin: origin } = await loadOnlineSecrets(tx, masterKey)
  for (const role of ['snapshot', 'timestamp'] as const) await openOnlineKeys(tx, masterKey, role)
  const state = await readLogState(tx)
  if (state === undefined) return refuse('export_malformed', 'the export has no audit log')
  await verifyLogState(state, { signer, origin })
}
