/**
 * AWS Signature Version 4 for S3, in the Authorization header ("Authenticating Requests: Using the
 * Authorization Header").
 */
import { createHmac, hash } from 'node:crypto'

export interface S3Credentials {
  accessKeyId: string
  secretAccessKey: string
  /** Token of temporary credentials. */
  sessionToken?: string | undefined
}

export interface UnsignedRequest {
  method: string
  /**
   * Host as the server will see it; path and query already encoded as `encodeS3Path` and
   * `encodeS3Query` do.
   */
  host: string
  path: string
  query: string
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>
  /** SHA-256 of the body in hex: the server refuses a body that is another. */
  bodySha256: string
}

const algorithm = 'AWS4-HMAC-SHA256'
const sha256Hex = (text: string) => hash('sha256', text, 'hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

/** RFC 3986: everything but letters, digits and `-._~`, as the canonical request has it. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

export function encodeS3Path(path: string): string {
  return path.split('/').map(encodeStrictly).join('/')
}

/** The query sorted by name, as it must be signed. */
export function encodeS3Query(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => [encodeStrictly(name), encodeStrictly(value)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** The headers to send, `authorization` among them; none holds the secret. */
export function signRequest(
  request: UnsignedRequest,
  credentials: S3Credentials,
  { region, at }: { region: string; at: Date },
): Record<string, string> {
  const instant = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = instant.slice(0, 8)
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-amz-content-sha256': request.bodySha256,
    'x-amz-date': instant,
    ...(credentials.sessionToken === undefined
      ? {}
      : { 'x-amz-security-token': credentials.sessionToken }),
  }
  const names = Object.keys(headers).toSorted()
  const canonical = [
    request.method,
    request.path,
    request.query,
    ...names.map((name) => `${name}:${headers[name]!.trim()}`),
    '',
    names.join(';'),
    request.bodySha256,
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = [algorithm, instant, scope, sha256Hex(canonical)].join('\n')
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  )
  headers['authorization'] =
    `${algorithm} Credential=${credentials.accessKeyId}/${scope},SignedHeaders=${names.join(';')},Signature=${hmac(key, text).toString('hex')}`
  return headers
}
