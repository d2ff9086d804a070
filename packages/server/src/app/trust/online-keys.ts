/**
 * The keys of the online roles. They are made here, count once a root names them, and are destroyed
 * when a newer root names others: stolen keys are worth nothing from then on (T6).
 */
import { base64Decode, base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import { maxOf } from '@seaworthy/std/numbers'
import { Refusal } from '@seaworthy/std/refusal'
import type { PublicKey, Signer } from '@seaworthy/trust/keys'
import { generateKeyPair, signerFromPkcs8 } from '@seaworthy/trust/keys'
import type { RootSigned } from '@seaworthy/trust/tuf'
import type { MasterKey, SecretName } from '../../config/master-key.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { lockPublication } from '../../db/metadata.ts'
import { deleteSecret, insertSecret, listSecretVersions } from '../../db/online-secrets.ts'
import type { ServerRefusal } from '../refusals.ts'

export const onlineRoles = ['snapshot', 'timestamp'] as const
export type OnlineRole = (typeof onlineRoles)[number]

interface OnlineKey {
  readonly version: number
  readonly signer: Signer
}

const secretNames = {
  snapshot: 'snapshot-key',
  timestamp: 'timestamp-key',
} as const satisfies Record<OnlineRole, SecretName>

export async function sealKeyPair(
  tx: WriteTx,
  masterKey: MasterKey,
  secret: { name: SecretName; version: number; createdAt: Date },
): Promise<void> {
  const { key, pkcs8 } = await generateKeyPair('ed25519')
  const bytes = utf8Encode(JSON.stringify({ key, pkcs8: base64Encode(pkcs8) }))
  await insertSecret(tx, { ...secret, sealed: masterKey.seal(secret.name, secret.version, bytes) })
}

export async function readKeyPair(secret: Uint8Array): Promise<Signer> {
  const parsed = parseAnyJson(secret) as { key: PublicKey; pkcs8: string }
  return signerFromPkcs8(parsed.key, base64Decode(parsed.pkcs8))
}

/** Makes a further key for the role, beside those it has. The caller holds `lockPublication`. */
export async function createOnlineKey(
  tx: WriteTx,
  masterKey: MasterKey,
  role: OnlineRole,
  now: Date,
): Promise<void> {
  const name = secretNames[role]
  const versions = await listSecretVersions(tx, name)
  const version =
    maxOf(
      versions.map((row) => row.version),
      0,
    ) + 1
  await sealKeyPair(tx, masterKey, { name, version, createdAt: now })
}

/** Opens every key of the role that the server still has, oldest first. Throws `SealError`. */
export async function openOnlineKeys(
  tx: ReadTx,
  masterKey: MasterKey,
  role: OnlineRole,
): Promise<OnlineKey[]> {
  const name = secretNames[role]
  const keys: OnlineKey[] = []
  for (const { version, sealed } of await listSecretVersions(tx, name)) {
    keys.push({ version, signer: await readKeyPair(masterKey.open(name, version, sealed)) })
  }
  return keys
}

/** The newest keys, which the next root should name. */
export async function newestOnlineKeys(
  tx: ReadTx,
  masterKey: MasterKey,
): Promise<Record<OnlineRole, PublicKey[]>> {
  const newest = async (role: OnlineRole) => {
    const keys = await openOnlineKeys(tx, masterKey, role)
    return keys.slice(-1).map(({ signer }) => signer.key)
  }
  return { snapshot: await newest('snapshot'), timestamp: await newest('timestamp') }
}

/**
 * Makes a further key while no publication is under way, and answers the keys that the next root
 * should name.
 */
export async function addOnlineKey(
  tx: WriteTx,
  masterKey: MasterKey,
  role: OnlineRole,
  now: Date,
): Promise<Record<OnlineRole, PublicKey[]>> {
  await lockPublication(tx)
  await createOnlineKey(tx, masterKey, role, now)
  return newestOnlineKeys(tx, masterKey)
}

/**
 * Throws `online_keys_not_named` when under this root the server could not sign the role by itself.
 */
export async function requireOnlineSigner(
  tx: ReadTx,
  masterKey: MasterKey,
  role: OnlineRole,
  root: RootSigned,
): Promise<Signer> {
  const { keyids, threshold } = root.roles[role]
  const keys = await openOnlineKeys(tx, masterKey, role)
  const named = keys.findLast(({ signer }) => keyids.includes(signer.keyId))
  if (named !== undefined && threshold === 1) return named.signer
  throw new Refusal<ServerRefusal>(
    'online_keys_not_named',
    `the root must name this server's ${role} key ${keys.at(-1)?.signer.keyId ?? ''} with threshold 1`,
  )
}

/**
 * Destroys the keys that a newly published root no longer names. A key made for a later root stays.
 */
export async function destroyReplacedKeys(
  tx: WriteTx,
  masterKey: MasterKey,
  root: RootSigned,
): Promise<void> {
  for (const role of onlineRoles) {
    const keys = await openOnlineKeys(tx, masterKey, role)
    const isNamed = ({ signer }: OnlineKey) => root.roles[role].keyids.includes(signer.keyId)
    const newestNamed = keys.findLast(isNamed)?.version ?? 0
    for (const key of keys) {
      if (key.version < newestNamed && !isNamed(key)) {
        await deleteSecret(tx, secretNames[role], key.version)
      }
    }
  }
}
