import { join } from 'node:path'
import { systemRandom } from '@seaworthy/std/random'
import { deviceAudience, signToken } from '../app/device-tokens.ts'
import { loadMasterKey } from '../config/secrets.ts'
import { readSecret } from '../db/secrets.ts'
import type { TestServer } from './server.ts'

/** Access tokens as the server makes them, under its own key: for more devices than one wants to sign in one by one. */
export async function openTokenMaker(
  server: TestServer,
): Promise<(deviceId: string, expiresAt: Date) => string> {
  const db = server.openDatabase()
  try {
    const masterKey = await loadMasterKey(join(server.dataDir, 'master.key'), systemRandom, false)
    const row = await readSecret(db.reader, 'device-token-key')
    if (row === undefined) throw new Error('the server has no key for device tokens')
    const key = masterKey.open('device-token-key', row.version, row.sealed)
    return (sub, expiresAt) =>
      signToken(key, deviceAudience, { sub, exp: Math.floor(expiresAt.getTime() / 1000) })
  } finally {
    await db.close()
  }
}
