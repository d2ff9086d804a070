import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { silentLog } from '@seaworthy/std/log'
import { waitUntil } from '@seaworthy/std/testing'
import type { TestDatabase } from '../testing/database.ts'
import { startTestDatabase } from '../testing/database.ts'
import { textsOid } from './arrays.ts'
import { isUnreachable, openDb } from './connection.ts'

let database: TestDatabase
const folder = mkdtempSync(join(tmpdir(), 'seaworthy-connection-'))

before(async () => {
  database = await startTestDatabase()
})

after(async () => {
  await database.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What PostgreSQL says to a session that an administrator ends. */
const ended = message('E', 'SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection')

function message(type: string, ...fields: string[]): Buffer {
  const body = Buffer.from(`${fields.map((field) => `${field}\0`).join('')}\0`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}

/** Passes on all connections, but ends the first ones as soon as they ask anything. */
async function startEnder(socketFile: string, endedMax: number): Promise<Server> {
  let count = 0
  const server = createServer((client) => {
    const isToEnd = ++count <= endedMax
    const upstream = createConnection(database.socketFile)
    let hasBegun = false
    client.on('data', (bytes) => {
      if (isToEnd && hasBegun) client.end(ended)
      else upstream.write(bytes)
      hasBegun = true
    })
    upstream.on('data', (bytes) => client.write(bytes))
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(socketFile, resolve))
  return server
}

test('O1 attack: sessions that PostgreSQL ends while they are opened end no process, and lists stay lists', async (t) => {
  const socketFile = join(folder, 'ender.sock')
  const server = await startEnder(socketFile, 3)
  t.after(() => server.close())
  const db = openDb({ kind: 'socket', socketFile, database: 'seaworthy' }, silentLog)
  t.after(() => db.close())
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))

  const given = ['plain', 'two words', '"', '\\', '', '{,}', 'NULL']
  const errors: unknown[] = []
  const ask = async () => {
    try {
      const [row] = await db.reader.sql<{ texts: unknown }[]>`
        select array_agg(text order by place) as texts
        from unnest(${db.reader.sql.array(given, textsOid)}) with ordinality as given (text, place)
        where text = any(${given})`
      return row!.texts
    } catch (error) {
      errors.push(error)
      return undefined
    }
  }
  await waitUntil('it answers', async () => (await ask()) !== undefined)
  assert.deepEqual(await ask(), given)
  assert.ok(errors.length > 0 && errors.every(isUnreachable), String(errors))
  assert.deepEqual(unhandled, [])
})
