/**
 * Everything that a running server holds, and that its thief has: its database and master key,
 * opened from its data folder. The attacker in `sim` uses it; no offline key is part of it.
 */
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import type { Signer } from '@seaworthy/trust/keys'
import type { OnlineRole, OnlineSecrets, ServerTls } from './app/trust/index.ts'
import { loadOnlineSecrets, loadServerTls, openOnlineKeys } from './app/trust/index.ts'
import { loadMasterKey } from './config/master-key.ts'
import { openDb } from './db/connection.ts'
import type { MetadataRow } from './db/metadata.ts'
import { listAllMetadata } from './db/metadata.ts'
import { socketFileOf } from './postgres/index.ts'

export interface Possessions {
  readonly secrets: OnlineSecrets
  readonly tls: ServerTls
  readonly onlineKeys: Readonly<Record<OnlineRole, readonly Signer[]>>
  /** The metadata of every version of every role. */
  readonly metadata: readonly MetadataRow[]
}

/** Reads them from the PostgreSQL that the server runs by itself. */
export async function readPossessions(dataDir: string): Promise<Possessions> {
  const masterKey = await loadMasterKey(`${dataDir}/master.key`, systemRandom, false)
  const socketFile = socketFileOf(dataDir)
  const db = openDb({ kind: 'socket', socketFile, database: 'seaworthy' }, silentLog)
  const openKeys = async (role: OnlineRole) =>
    (await openOnlineKeys(db.reader, masterKey, role)).map(({ signer }) => signer)
  const secrets = await loadOnlineSecrets(db.reader, masterKey)
  const tls = await loadServerTls(db.reader, masterKey)
  const metadata = await listAllMetadata(db.reader)
  const onlineKeys = {
    snapshot: await openKeys('snapshot'),
    timestamp: await openKeys('timestamp'),
  }
  await db.close()
  return { secrets, tls, onlineKeys, metadata }
}
