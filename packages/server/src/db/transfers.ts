/**
 * Whole tables as lines of JSON, out of one snapshot and into an empty database. PostgreSQL itself
 * writes and reads each row, so every type comes back as it was: `bytea` as `\x…`, times in UTC
 * with microseconds, arrays and `jsonb` as JSON.
 */
import { invariant } from '@seaworthy/std/refusal'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { tableChoices } from './exported-tables.ts'
import { lockFirstStart } from './server-facts.ts'

/** How many bytes of rows are in memory at a time, beyond a single row. */
const batchBytes = 4 * 1024 * 1024
const batchRowsMax = 5000

interface TableColumn {
  readonly name: string
  readonly type: string
  readonly isNullable: boolean
}

export interface StoredTable {
  readonly name: string
  readonly columns: readonly TableColumn[]
  /** The columns by which its rows are put in order: those of its key, or all. */
  readonly order: readonly string[]
}

/** Every table of the database, in the order of their names. At most as many as the schema has. */
export async function listTables({ sql }: ReadTx): Promise<StoredTable[]> {
  const rows = await sql<{ table: string; name: string; type: string; isNullable: boolean }[]>`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
      not a.attnotnull as "isNullable"
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    order by c.relname collate "C", a.attnum`
  const keys = await sql<{ table: string; names: string[] }[]>`
    select c.conrelid::regclass::text as table, array_agg(a.attname::text order by k.place) as names
    from pg_constraint c cross join unnest(c.conkey) with ordinality as k (attnum, place)
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
    where c.contype = 'p' and c.connamespace = 'public'::regnamespace group by 1`
  const primaryKeys = new Map(keys.map(({ table, names }) => [table, names]))
  const columns = Map.groupBy(rows, ({ table }) => table)
  return [...columns].map(([name, found]) => ({
    name,
    columns: found.map(({ name: column, type, isNullable }) => ({
      name: column,
      type,
      isNullable,
    })),
    order: primaryKeys.get(name) ?? found.map((column) => column.name),
  }))
}

/**
 * Picks the tables that an export holds. Throws where nobody has decided about a table or a column:
 * half an export would be worse than none.
 */
export function chooseTables(tables: readonly StoredTable[]): StoredTable[] {
  return tables.filter(({ name, columns }) => {
    const choice = Object.hasOwn(tableChoices, name) ? tableChoices[name] : undefined
    invariant(choice !== undefined, `exported-tables.ts says what becomes of the table ${name}`)
    if ('leftOut' in choice) return false
    const { plain, hashes = '', sealed = '' } = choice
    const chosen = `${plain} ${hashes} ${sealed}`.split(' ').filter(Boolean)
    for (const { name: column } of columns) {
      const isChosen = chosen.includes(column)
      invariant(isChosen, `exported-tables.ts says what becomes of ${name}.${column}`)
    }
    return true
  })
}

/** Lets a transaction take as long as the disk that it is written to, or read from. */
export async function allowLongWork({ sql }: ReadTx): Promise<void> {
  await sql`set local statement_timeout = 0`
  await sql`set local idle_in_transaction_session_timeout = '15min'`
}

/**
 * The rows of a table, each as one line of JSON without its end, in batches that are bounded by the
 * largest row there is.
 */
export async function* readRows({ sql }: ReadTx, table: StoredTable): AsyncGenerator<string[]> {
  const from = `(select ${listColumns(table)} from ${quote(table.name)}) t`
  const [widest] = await sql.unsafe<{ bytes: number | null }[]>(
    `select max(octet_length(row_to_json(t)::text)) as bytes from ${from}`,
  )
  const bytes = widest?.bytes ?? 0
  if (bytes === 0) return
  const count = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytes / bytes)))
  const order = table.order.map(quote).join(', ')
  const rows = sql.unsafe<{ line: string }[]>(
    `select row_to_json(t)::text as line from ${from} order by ${order}`,
  )
  for await (const batch of rows.cursor(count)) yield batch.map(({ line }) => line)
}

/** Adds rows as `readRows` gave them; answers how many. */
export async function insertRows(
  { sql }: WriteTx,
  table: StoredTable,
  lines: readonly string[],
): Promise<number> {
  const values = table.columns.map(({ name }) => `r.${quote(name)}`).join(', ')
  const result = await sql.unsafe(
    `insert into ${quote(table.name)} (${listColumns(table)}) overriding system value
     select ${values} from unnest($1::text[]) with ordinality as l (line, place)
     cross join lateral json_populate_record(null::${quote(table.name)}, l.line::json) r
     order by l.place`,
    [sql.array([...lines], textsOid)],
  )
  return result.count
}

/**
 * The last number that each counter of a table has given, by `table.column`. At most as many as the
 * schema has.
 */
export async function readCounters(tx: ReadTx): Promise<Map<string, number>> {
  const counters = new Map<string, number>()
  for (const { place, sequence } of await listCounters(tx)) {
    const [row] = await tx.sql.unsafe<{ last: number | null }[]>(
      `select case when is_called then last_value end as last from ${sequence}`,
    )
    const last = row?.last ?? null
    if (last !== null) counters.set(place, last)
  }
  return counters
}

/** Lets the counters go on behind the numbers given. */
export async function writeCounters(
  tx: WriteTx,
  counters: ReadonlyMap<string, number>,
): Promise<void> {
  for (const { place, sequence } of await listCounters(tx)) {
    const last = counters.get(place)
    if (last !== undefined) await tx.sql`select setval(${sequence}::regclass, ${last}::bigint)`
  }
}

async function listCounters({ sql }: ReadTx): Promise<{ place: string; sequence: string }[]> {
  return sql<{ place: string; sequence: string }[]>`
    select format('%s.%s', table_name, column_name) as place,
      pg_get_serial_sequence(table_name::text, column_name::text) as sequence
    from information_schema.columns
    where table_schema = 'public' and is_identity = 'YES' order by 1`
}

/**
 * Waits until no server starts on the database, and keeps any from starting until the commit.
 * Answers the first table that has rows, if any: what migrations put there counts for none.
 */
export async function findOccupied(
  tx: WriteTx,
  tables: readonly StoredTable[],
): Promise<string | undefined> {
  await lockFirstStart(tx)
  for (const { name } of tables) {
    if (['hearing', 'schema_migrations'].includes(name)) continue
    const rows = await tx.sql.unsafe(`select from ${quote(name)} limit 1`)
    if (rows.length > 0) return name
  }
  await tx.sql`delete from hearing`
  return undefined
}

/**
 * Does the work without foreign keys and then puts them back, which checks every row: tables may
 * come in any order.
 */
export async function withoutForeignKeys(tx: WriteTx, work: () => Promise<void>): Promise<void> {
  const { sql } = tx
  const keys = await sql<{ table: string; name: string; definition: string }[]>`
    select conrelid::regclass::text as table, conname as name, pg_get_constraintdef(oid) as definition
    from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace order by oid`
  for (const { table, name } of keys) {
    await sql.unsafe(`alter table ${quote(table)} drop constraint ${quote(name)}`)
  }
  await work()
  for (const { table, name, definition } of keys) {
    await sql.unsafe(`alter table ${quote(table)} add constraint ${quote(name)} ${definition}`)
  }
}

function listColumns(table: StoredTable): string {
  return table.columns.map(({ name }) => quote(name)).join(', ')
}

/** A name from the catalog. */
function quote(name: string): string {
  invariant(/^[a-z_][a-z0-9_]*$/.test(name), 'names of the schema are plain')
  return `"${name}"`
}
