/**
 * Brings a database to the schema of this program: numbered files, each applied once, never
 * changed, never undone.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Log } from '@seaworthy/std/log'
import type { Db, ReadTx } from './connection.ts'
import { allowPauses } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

const folder = new URL('./migrations/', import.meta.url)
/** The oldest version of PostgreSQL that the tests of several servers have run on. */
const versionMin = 15

interface Migration {
  readonly name: string
  readonly text: string
  readonly sha256: string
}

async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted()
  return Promise.all(
    names.map(async (name, i) => {
      if (!name.startsWith(`${String(i + 1).padStart(4, '0')}-`)) {
        throw new MigrationError(`migrations are not numbered without gaps: ${name}`)
      }
      const text = await readFile(new URL(name, folder), 'utf8')
      return { name, text, sha256: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

export interface AppliedMigration {
  readonly name: string
  readonly sha256: string
}

/** What was applied to the database, in order. At most as many as this program has. */
export async function listApplied({ sql }: ReadTx): Promise<AppliedMigration[]> {
  return sql<AppliedMigration[]>`select name, sha256 from schema_migrations order by name`
}

/** Whether the migrations are the first of this program's, or all of them. */
export async function compareMigrations(
  others: readonly AppliedMigration[],
): Promise<'same' | 'earlier' | 'different'> {
  const own = await readMigrations()
  const isKnown = others.every(
    ({ name, sha256 }, i) => own[i]?.name === name && own[i].sha256 === sha256,
  )
  if (!isKnown || others.length === 0) return 'different'
  return others.length === own.length ? 'same' : 'earlier'
}

/**
 * This is idempotent, and safe to run from several processes at once. `count` limits it to the
 * first so many, for rows of a database that had no more.
 */
export async function migrate(
  db: Db,
  now: Date,
  log: Log,
  count: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  const migrations = await readMigrations()
  await db.write(async (tx) => {
    const { sql } = tx
    await allowPauses(tx)
    const [server] = await sql<{ version: number }[]>`
      select current_setting('server_version_num')::int as version`
    const major = Math.floor((server?.version ?? 0) / 10_000)
    if (major < versionMin) {
      throw new MigrationError(
        `this is PostgreSQL ${major}; ${versionMin} or newer is needed: move the database to one, or name another with --database-url`,
      )
    }
    await sql`select pg_advisory_xact_lock(${lockKeys.migrations}::int)`
    await sql`
      create table if not exists schema_migrations (
        name text primary key, sha256 text not null, applied_at timestamptz not null)`
    const applied = await listApplied(tx)
    for (const [i, { name, sha256 }] of applied.entries()) {
      const known = migrations[i]
      if (known === undefined || known.name !== name) {
        throw new MigrationError(
          `the database was made by a newer version (it has ${name}): start that version, or restore a backup from before it`,
        )
      }
      if (known.sha256 !== sha256) {
        throw new MigrationError(
          `${name} was changed after it was applied: install Seaworthy again as it was released`,
        )
      }
    }
    for (const { name, text, sha256 } of migrations.slice(applied.length, count)) {
      await sql.unsafe(text)
      await sql`insert into schema_migrations (name, sha256, applied_at) values (${name}, ${sha256}, ${now})`
      log.info('database.migrated', { name })
    }
  })
}
