/**
 * What the server makes at its first start and needs from then on: its certificate (whose CA key
 * never leaves memory and is dropped), and the keys of the online roles, of the log and of tokens.
 * All private keys are sealed.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { base64UrlEncode, hexDecode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { invariant } from '@seaworthy/std/refusal'
import type { NoteSigner } from '@seaworthy/trust/tlog'
import { createNoteKey } from '@seaworthy/trust/tlog'
import { createOnlineKey, onlineRoles, readKeyPair, sealKeyPair } from './online-keys.ts'
import type { MasterKey, SecretName } from '../../config/secrets.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { insertFact, insertSecret, readFact, readSecret, updateFact } from '../../db/secrets.ts'

export interface OnlineSecrets {
  readonly tlsKeyPem: string
  readonly certificatePem: string
  readonly caPem: string
  /** The hash of the certificate's SubjectPublicKeyInfo, as `sha256:<base64url>`. */
  readonly pin: string
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
  options: { names: readonly string[]; now: Date; random: Random },
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
  // The module is needed only once in the life of a server, so no worker loads it.
  const { createCertificates } = await import('./certificates.ts')
  const tls = await createCertificates(options)
  await store('tls-key', utf8Encode(tls.keyPem))
  await insertFact(tx, 'certificate', tls.certificatePem)
  await insertFact(tx, 'ca', tls.caPem)
  for (const role of onlineRoles) await createOnlineKey(tx, masterKey, role, now)
  await sealKeyPair(tx, masterKey, { name: 'log-key', version: 1, createdAt: now })
  await store('device-token-key', random.bytes(32))
  await store('registry-token-key', random.bytes(32))
  await insertFact(tx, 'log-id', hexEncode(random.bytes(8)))
}

/** The names and addresses that a certificate is for. */
export function namesOf(certificatePem: string): string[] {
  const { subjectAltName = '' } = new X509Certificate(certificatePem)
  return subjectAltName.split(', ').map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
}

/** Whether clients that ask for the server by this name or address find it in the certificate. */
export function isNamedBy(certificatePem: string, name: string): boolean {
  const certificate = new X509Certificate(certificatePem)
  return isIP(name) === 0
    ? certificate.checkHost(name, { subject: 'never' }) !== undefined
    : certificate.checkIP(name) !== undefined
}

/**
 * Makes a new certificate for the same key, with the names it had and those given, signed by a new
 * CA whose key is dropped as the first one's was. Clients that pinned the key notice nothing; those
 * that trust `/ca.crt` fetch it again.
 */
export async function renewCertificate(
  tx: WriteTx,
  before: string,
  options: { names: readonly string[]; now: Date; random: Random },
): Promise<{ names: readonly string[] }> {
  const { recertify } = await import('./certificates.ts')
  const names = [...new Set([...options.names, ...namesOf(before)])]
  const made = await recertify(before, { ...options, names })
  invariant(pinOf(made.certificatePem) === pinOf(before), 'the key stays the same')
  await updateFact(tx, 'certificate', made.certificatePem)
  await updateFact(tx, 'ca', made.caPem)
  return { names: namesOf(made.certificatePem) }
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
  const tlsKeyPem = utf8Decode(await openSecret('tls-key'))
  const certificatePem = await readText('certificate')
  const logSigner = await readKeyPair(await openSecret('log-key'))
  const logOrigin = `seaworthy/${await readText('log-id')}`
  const noteKey = await createNoteKey(logOrigin, 'ed25519', hexDecode(logSigner.key.keyval.public))
  return {
    tlsKeyPem,
    certificatePem,
    caPem: await readText('ca'),
    pin: pinOf(certificatePem),
    logSigner: {
      key: noteKey,
      sign: async (message) => hexDecode(await logSigner.sign(new Uint8Array(message))),
    },
    logOrigin,
    deviceTokenKey: await openSecret('device-token-key'),
    registryTokenKey: await openSecret('registry-token-key'),
  }
}

function pinOf(certificatePem: string): string {
  const spki = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${base64UrlEncode(createHash('sha256').update(spki).digest())}`
}
