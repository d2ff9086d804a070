/**
 * A certificate that operators bring themselves, judged before any client sees it: what a client
 * would refuse is refused here, in a sentence that says what to do.
 */
import type { KeyObject } from 'node:crypto'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { quoted } from '@seaworthy/std/printable'
import { isNamedBy, namesOf, pinOf } from './server-tls.ts'
import type { ServerTls } from './server-tls.ts'

/** The certificate cannot be used, or clients would refuse it; the message says what to do. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

/** What the files hold, not judged yet. */
export interface OwnCertificate {
  /** `null` for what an ACME authority has sent. */
  readonly certificateFile: string | null
  readonly chainPem: string
  /** `null` where the certificate is for the key that the server has made. */
  readonly key: { readonly file: string; readonly pem: string } | null
}

export interface CertificateRules {
  /** What clients call the server; every one must be in the certificate. */
  readonly names: readonly string[]
  readonly now: Date
  /** The key that the server has made. */
  readonly madeKeyPem: string
  /** Roots (PEM) that clients know without being told. */
  readonly publicRoots: readonly string[]
}

const pemForm = /-----BEGIN CERTIFICATE-----[^-]{1,100000}-----END CERTIFICATE-----/g
const chainMax = 10

/** Throws `CertificateError`. */
export function judgeCertificate(own: OwnCertificate, rules: CertificateRules): ServerTls {
  const where = placeOf(own)
  const chain = readChain(own)
  const [leaf] = chain
  const certificatePem = chain.map((one) => one.toString()).join('')
  const { key, pem: keyPem } = readKey(own, rules)
  if (!leaf.checkPrivateKey(key)) {
    throw new CertificateError(
      own.certificateFile === null
        ? `${where} is not for the key of this server: choose another authority`
        : own.key === null
          ? `${where} is not for the key of this server: let it be made for what \`seaworthy server certificate request\` prints, or name its key with --tls-key`
          : `${where} and --tls-key ${own.key.file} do not belong together: give the key for which the certificate was made`,
    )
  }
  requireValidNow(leaf, where, rules.now)
  const names = namesOf(certificatePem)
  const unnamed = rules.names.filter((name) => !isNamedBy(certificatePem, name))
  if (names.length === 0 || unnamed.length > 0) {
    const lacking = unnamed.length === 0 ? 'any name' : unnamed.join(', ')
    throw new CertificateError(
      `${where} does not name ${lacking} (it names ${names.length === 0 ? 'nothing' : quoted(names.join(', '))}), so clients would refuse it there: ` +
        'let a certificate be made for all names of the server, or leave out the --name',
    )
  }
  const isSent = own.certificateFile === null
  requireInOrder(chain, where)
  if (isSent) for (const above of chain.slice(1)) requireValidNow(above, where, rules.now)
  const caPem = findRoot(chain.at(-1)!, { where, isSent }, rules.publicRoots)
  try {
    createSecureContext({ key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' })
  } catch (cause) {
    throw new CertificateError(`${where} cannot be used for TLS 1.3: ${reasonOf(cause)}`, { cause })
  }
  return { keyPem, certificatePem, caPem, pin: pinOf(certificatePem), namedByPem: certificatePem }
}

function placeOf({ certificateFile }: OwnCertificate): string {
  return certificateFile === null
    ? 'the certificate that the authority has sent'
    : `--tls-certificate ${certificateFile}`
}

function readChain(own: OwnCertificate): [X509Certificate, ...X509Certificate[]] {
  const blocks = own.chainPem.match(pemForm) ?? []
  try {
    const [leaf, ...others] = blocks.slice(0, chainMax).map((pem) => new X509Certificate(pem))
    if (leaf !== undefined && blocks.length <= chainMax) return [leaf, ...others]
  } catch {
    // The sentence below says it for every kind of damage.
  }
  throw new CertificateError(
    `${placeOf(own)} is no certificate chain: give a PEM file with the certificate of the server first, then those of its authorities, at most ${chainMax} in all`,
  )
}

function readKey(own: OwnCertificate, rules: CertificateRules): { key: KeyObject; pem: string } {
  if (own.key === null) {
    return { key: createPrivateKey(rules.madeKeyPem), pem: rules.madeKeyPem }
  }
  const { file, pem } = own.key
  try {
    return { key: createPrivateKey(pem), pem }
  } catch (cause) {
    const isLocked = /passphrase|password|interrupted|cancelled/i.test(reasonOf(cause))
    throw new CertificateError(
      isLocked
        ? `--tls-key ${file} is locked by a passphrase, which nobody can type when the server starts: give the key without one, in a file that only the server's account can read`
        : `--tls-key ${file} is no private key in PEM form`,
      { cause },
    )
  }
}

function requireValidNow(leaf: X509Certificate, where: string, now: Date): void {
  if (leaf.validToDate <= now) {
    throw new CertificateError(
      `${where} expired at ${leaf.validToDate.toISOString()}: put a renewed one in its place`,
    )
  }
  if (leaf.validFromDate > now) {
    throw new CertificateError(
      `${where} is valid only from ${leaf.validFromDate.toISOString()}: check the clock of this machine, or wait`,
    )
  }
}

/**
 * Clients find the way to the root by what the server sends, so that each certificate must be
 * followed by its issuer's. Only an authority can be an issuer: otherwise anybody with a public
 * certificate could issue others below it.
 */
function requireInOrder(chain: readonly X509Certificate[], where: string): void {
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1]
    if (issuer === undefined) continue
    if (!isIssuedBy(certificate, issuer)) {
      throw new CertificateError(
        `${where}: certificate ${i + 1} (${quoted(nameOf(certificate.subject))}) is followed by ${quoted(nameOf(issuer.subject))}, which has not issued it: put each certificate before that of its issuer`,
      )
    }
    // Roots of the first version of X.509 do not say that they are authorities.
    if (!issuer.ca && !isIssuedBy(issuer, issuer)) {
      throw new CertificateError(
        `${where}: certificate ${i + 2} (${quoted(nameOf(issuer.subject))}) is not that of an authority, so clients would refuse what it has issued: let the certificate be made by an authority`,
      )
    }
  }
}

/**
 * The root that `last`, the end of the chain, leads to. Operators bring a root of their own in
 * their file. What an authority sends ends at a root that clients or the operator know already: one
 * that it has made up would be handed out to be imported.
 */
function findRoot(
  last: X509Certificate,
  { where, isSent }: { where: string; isSent: boolean },
  publicRoots: readonly string[],
): string {
  const isRoot = isIssuedBy(last, last)
  if (isRoot && !isSent) return last.toString()
  for (const pem of publicRoots) {
    if (!pem.includes('BEGIN CERTIFICATE')) continue
    const root = new X509Certificate(pem)
    if (root.subject === last.issuer && isIssuedBy(last, root)) return root.toString()
  }
  const wayOut = isSent
    ? 'Where the authority is not a public one, give its root with --acme-ca'
    : 'Append it, and those above it; of an authority of your own the root too'
  throw new CertificateError(
    isRoot
      ? `${where} ends at ${quoted(nameOf(last.subject))}, which is none of the roots that clients know. ${wayOut}`
      : `${where} is incomplete: nothing in it leads from ${quoted(nameOf(last.subject))} to a root, because the certificate of its issuer ${quoted(nameOf(last.issuer))} is missing. ${wayOut}`,
  )
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/** A distinguished name on one line. */
export function nameOf(distinguished: string): string {
  return distinguished.split('\n').join(', ') || 'one without a name'
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
