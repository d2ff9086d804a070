/**
 * What the server makes at its first start and needs from then on: the keys of the online roles, of
 * the log and of tokens. All private keys are sealed. Its certificate is in `server-tls.ts`.
 */
import { hexDecode, hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import type { NoteSigner } from '@seaworthy/trust/tlog'
import { createNoteKey } from '@seaworthy/trust/tlog'
import { createOnlineKey, onlineRoles, readKeyPair, sealKeyPair } from './online-keys.ts'
import type { MasterKey, SecretName } from '../../config/master-key.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { insertSecret, readSecret } from '../../db/online-secrets.ts'
import { insertFact, readFact } from '../../db/server-facts.ts'

export interface OnlineSecrets {
  readonly logSigner: NoteSigner
  /** Origin of the audit log: `seaworthy/<log id>`. */
  readonly logOrigin: string
  readonly deviceTokenKey: Uint8Array
  readonly registryTokenKey: Uint8Array
}

/** Makes and stores all secrets. The database must have none yet. */
export async function createOnlineSecrets(
  tx: WriteTx,
  masterKey: MasterKey,
  options: { now: Date; random: Random },
): Promise<void> {
  const { now, random } = options
  const store = async (name: SecretName, secret: Uint8Array) => {
    await insertSecret(tx, {
      name,
      version: 1,
      sealed: masterKey.seal(name, 1, secret),
      createdAt: now,
    })
  }
  for (const role of onlineRoles) await createOnlineKey(tx, masterKey, role, now)
  await sealKeyPair(tx, masterKey, { name: 'log-key', version: 1, createdAt: now })
  await store('device-token-key', random.bytes(32))
  await store('registry-token-key', random.bytes(32))
  await insertFact(tx, 'log-id', hexEncode(random.bytes(8)))
}

/** Throws `SealError` when the master key is another one, or the database was changed. */
export async function loadOnlineSecrets(tx: ReadTx, masterKey: MasterKey): Promise<OnlineSecrets> {
  const openSecret = async (name: SecretName) => {
    const row = await readSecret(tx, name)
    if (row === undefined) throw new Error(`the database lacks the secret ${name}`)
    return masterKey.open(name, row.version, row.sealed)
  }
  const readText = async (name: string) => {
    const text = await readFact(tx, name)
    if (text === undefined) throw new Error(`the database lacks ${name}`)
    return text
  }
  const logSigner = await readKeyPair(await openSecret('log-key'))
  const logOrigin = `seaworthy/${await readText('log-id')}`
  const noteKey = await createNoteKey(logOrigin, 'ed25519', hexDecode(logSigner.key.keyval.public))
  return {
    logSigner: {
      key: noteKey,
      sign: async (message) => hexDecode(await logSigner.sign(new Uint8Array(message))),
    },
    logOrigin,
    deviceTokenKey: await openSecret('device-token-key'),
    registryTokenKey: await openSecret('registry-token-key'),
  }
}
