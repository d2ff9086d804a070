/** A certificate authority of an operator: a root, one authority below it, and what they issue. */
import '../app/trust/reflect-metadata.ts'
import { hexEncode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { dayMs, systemClock } from '@seaworthy/std/time'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const makeKeys = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
const serial = () => `01${hexEncode(systemRandom.bytes(15))}`
const authorityExtensions = [
  new x509.BasicConstraintsExtension(true, undefined, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
]

export interface TestAuthority {
  readonly rootPem: string
  readonly intermediatePem: string
  /** A certificate for the key and the names of a request (PKCS #10). */
  issue(requestPem: string, days?: { from: number; until: number }): Promise<string>
  /** A certificate that the holder of another one that was issued here signs without any right. */
  issueBelow(keyPem: string, requestPem: string): Promise<string>
  /** A new key, and a request for it. */
  request(names: readonly string[]): Promise<{ keyPem: string; requestPem: string }>
}

export async function createTestAuthority(): Promise<TestAuthority> {
  const now = systemClock.now().getTime()
  const inDays = (days: number) => new Date(now + days * dayMs)
  const span = (from: number, until: number) => ({
    notBefore: inDays(from),
    notAfter: inDays(until),
  })
  const rootKeys = await makeKeys()
  const keys = await makeKeys()
  const [rootName, name] = ['CN=Harbour Root', 'CN=Harbour Servers']
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...{ serialNumber: serial(), name: rootName, signingAlgorithm: algorithm, keys: rootKeys },
      ...{ ...span(-100, 1000), extensions: authorityExtensions },
    },
    crypto,
  )
  const intermediate = await x509.X509CertificateGenerator.create(
    {
      ...{ serialNumber: serial(), subject: name, issuer: rootName, ...span(-50, 500) },
      ...{ signingAlgorithm: algorithm, publicKey: keys.publicKey },
      ...{ signingKey: rootKeys.privateKey, extensions: authorityExtensions },
    },
    crypto,
  )
  const sign = async (
    requestPem: string,
    { issuer, key, ...dates }: { issuer: string; key: CryptoKey; notBefore: Date; notAfter: Date },
  ) => {
    const request = new x509.Pkcs10CertificateRequest(requestPem)
    if (!(await request.verify(crypto))) throw new Error('the request is not signed by its key')
    const names = request.extensions.find(({ type }) => type === '2.5.29.17')
    if (names === undefined) throw new Error('the request names nothing')
    const certificate = await x509.X509CertificateGenerator.create(
      {
        ...{ serialNumber: serial(), subject: 'CN=ship', issuer, ...dates },
        ...{ signingAlgorithm: algorithm, publicKey: request.publicKey },
        ...{ signingKey: key, extensions: [names] },
      },
      crypto,
    )
    return `${certificate.toString('pem')}\n`
  }
  return {
    rootPem: `${root.toString('pem')}\n`,
    intermediatePem: `${intermediate.toString('pem')}\n`,
    issue: (requestPem, { from, until } = { from: -1, until: 90 }) =>
      sign(requestPem, { issuer: name, key: keys.privateKey, ...span(from, until) }),
    async issueBelow(keyPem, requestPem) {
      const [der] = x509.PemConverter.decode(keyPem)
      const key = await crypto.subtle.importKey('pkcs8', der!, algorithm, false, ['sign'])
      return sign(requestPem, { issuer: 'CN=ship', key, ...span(-1, 90) })
    },
    async request(names) {
      const own = await makeKeys()
      const extensions = [
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: 'dns' as const, value })),
        ),
      ]
      const request = await x509.Pkcs10CertificateRequestGenerator.create(
        { name: 'CN=ship', keys: own, signingAlgorithm: algorithm, extensions },
        crypto,
      )
      const pkcs8 = await crypto.subtle.exportKey('pkcs8', own.privateKey)
      return {
        keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
        requestPem: request.toString('pem'),
      }
    },
  }
}
