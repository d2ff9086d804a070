/**
 * Makes certificates (X.509) of the server's key, and the CA that signs one; pure but for its
 * randomness. When one is made, and where it is kept, is for `server-tls.ts` and its callers.
 */
import './reflect-metadata.ts'
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { hexEncode, joinBytes } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { dayMs } from '@seaworthy/std/time'
import * as x509 from '@peculiar/x509'

/** The lifetime is ten years, because the CA's key is gone and a new certificate means a new CA. */
const certificateLifetimeMs = 3650 * dayMs

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const usages: ('sign' | 'verify')[] = ['sign', 'verify']

interface CertificateOptions {
  readonly names: readonly string[]
  readonly now: Date
  readonly random: Random
}

export interface Certificates {
  readonly certificatePem: string
  readonly caPem: string
}

/** Makes a new key and its certificate. */
export async function createCertificates(
  options: CertificateOptions,
): Promise<Certificates & { readonly keyPem: string }> {
  const keys = await crypto.subtle.generateKey(algorithm, true, usages)
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    ...(await certify(keys.publicKey, options)),
  }
}

/**
 * Makes another certificate for the key of `certificatePem`. Pins stay valid, because they name the
 * key.
 */
export async function recertify(
  certificatePem: string,
  options: CertificateOptions,
): Promise<Certificates> {
  const { rawData } = new x509.X509Certificate(certificatePem).publicKey
  const publicKey = await crypto.subtle.importKey('spki', rawData, algorithm, true, ['verify'])
  return certify(publicKey, options)
}

/**
 * Makes the certificate, with a key of its own, that proves a name to an ACME authority: it is for
 * that name alone and carries the hash of the answer (RFC 8737).
 */
export async function certifyChallenge(
  name: string,
  answer: string,
  { now, random }: Pick<CertificateOptions, 'now' | 'random'>,
): Promise<{ readonly keyPem: string; readonly certificatePem: string }> {
  const keys = await crypto.subtle.generateKey(algorithm, true, usages)
  const hash = createHash('sha256').update(answer).digest()
  // An OCTET STRING of 32 bytes, in DER.
  const identifier = joinBytes([new Uint8Array([4, hash.length]), hash])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: `01${hexEncode(random.bytes(15))}`,
      name: 'CN=Seaworthy challenge',
      notBefore: new Date(now.getTime() - dayMs),
      notAfter: new Date(now.getTime() + 7 * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        alternativeNames([name]),
        new x509.Extension('1.3.6.1.5.5.7.1.31', true, identifier),
      ],
    },
    crypto,
  )
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    certificatePem: certificate.toString('pem'),
  }
}

/** A request for a certificate (PKCS #10), in PEM, for the key of `certificatePem`. */
export async function requestFor(
  keyPem: string,
  certificatePem: string,
  names: readonly string[],
): Promise<string> {
  const [der] = x509.PemConverter.decode(keyPem)
  const privateKey = await crypto.subtle.importKey('pkcs8', der!, algorithm, false, ['sign'])
  const { rawData } = new x509.X509Certificate(certificatePem).publicKey
  const publicKey = await crypto.subtle.importKey('spki', rawData, algorithm, true, ['verify'])
  const commonName = names.find((name) => isIP(name) === 0 && name.length <= 64)
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      // Public authorities take a common name only where it is one of the names.
      name: commonName === undefined ? '' : `CN=${commonName}`,
      keys: { privateKey, publicKey },
      signingAlgorithm: algorithm,
      extensions: [alternativeNames(names)],
    },
    crypto,
  )
  return request.toString('pem')
}

function alternativeNames(names: readonly string[]): x509.SubjectAlternativeNameExtension {
  return new x509.SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
  )
}

/**
 * Signs a certificate by a new CA. The CA's private key is unextractable and gone when this
 * returns: it can never sign anything again.
 */
async function certify(publicKey: CryptoKey, options: CertificateOptions): Promise<Certificates> {
  const caKeys = await crypto.subtle.generateKey(algorithm, false, usages)
  const notBefore = new Date(options.now.getTime() - dayMs)
  const notAfter = new Date(options.now.getTime() + certificateLifetimeMs)
  const serial = () => `01${hexEncode(options.random.bytes(15))}`
  const caName = `CN=Seaworthy CA ${hexEncode(options.random.bytes(4))}`
  const ca = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(),
      name: caName,
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      keys: caKeys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
      ],
    },
    crypto,
  )
  const given = options.names.map((name) => (name === '0:0:0:0:0:0:0:1' ? '::1' : name))
  const names = [...new Set([...given, 'localhost', '127.0.0.1', '::1'])]
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject: 'CN=Seaworthy server',
      issuer: caName,
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        alternativeNames(names),
        await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    },
    crypto,
  )
  return { certificatePem: certificate.toString('pem'), caPem: ca.toString('pem') }
}
