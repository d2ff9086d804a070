/**
 * `node packages/server/src/testing/end-confirmations.ts DATA-DIR`: lets the confirmations of all
 * sessions of that server end, as five minutes would. Tests of other packages run it as a program.
 */
import { silentLog } from '@seaworthy/std/log'
import { openDb } from '../db/connection.ts'
import { socketFileOf } from '../postgres/index.ts'

const dataDir = process.argv[2]!
const db = openDb(
  { kind: 'socket', socketFile: socketFileOf(dataDir), database: 'seaworthy' },
  silentLog,
)
await db.write(async ({ sql }) => {
  await sql`update sessions set stepped_up_at = stepped_up_at - interval '301 s'`
})
await db.close()
