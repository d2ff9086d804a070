/** The server's certificate and the CA that signs it, made once at the first start. */
import './reflect-metadata.ts'
import { isIP } from 'node:net'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { dayMs } from '@seaworthy/std/time'
import * as x509 from '@peculiar/x509'

/** Ten years: the CA's key is gone, so a new certificate means a new CA and new pins. */
const certificateLifetimeMs = 3650 * dayMs

/** The CA's private key is made unextractable and is gone when this returns: it can sign nothing ever again. */
export async function createCertificates(options: {
  names: readonly string[]
  now: Date
  random: Random
}): Promise<{ keyPem: string; certificatePem: string; caPem: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const usages: ('sign' | 'verify')[] = ['sign', 'verify']
  const caKeys = await crypto.subtle.generateKey(algorithm, false, usages)
  const keys = await crypto.subtle.generateKey(algorithm, true, usages)
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
  const names = [...new Set([...options.names, 'localhost', '127.0.0.1', '::1'])]
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject: 'CN=Seaworthy server',
      issuer: caName,
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    crypto,
  )
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    certificatePem: certificate.toString('pem'),
    caPem: ca.toString('pem'),
  }
}
