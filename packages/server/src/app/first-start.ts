/** The first start on a database: keys, certificate, log, and one token for whoever reads the output. */
import { dayMs } from '@seaworthy/std/time'
import type { Config } from '../config/config.ts'
import { loadMasterKey } from '../config/secrets.ts'
import { appendAudit } from '../db/audit.ts'
import type { Db, WriteTx } from '../db/connection.ts'
import { hasSecrets, lockFirstStart } from '../db/secrets.ts'
import { revokeAllTokens, wasAnyTokenUsed } from '../db/tokens.ts'
import type { Ports } from './app.ts'
import { createLog } from './audit-log.ts'
import { onlineRoles, openOnlineKeys } from './online-keys.ts'
import type { OnlineSecrets } from './online-secrets.ts'
import { createOnlineSecrets, loadOnlineSecrets } from './online-secrets.ts'
import { issueToken } from './tokens.ts'

const bootstrapLifetimeMs = 90 * dayMs

export interface Started {
  readonly secrets: OnlineSecrets
  /**
   * Until somebody has signed in for the first time, every start makes a new token and ends the one before: a crash
   * before it was read locks nobody out.
   */
  readonly bootstrapToken: string | null
}

/** Idempotent; several hosts may start on one database at once. Throws `SealError` on a wrong master key. */
export async function prepareServer(
  db: Db,
  config: Pick<Config, 'masterKeyFile' | 'names'>,
  ports: Ports,
): Promise<Started> {
  const { random, log } = ports
  return db.write(async (tx) => {
    await lockFirstStart(tx)
    const now = await tx.now()
    const isFirst = !(await hasSecrets(tx))
    // Of several hosts that start at once, the first alone may make a key; the others need a copy of it.
    const masterKey = await loadMasterKey(config.masterKeyFile, random, isFirst)
    if (isFirst) {
      await createOnlineSecrets(tx, masterKey, { names: config.names, now, random })
      await appendAudit(tx, {
        actor: 'server',
        action: 'server.first-start',
        subject: 'server',
        outcome: 'done',
      })
    }
    const secrets = await loadOnlineSecrets(tx, masterKey)
    // A key that cannot be opened is said now, not when the first timestamp runs out.
    for (const role of onlineRoles) await openOnlineKeys(tx, masterKey, role)
    if (isFirst) {
      await createLog(tx, { signer: secrets.logSigner, origin: secrets.logOrigin }, now)
      log.info('server.first-start', { pin: secrets.pin })
    }
    return { secrets, bootstrapToken: await issueBootstrapToken(tx, ports, now) }
  })
}

async function issueBootstrapToken(tx: WriteTx, ports: Ports, now: Date): Promise<string | null> {
  if (await wasAnyTokenUsed(tx)) return null
  await revokeAllTokens(tx, now)
  const issued = await issueToken(
    tx,
    ports,
    {
      name: 'bootstrap',
      role: 'admin',
      products: null,
      fleets: null,
      lifetimeMs: bootstrapLifetimeMs,
      createdBy: 'server',
    },
    now,
  )
  await appendAudit(tx, {
    actor: 'server',
    action: 'token.create',
    subject: issued.row.id,
    outcome: 'done',
    detail: { name: 'bootstrap', role: 'admin' },
  })
  return issued.token
}
