/** The schema that the migrations make, as text, so that every change of it is seen in a diff. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { expectGolden } from '../../../../tools/golden.ts'
import type { TestServer } from '../testing/index.ts'
import { startTestServer } from '../testing/index.ts'
import type { Db, WriteTx } from './connection.ts'
import { lockFirstStart } from './server-facts.ts'

let server: TestServer
let db: Db

before(async () => {
  server = await startTestServer()
  db = server.openDatabase()
})
after(async () => {
  await db.close()
  await server.stop()
})

test('the schema is the golden one, and a start is patient', async () => {
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
    (await sql`show idle_in_transaction_session_timeout`)[0]!['idle_in_transaction_session_timeout']
  assert.equal(await db.write(pauseOf), '4s')
  const pauseOfStart = async (tx: WriteTx) => {
    await lockFirstStart(tx)
    return pauseOf(tx)
  }
  assert.equal(await db.write(pauseOfStart), '1min')
  assert.equal(await db.write(pauseOf), '4s')
})

test('A4 attack: a new built-in role takes the name of a role that people have made, and with it what that denied', async () => {
  const migration = new URL('./migrations/0059-support-role.sql', import.meta.url)
  const text = await readFile(migration, 'utf8')
  const grants = [
    { group: 'desk', role: 'support', products: null, fleets: null },
    { group: 'all', role: 'viewer', products: null, fleets: null },
  ]
  await db.write(async ({ sql }) => {
    for (const name of ['support', 'support-renamed']) {
      await sql`
        insert into roles (name, purpose, allows, denies, version, created_at, created_by, changed_at, changed_by)
        values (${name}, 'a test', '{}', '{secret:write}', 1, now(), 'server', now(), 'server')`
    }
    await sql`
      insert into identity_providers (name, title, issuer, client_id, grants, created_at, changed_at, changed_by)
      values ('desk', 'Desk', 'https://desk.example', 'id', ${sql.json(grants)}, now(), now(), 'server')`
    await sql`update tokens set role = 'support', denied_by = '{other,support}'`
    await sql.unsafe(text)
    const named = await sql`
      select (select array_agg(name order by name) from roles) as roles,
        (select array_agg(role || ' ' || array_to_string(denied_by, ' ')) from tokens) as tokens,
        (select grants from identity_providers where name = 'desk') as grants`
    assert.deepEqual(
      { ...named[0] },
      {
        roles: ['support-renamed', 'support-renamed-2'],
        tokens: ['support-renamed-2 other support-renamed-2'],
        grants: grants.map((one) =>
          one.role === 'support' ? { ...one, role: 'support-renamed-2' } : one,
        ),
      },
    )
    // Where nobody has a role of that name, nothing changes.
    await sql.unsafe(text)
    assert.deepEqual({ ...(await sql`select count(*)::int as count from roles`)[0] }, { count: 2 })
  })
})
