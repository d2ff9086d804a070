/**
 * Tables filled by SQL rather than by as many calls, and left as they are in the middle of a
 * working night.
 */
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { TestServer } from '@seaworthy/server/testing'

export interface FilledTable<T> {
  name: string
  columns: string
  /** The line of an item in the form of COPY, with its end of line. */
  lineOf: (item: T) => string
}

/** Writes a line in each table for each item. Takes about a minute for a million. */
export async function fillTables<T>(
  server: TestServer,
  items: readonly T[],
  tables: readonly FilledTable<T>[],
): Promise<void> {
  const db = server.openDatabase()
  try {
    await db.write(async ({ sql }) => {
      await sql`set local statement_timeout = 0`
      for (const { name, columns, lineOf } of tables) {
        const into = await sql.unsafe(`copy ${name} (${columns}) from stdin`).writable()
        await pipeline(Readable.from(inPieces(items, lineOf)), into)
      }
    })
    // Statistics are there, nothing is new to the pages any more.
    for (const { name } of tables) {
      await db.writeRows(({ sql }) => sql.unsafe(`vacuum (analyze) ${name}`))
    }
    await db.writeRows(({ sql }) => sql.unsafe('checkpoint'))
    // Every page has been written to since the last checkpoint, as in the middle between two of
    // them.
    await db.write(async ({ sql }) => {
      await sql`set local statement_timeout = 0`
      await sql`
        update device_states set seen_at = seen_at
        where ctid in (select min(ctid) from device_states group by (ctid::text::point)[0])`
    })
  } finally {
    await db.close()
  }
}

/** All records one after the other, each of the same length. */
export async function writeRecords<T>(
  tokensFile: string,
  items: readonly T[],
  recordOf: (item: T) => string,
): Promise<{ tokensFile: string; tokenBytes: number }> {
  const file = await open(tokensFile, 'w')
  const stream = file.createWriteStream()
  for (const piece of inPieces(items, recordOf)) {
    if (!stream.write(piece)) await once(stream, 'drain')
  }
  await new Promise((resolve) => stream.end(resolve))
  return { tokensFile, tokenBytes: recordOf(items[0]!).length }
}

function* inPieces<T>(items: readonly T[], lineOf: (item: T) => string): Generator<string> {
  const pieceMax = 1000
  for (let i = 0; i < items.length; i += pieceMax) {
    yield items
      .slice(i, i + pieceMax)
      .map(lineOf)
      .join('')
  }
}
