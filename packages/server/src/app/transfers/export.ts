/** A whole server as files, from one snapshot of its database. */
import { join } from 'node:path'
import { formatInstant } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import type { Db, ReadTx } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'
import { compareMigrations, listApplied } from '../../db/migrate.ts'
import type { StoredTable } from '../../db/transfers.ts'
import {
  allowLongWork,
  chooseTables,
  listTables,
  readCounters,
  readRows,
} from '../../db/transfers.ts'
import type { ContentDeps } from './content.ts'
import { exportContent } from './content.ts'
import { makeEmptyFolder, writePieces, writeSums } from './files.ts'
import type { Sums } from './files.ts'
import { writeManifest } from './manifest.ts'
import { exportLog, exportMetadata, exportTargets } from './open-formats.ts'
import { refuse } from './refusals.ts'
import { describeSchema } from './schema.ts'

interface ExportDeps extends ContentDeps {
  readonly db: Db
  /** The version of this program. */
  readonly version: string
}

interface Exported extends Sums {
  /** The digest that stands for the whole export. */
  readonly sha256: string
}

/**
 * Writes everything into a new folder. The server may go on meanwhile: what it does after the
 * snapshot is not in the export. Throws `folder_not_empty`, `schema_differs`,
 * `export_content_missing`.
 */
export async function exportServer(deps: ExportDeps, folder: string): Promise<Exported> {
  const { db, store, version } = deps
  await requireSameSchema(db.reader)
  await makeEmptyFolder(folder)
  await db.write((tx) =>
    appendAudit(tx, {
      ...{ actor: 'server', action: 'server.export', subject: 'server', outcome: 'done' },
    }),
  )
  const { targets, ...facts } = await db.readSnapshot(async (tx) => {
    await allowLongWork(tx)
    const migrations = await requireSameSchema(tx)
    const at = formatInstant(await readClock(tx))
    const exported = chooseTables(await listTables(tx))
    const tables = new Map<string, number>()
    for (const table of exported) tables.set(table.name, await exportTable(deps, tx, table, folder))
    await writePieces(join(folder, 'schema.json'), [
      `${JSON.stringify(describeSchema(exported), null, 2)}\n`,
    ])
    const listed = await exportMetadata(tx, folder)
    await exportLog(tx, folder)
    // Counters belong to no snapshot: read after it, they are not behind it.
    return { at, migrations, tables, counters: await readCounters(tx), targets: listed }
  })
  await exportContent(deps, folder)
  await exportTargets(store, folder, targets)
  deps.print('checksums')
  const sums = await writeSums(folder)
  const sha256 = await writeManifest(folder, { program: version, ...facts, sums })
  return { ...sums, sha256 }
}

async function requireSameSchema(tx: ReadTx) {
  const migrations = await listApplied(tx)
  if ((await compareMigrations(migrations)) !== 'same') {
    refuse(
      'schema_differs',
      'the database is not of this version: start the server of this version on it once, or export with the version that runs on it',
    )
  }
  return migrations
}

async function exportTable(
  { print }: Pick<ExportDeps, 'print'>,
  tx: ReadTx,
  table: StoredTable,
  folder: string,
): Promise<number> {
  let count = 0
  let printed = 0
  async function* pieces() {
    for await (const lines of readRows(tx, table)) {
      yield `${lines.join('\n')}\n`
      count += lines.length
      if (count - printed < 100_000) continue
      printed = count
      print(`table ${table.name}: ${count} rows so far`)
    }
  }
  await writePieces(join(folder, 'tables', `${table.name}.jsonl`), pieces())
  if (count > 0) print(`table ${table.name}: ${count} rows`)
  return count
}
