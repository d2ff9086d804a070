/**
 * The error codes of the distribution specification 1.1 ("Error Codes"), and the one that each of
 * our refusals has.
 */
import type { ServerResponse } from 'node:http'
import type { ContentFault } from '@seaworthy/oci/digests'
import type { ManifestRefusal } from '@seaworthy/oci/manifests'
import type { StoreRefusal } from '@seaworthy/oci/store'
import { ObjectStoreError } from '@seaworthy/oci/store/s3'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { StorageRefusal } from '../../app/content/index.ts'
import { TooOftenRefusal } from '../../app/worker/index.ts'
import type { HttpRefusal } from '../problems.ts'
import { HttpError } from '../problems.ts'
import type { RegistryPorts } from './ports.ts'

export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'

/** An answer that ends the request. `message` is public. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly status: number
  readonly code: RegistryErrorCode
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: RegistryErrorCode,
    publicMessage: string,
    options: { headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(publicMessage, options.cause === undefined ? {} : { cause: options.cause })
    this.status = status
    this.code = code
    this.headers = options.headers ?? {}
  }
}

type Mapped = ManifestRefusal | StoreRefusal | ContentFault | StorageRefusal

const answers = {
  quota_exceeded: [413, 'DENIED'],
  uploads_too_many: [429, 'TOOMANYREQUESTS'],
  manifest_too_large: [413, 'SIZE_INVALID'],
  manifest_not_json: [400, 'MANIFEST_INVALID'],
  manifest_malformed: [400, 'MANIFEST_INVALID'],
  manifest_media_type: [400, 'MANIFEST_INVALID'],
  digest_mismatch: [400, 'DIGEST_INVALID'],
  blob_unknown: [404, 'BLOB_UNKNOWN'],
  manifest_unknown: [404, 'MANIFEST_UNKNOWN'],
  manifest_child_unknown: [404, 'MANIFEST_BLOB_UNKNOWN'],
  tag_invalid: [400, 'MANIFEST_INVALID'],
  upload_unknown: [404, 'BLOB_UPLOAD_UNKNOWN'],
  upload_offset: [416, 'BLOB_UPLOAD_INVALID'],
  upload_too_large: [413, 'SIZE_INVALID'],
  // A damaged manifest counts as gone; pushing it again repairs it.
  content_damaged: [404, 'MANIFEST_UNKNOWN'],
  root_unreadable: [403, 'DENIED'],
  too_many_referrers: [403, 'DENIED'],
  wrong_hash: [400, 'DIGEST_INVALID'],
  wrong_length: [400, 'SIZE_INVALID'],
  endless_data: [413, 'SIZE_INVALID'],
} as const satisfies Record<Mapped, readonly [number, RegistryErrorCode]>

/** Answers to bodies that break the limits of size or time. */
const bodyAnswers = {
  body_too_large: [413, 'SIZE_INVALID'],
  body_timed_out: [408, 'UNSUPPORTED'],
} as const satisfies Partial<Record<HttpRefusal, readonly [number, RegistryErrorCode]>>

export function tooManyRequests(retryAfterSeconds: number): RegistryError {
  return new RegistryError(429, 'TOOMANYREQUESTS', 'too many requests', {
    headers: { 'retry-after': String(retryAfterSeconds) },
  })
}

/** Throws 429 where the actor has no change left. */
export async function requireChange<Actor>(
  ports: Pick<RegistryPorts<Actor>, 'spendChange'>,
  actor: Actor,
): Promise<void> {
  const seconds = await ports.spendChange(actor)
  if (seconds === undefined) return
  throw new RegistryError(
    429,
    'TOOMANYREQUESTS',
    `this token has changed more here than any build needs, and each change is an entry of the log: it may change something again in ${seconds} s`,
    { headers: { 'retry-after': String(seconds) } },
  )
}

/** The answer to an error, or `undefined` for a bug or a failure outside the program. */
export function toRegistryError(error: unknown): RegistryError | undefined {
  if (error instanceof RegistryError) return error
  if (error instanceof ObjectStoreError && error.isPassing) {
    const message = 'the store of content does not answer at the moment'
    const headers = { 'retry-after': '5' }
    return new RegistryError(503, 'UNSUPPORTED', message, { headers, cause: error })
  }
  if (error instanceof HttpError && Object.hasOwn(bodyAnswers, error.code)) {
    const [status, code] = bodyAnswers[error.code as keyof typeof bodyAnswers]
    const { headers, message } = error
    return new RegistryError(status, code, message, { headers: { ...headers } })
  }
  if (!(error instanceof Refusal) && !(error instanceof TrustError)) return undefined
  if (!Object.hasOwn(answers, error.code)) return undefined
  const [status, code] = answers[error.code as Mapped]
  const headers: Record<string, string> =
    error instanceof TooOftenRefusal ? { 'retry-after': String(error.retryAfterSeconds) } : {}
  return new RegistryError(status, code, error.message, { headers, cause: error })
}

export function sendRegistryError(response: ServerResponse, error: RegistryError): void {
  sendJson(
    response,
    error.status,
    { errors: [{ code: error.code, message: error.message }] },
    error.headers,
  )
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(value))
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': bytes.length,
    ...headers,
  })
  response.end(bytes)
}
