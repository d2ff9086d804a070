/** The schema that the migrations make, as text, so that every change of it is seen in a diff. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectGolden } from '../../../../tools/golden.ts'
import { startTestServer } from '../testing/index.ts'
import type { WriteTx } from './connection.ts'
import { lockFirstStart } from './server-facts.ts'

test('the schema is the golden one, and a start is patient', async () => {
  const server = await startTestServer()
  const db = server.openDatabase()
  try {
    const lines = await db.reader.sql<{ line: string }[]>`
      select line from (
        select 1 as part, format('%s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
          case when a.attnotnull then ' not null' else '' end,
          coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')) as line, c.relname, a.attnum
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
        union all
        select 2, format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid)), conname, 0
        from pg_constraint
        where connamespace = 'public'::regnamespace and contype <> 'n'
        union all
        select 3, indexdef, indexname, 0 from pg_indexes where schemaname = 'public'
      ) as all_parts
      order by part, relname, attnum, line`
    const text = lines.map(({ line }) => `${line}\n`).join('')
    expectGolden(new URL('./schema.golden.sql', import.meta.url), text)

    // The start of a busy machine pauses in its transaction for longer than a request may.
    const pauseOf = async ({ sql }: WriteTx) =>
      (await sql`show idle_in_transaction_session_timeout`)[0]![
        'idle_in_transaction_session_timeout'
      ]
    assert.equal(await db.write(pauseOf), '4s')
    const pauseOfStart = async (tx: WriteTx) => {
      await lockFirstStart(tx)
      return pauseOf(tx)
    }
    assert.equal(await db.write(pauseOfStart), '1min')
    assert.equal(await db.write(pauseOf), '4s')
  } finally {
    await db.close()
    await server.stop()
  }
})
