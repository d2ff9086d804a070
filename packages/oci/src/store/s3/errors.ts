/**
 * What an object store answered when it did not do what was asked, in words for the operator of the
 * server. No error holds a key or a signature.
 */
import type { HttpResponse } from '@seaworthy/std/http'
import type { S3Location } from './location.ts'
import { xmlText } from './xml.ts'

export type ObjectStoreFault =
  | 'unreachable'
  | 'credentials'
  | 'denied'
  | 'bucket'
  | 'region'
  | 'clock'
  | 'busy'
  | 'unsupported'
  | 'failed'

/** The object store failed or refused; the message says what to do about it. */
export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError'
  readonly fault: ObjectStoreFault

  constructor(fault: ObjectStoreFault, publicMessage: string, options?: { cause?: unknown }) {
    super(publicMessage, options)
    this.fault = fault
  }

  /** Whether the same request is likely to succeed a little later. */
  get isPassing(): boolean {
    return this.fault === 'busy' || this.fault === 'unreachable'
  }
}

const faults: Readonly<Record<string, ObjectStoreFault>> = {
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  InvalidToken: 'credentials',
  // Versitygw's word for an access key that it does not know.
  XAdminUserNotFound: 'credentials',
  ExpiredToken: 'credentials',
  TokenRefreshRequired: 'credentials',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  NoSuchBucket: 'bucket',
  InvalidBucketName: 'bucket',
  AuthorizationHeaderMalformed: 'region',
  PermanentRedirect: 'region',
  IllegalLocationConstraintException: 'region',
  RequestTimeTooSkewed: 'clock',
  RequestExpired: 'clock',
  SlowDown: 'busy',
  SlowDownRead: 'busy',
  SlowDownWrite: 'busy',
  InternalError: 'busy',
  ServiceUnavailable: 'busy',
  RequestTimeout: 'busy',
  ConditionalRequestConflict: 'busy',
  OperationAborted: 'busy',
  NotImplemented: 'unsupported',
}

function faultOf(status: number, code: string | undefined): ObjectStoreFault {
  const known = code === undefined ? undefined : faults[code]
  if (known !== undefined) return known
  if (status === 409 || status === 429 || status >= 500) return 'busy'
  if (status === 401) return 'credentials'
  if (status === 403) return 'denied'
  return status >= 300 && status < 400 ? 'region' : 'failed'
}

/** The error that an unexpected answer means. */
export function readFault(
  response: HttpResponse,
  text: string,
  { location, now }: { location: S3Location; now: Date },
): ObjectStoreError {
  const code = xmlText(text, 'Code')?.slice(0, 100)
  const fault = faultOf(response.status, code)
  const where = `the object store${location.endpoint === null ? '' : ` at ${location.endpoint}`}`
  const what = `${where} answered ${response.status}${code === undefined ? '' : ` ${code}`}`
  const advice: Record<ObjectStoreFault, string> = {
    unreachable: 'it cannot be reached',
    credentials:
      'it does not accept the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN, if they are temporary)',
    denied: `these credentials may not do that in the bucket ${location.bucket}: they need to list, read, write and delete objects in it`,
    bucket: `there is no bucket ${location.bucket}: make it first, or correct --blobs`,
    region: `the bucket ${location.bucket} does not belong to the region ${location.region}: set region= in --blobs${suggestRegion(text, response)}`,
    clock: `its clock says ${response.headers['date'] ?? 'something else'} and that of this machine ${now.toUTCString()}: set this machine's clock`,
    busy: 'it is overloaded or failing; trying again did not help',
    unsupported: 'it does not know what is needed here',
    failed: 'it refuses the request',
  }
  return new ObjectStoreError(fault, `${what}: ${advice[fault]}`)
}

function suggestRegion(text: string, response: HttpResponse): string {
  const region = xmlText(text, 'Region') ?? response.headers['x-amz-bucket-region']
  return region !== undefined && /^[a-z0-9-]{1,40}$/.test(region) ? ` (it names ${region})` : ''
}
