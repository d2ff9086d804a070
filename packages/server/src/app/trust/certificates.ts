/** The names in the certificate that the server makes, and what is shown of any certificate. */
import { X509Certificate } from 'node:crypto'
import type { CertificateView } from '@seaworthy/api/certificates'
import { cutText } from '@seaworthy/std/printable'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { findNameFault } from '../../config/name-fault.ts'
import type { WriteTx } from '../../db/connection.ts'
import { lockFirstStart, notifyCertificate } from '../../db/server-facts.ts'
import type { App } from '../app.ts'
import type { CertificateRefusal } from '../refusals.ts'
import { nameOf } from './own-certificate.ts'
import type { ServerTls } from './server-tls.ts'
import { loadServerTls, namesOf, renewCertificate } from './server-tls.ts'

/** The most names, more than any installation has: every handshake carries the certificate. */
const namesMax = 100
const alwaysNamed: readonly string[] = ['localhost', '127.0.0.1', '0:0:0:0:0:0:0:1']

interface Changed {
  readonly tls: ServerTls
  readonly isUnchanged: boolean
}

type Deps = Pick<App, 'certificate' | 'db' | 'masterKey' | 'random'>

/** The most characters that are shown of an issuer: an authority may call itself what it likes. */
const issuerLengthMax = 500

export function viewCertificate(
  { certificate }: Pick<App, 'certificate'>,
  tls: ServerTls = certificate.current,
): CertificateView {
  const { isOwn, isByAcme, fault, namesGiven } = certificate
  const { issuer, validFromDate, validToDate } = new X509Certificate(tls.certificatePem)
  return {
    source: isOwn ? 'files' : isByAcme && tls === certificate.current ? 'acme' : 'made-here',
    names: namesOf(tls.certificatePem),
    namesGiven: [...namesGiven],
    issuer: cutText(nameOf(issuer), issuerLengthMax),
    notBefore: formatInstant(validFromDate),
    notAfter: formatInstant(validToDate),
    pin: tls.pin,
    problem: fault,
  }
}

/** Makes a request for the key that the server has made, whatever certificate it shows now. */
export async function makeCertificateRequest(app: Deps) {
  const made = await app.db.readSnapshot((tx) => loadServerTls(tx, app.masterKey))
  const names = namesOf(made.certificatePem).filter((name) => !alwaysNamed.includes(name))
  if (names.length === 0) {
    throw new Refusal<CertificateRefusal>(
      'server_name_needed',
      'this server has no name but localhost, for which no authority makes a certificate: add one with `seaworthy server name add`',
    )
  }
  return { requestPem: await requestCertificateFor(made, names), names, pin: made.pin }
}

/** A request (PKCS #10), in PEM, for these names and the server's key. */
export async function requestCertificateFor(
  { keyPem, certificatePem }: ServerTls,
  names: readonly string[],
): Promise<string> {
  const { requestFor } = await import('./make-certificate.ts')
  return requestFor(keyPem, certificatePem, names)
}

type CertifyChallenge = typeof import('./make-certificate.ts').certifyChallenge

/** The certificate that proves a name to an ACME authority on the port for TLS. */
export async function makeChallengeCertificate(
  ...given: Parameters<CertifyChallenge>
): ReturnType<CertifyChallenge> {
  const { certifyChallenge } = await import('./make-certificate.ts')
  return certifyChallenge(...given)
}

/** Throws `Refusal<CertificateRefusal>`. */
export async function addServerName(app: Deps, tx: WriteTx, given: string): Promise<Changed> {
  const name = given.toLowerCase()
  const fault = findNameFault(name)
  if (fault !== undefined) throw new Refusal<CertificateRefusal>('server_name_malformed', fault)
  return changeNames(app, tx, (names) => {
    if (names.includes(canonical(name))) return names
    if (names.length >= namesMax) {
      throw new Refusal<CertificateRefusal>(
        'server_names_too_many',
        `a certificate has at most ${namesMax} names: remove one with \`seaworthy server name remove\``,
      )
    }
    return [...names, name]
  })
}

/** Throws `Refusal<CertificateRefusal>`. */
export async function removeServerName(app: Deps, tx: WriteTx, given: string): Promise<Changed> {
  const name = canonical(given.toLowerCase())
  return changeNames(app, tx, (names) => {
    if (!names.includes(name)) {
      throw new Refusal<CertificateRefusal>(
        'server_name_not_found',
        `the certificate does not name ${given}: see \`seaworthy server certificate show\``,
      )
    }
    if (alwaysNamed.includes(name)) {
      throw new Refusal<CertificateRefusal>(
        'server_name_needed',
        `${given} stays: it means the machine itself`,
      )
    }
    if (app.certificate.namesGiven.some((one) => canonical(one) === name)) {
      throw new Refusal<CertificateRefusal>(
        'server_name_needed',
        `the server was started with --name ${given} and would not start again without it: leave the option out at the next start, then remove the name`,
      )
    }
    return names.filter((one) => one !== name)
  })
}

async function changeNames(
  app: Deps,
  tx: WriteTx,
  change: (names: readonly string[]) => readonly string[],
): Promise<Changed> {
  if (app.certificate.isOwn) {
    throw new Refusal<CertificateRefusal>(
      'certificate_from_files',
      'the certificate comes from the files of --tls-certificate: have one made for the names that you want and put it there',
    )
  }
  // Two changes at once would each make a certificate without the other's name.
  await lockFirstStart(tx)
  const before = await loadServerTls(tx, app.masterKey)
  const names = namesOf(before.certificatePem)
  const wanted = change(names)
  if (wanted === names) return { tls: before, isUnchanged: true }
  await renewCertificate(tx, before.certificatePem, {
    names: wanted,
    now: await tx.now(),
    random: app.random,
  })
  await notifyCertificate(tx)
  return { tls: await loadServerTls(tx, app.masterKey), isUnchanged: false }
}

/** Certificates write an IPv6 address in its long form. */
function canonical(name: string): string {
  if (!name.includes(':')) return name
  const url = URL.parse(`https://[${name}]`)
  const [head = '', tail] = (url?.hostname.slice(1, -1) ?? name).split('::')
  const groups = (text: string) => text.split(':').filter(Boolean)
  const [before, after] = [groups(head), tail === undefined ? [] : groups(tail)]
  const missing = tail === undefined ? 0 : 8 - before.length - after.length
  const all = [...before, ...Array.from({ length: missing }, () => '0'), ...after]
  return all.join(':')
}
