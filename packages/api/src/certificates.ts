/** The certificate by which clients know the server, and the names in it. */
import { z } from 'zod'
import { instant, text } from './fields.ts'
import { defineRoute } from './route.ts'

const serverName = text(253, 1)

const certificateView = z.object({
  /** Made by the server itself, from the files of `--tls-certificate`, or by an ACME authority. */
  source: z.enum(['made-here', 'files', 'acme']),
  /** Names and addresses by which clients find the server in it. */
  names: z.array(z.string()),
  /** Those with which the server that answers was started. */
  namesGiven: z.array(z.string()),
  issuer: z.string(),
  notBefore: instant,
  notAfter: instant,
  /** What command lines and devices pin, `sha256:<base64url of SHA-256 of the SPKI DER>`. */
  pin: z.string(),
  /** Why what the files hold now is not served, or why an ACME authority gave no certificate. */
  problem: z.string().nullable(),
})

export type CertificateView = z.output<typeof certificateView>

export const showCertificate = defineRoute({
  name: 'certificate.show',
  method: 'GET',
  path: '/v1/server/certificate',
  auth: 'actor',
  summary: 'Show the certificate of the server: names, issuer, dates, and the key that is pinned.',
  reply: certificateView,
})

export const requestCertificate = defineRoute({
  name: 'certificate.request',
  method: 'GET',
  path: '/v1/server/certificate/request',
  auth: 'actor',
  summary:
    'Make a request (PKCS #10) by which an authority certifies the key and the names of the server.',
  reply: z.object({ requestPem: z.string(), names: z.array(z.string()), pin: z.string() }),
})

export const addServerName = defineRoute({
  name: 'certificate.add-name',
  method: 'PUT',
  path: '/v1/server/names/:name',
  auth: 'actor',
  stepUp: true,
  summary:
    'Add a name or address to the server’s certificate, which is made anew under the same key.',
  params: z.strictObject({ name: serverName }),
  reply: certificateView,
})

export const removeServerName = defineRoute({
  name: 'certificate.remove-name',
  method: 'DELETE',
  path: '/v1/server/names/:name',
  auth: 'actor',
  stepUp: true,
  summary:
    'Remove a name or address from the server’s certificate, which is made anew under the same key.',
  params: z.strictObject({ name: serverName }),
  reply: certificateView,
})
