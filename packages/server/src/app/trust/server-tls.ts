/**
 * The key and certificate by which clients know the server. They are made at the first start, the
 * key sealed; the key of the CA that signs the certificate never leaves memory and is dropped.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { base64UrlEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { invariant } from '@seaworthy/std/refusal'
import type { MasterKey } from '../../config/master-key.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { insertSecret, readSecret } from '../../db/online-secrets.ts'
import { insertFact, readFact, updateFact } from '../../db/server-facts.ts'

export interface ServerTls {
  readonly keyPem: string
  /** The certificate, then those that lead to its root. */
  readonly certificatePem: string
  /** The root, which clients without a pin trust. */
  readonly caPem: string
  /** The hash of the certificate's SubjectPublicKeyInfo, as `sha256:<base64url>`. */
  readonly pin: string
  /** The certificate with all names by which clients find the server. */
  readonly namedByPem: string
}

/** An own certificate that the primary process has read and judged. */
export interface OwnTls {
  readonly tls: ServerTls
  /** Why what the files hold now is not served; `null` when it is. */
  readonly fault: string | null
}

interface MakeOptions {
  readonly names: readonly string[]
  readonly now: Date
  readonly random: Random
}

/** Makes and stores a key and its certificate. The database must have none yet. */
export async function createServerTls(
  tx: WriteTx,
  masterKey: MasterKey,
  options: MakeOptions,
): Promise<void> {
  // The module is needed only when a certificate is made, so no worker loads it at its start.
  const { createCertificates } = await import('./make-certificate.ts')
  const made = await createCertificates(options)
  const sealed = masterKey.seal('tls-key', 1, utf8Encode(made.keyPem))
  await insertSecret(tx, { name: 'tls-key', version: 1, sealed, createdAt: options.now })
  await insertFact(tx, 'certificate', made.certificatePem)
  await insertFact(tx, 'ca', made.caPem)
}

/** Throws `SealError` when the master key is another one, or the database was changed. */
export async function loadServerTls(tx: ReadTx, masterKey: MasterKey): Promise<ServerTls> {
  const secret = await readSecret(tx, 'tls-key')
  const certificatePem = await readFact(tx, 'certificate')
  const caPem = await readFact(tx, 'ca')
  if (secret === undefined || certificatePem === undefined || caPem === undefined) {
    throw new Error('the database lacks the key and certificate of the server')
  }
  const keyPem = utf8Decode(masterKey.open('tls-key', secret.version, secret.sealed))
  return { keyPem, certificatePem, caPem, pin: pinOf(certificatePem), namedByPem: certificatePem }
}

/**
 * Reads the same with the certificate that an ACME authority has made for this key, if there is
 * one. The server still goes by all of its names: those for which no authority makes certificates
 * count for clients that pin the key.
 */
export async function loadAcmeTls(tx: ReadTx, made: ServerTls): Promise<ServerTls> {
  const certificatePem = await readFact(tx, 'acme-certificate')
  const caPem = await readFact(tx, 'acme-ca')
  if (certificatePem === undefined || caPem === undefined) return made
  return pinOf(certificatePem) === made.pin ? { ...made, certificatePem, caPem } : made
}

/**
 * Makes a new certificate for the same key and exactly these names (and localhost), signed by a new
 * CA whose key is dropped as the first one's was. Clients that pinned the key notice nothing; those
 * that trust `/ca.crt` fetch it again.
 */
export async function renewCertificate(
  tx: WriteTx,
  before: string,
  options: MakeOptions,
): Promise<{ names: readonly string[] }> {
  const { recertify } = await import('./make-certificate.ts')
  const made = await recertify(before, options)
  invariant(pinOf(made.certificatePem) === pinOf(before), 'the key stays the same')
  await updateFact(tx, 'certificate', made.certificatePem)
  await updateFact(tx, 'ca', made.caPem)
  return { names: namesOf(made.certificatePem) }
}

/** The names and addresses that a certificate is for. */
export function namesOf(certificatePem: string): string[] {
  const { subjectAltName = '' } = new X509Certificate(certificatePem)
  return subjectAltName
    .split(', ')
    .filter((entry) => /^(?:DNS|IP Address):/.test(entry))
    .map((entry) => entry.replace(/^(?:DNS|IP Address):/, '').toLowerCase())
}

/** Whether clients that ask for the server by this name or address find it in the certificate. */
export function isNamedBy(certificatePem: string, name: string): boolean {
  const certificate = new X509Certificate(certificatePem)
  return isIP(name) === 0
    ? certificate.checkHost(name, { subject: 'never' }) !== undefined
    : certificate.checkIP(name) !== undefined
}

export function pinOf(certificatePem: string): string {
  const spki = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${base64UrlEncode(createHash('sha256').update(spki).digest())}`
}
