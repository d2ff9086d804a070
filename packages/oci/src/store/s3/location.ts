/** The address of a store in object storage: `s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME]`. */

export interface S3Location {
  bucket: string
  /** Empty, or ends with `/`. */
  prefix: string
  /** An origin such as `https://s3.example`, or `null`: Amazon's of the region. */
  endpoint: string | null
  region: string
}

const bucketForm = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const prefixForm = /^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\/){0,8}$/
const regionForm = /^[a-z0-9-]{1,40}$/

/** Whether an address never leaves this machine, so that nobody can listen in. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function parseEndpoint(text: string): string {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '') {
    throw new SyntaxError('the endpoint is no URL of the form https://HOST[:PORT]')
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new SyntaxError('the endpoint has a path or a query; give https://HOST[:PORT] alone')
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new SyntaxError('the endpoint must be https; http is for this machine alone')
  }
  return url.origin
}

/**
 * Throws `SyntaxError` saying what is wrong. What the text leaves out comes from `defaults`, then
 * Amazon's own.
 */
export function parseS3Location(
  text: string,
  defaults: { endpoint?: string | undefined; region?: string | undefined } = {},
): S3Location {
  const match = /^s3:\/\/([^/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text)
  if (!match) throw new SyntaxError('not of the form s3://BUCKET/PREFIX?endpoint=URL&region=NAME')
  const [, bucket, path = '', query = ''] = match
  if (!bucketForm.test(bucket!)) throw new SyntaxError('not the name of a bucket')
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`
  if (!prefixForm.test(prefix))
    throw new SyntaxError('the prefix has other characters than A-Za-z0-9._-/')
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (name !== 'endpoint' && name !== 'region') {
      throw new SyntaxError('it takes the parameters endpoint and region alone')
    }
  }
  const endpoint = parameters.get('endpoint') ?? defaults.endpoint
  const region = parameters.get('region') ?? defaults.region ?? 'us-east-1'
  if (!regionForm.test(region)) throw new SyntaxError('not the name of a region')
  return {
    bucket: bucket!,
    prefix,
    endpoint: endpoint === undefined ? null : parseEndpoint(endpoint),
    region,
  }
}

/**
 * Origin and path before the key. Amazon wants the bucket in the host name; self-hosted servers
 * seldom have such names.
 */
export function addressBucket({ bucket, endpoint, region }: S3Location): {
  origin: string
  path: string
} {
  if (endpoint !== null) return { origin: endpoint, path: `/${bucket}` }
  const host = `s3.${region}.amazonaws.com`
  // No certificate of Amazon's covers a name with a dot.
  if (bucket.includes('.')) return { origin: `https://${host}`, path: `/${bucket}` }
  return { origin: `https://${bucket}.${host}`, path: '' }
}
