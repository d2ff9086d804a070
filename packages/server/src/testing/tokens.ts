import { join } from 'node:path'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { deviceAudience, signToken } from '../app/access/device-tokens.ts'
import type { SecretName } from '../config/master-key.ts'
import { loadMasterKey } from '../config/master-key.ts'
import type { Db } from '../db/connection.ts'
import { openDb } from '../db/connection.ts'
import { readSecret } from '../db/online-secrets.ts'
import { socketFileOf } from '../postgres/index.ts'
import type { TestServer } from './server.ts'

/**
 * Makes access tokens as the server does, under its own key: for more devices than can sensibly be
 * signed in one by one.
 */
export async function openTokenMaker(
  server: TestServer,
): Promise<(deviceId: string, expiresAt: Date) => string> {
  const key = await openSecret(server, 'device-token-key')
  return (sub, expiresAt) =>
    signToken(key, deviceAudience, { sub, exp: Math.floor(expiresAt.getTime() / 1000) })
}

/** The server's TLS key in PEM, for another server whose handshakes are to cost the same. */
export async function openTlsKey(server: TestServer): Promise<string> {
  return Buffer.from(await openSecret(server, 'tls-key')).toString()
}

/** One of the server's own secrets, in clear. */
export async function openSecret(server: TestServer, name: SecretName): Promise<Uint8Array> {
  const db = server.openDatabase()
  try {
    const masterKey = await loadMasterKey(join(server.dataDir, 'master.key'), systemRandom, false)
    const row = await readSecret(db.reader, name)
    if (row === undefined) throw new Error(`the server has no ${name}`)
    return masterKey.open(name, row.version, row.sealed)
  } finally {
    await db.close()
  }
}

/**
 * Opens the database in a running server's data folder, from a process that knows nothing else of
 * the server. Close it before the server stops.
 */
export function openDatabaseOf(dataDir: string): Db {
  const socketFile = socketFileOf(dataDir)
  return openDb({ kind: 'socket', socketFile, database: 'seaworthy' }, silentLog)
}
