/** Reading requests: paths, queries, ranges, bounded bodies. */
import type { IncomingMessage } from 'node:http'
import type { Digest } from '@seaworthy/oci/digests'
import { isDigest } from '@seaworthy/oci/digests'
import type { ByteRange } from '@seaworthy/oci/store'
import { isRepositoryName } from '@seaworthy/oci/names'
import { RegistryError } from './errors.ts'

export type Resource =
  | { kind: 'base' }
  | { kind: 'token' }
  | { kind: 'uploads'; repository: string }
  | { kind: 'upload'; repository: string; uploadId: string }
  | { kind: 'blob'; repository: string; digest: Digest }
  | { kind: 'manifest'; repository: string; reference: string }
  | { kind: 'tags'; repository: string }
  | { kind: 'referrers'; repository: string; digest: Digest }

export interface RegistryTarget {
  resource: Resource
  query: URLSearchParams
}

const urlLengthMax = 8192
const forms: readonly [Resource['kind'], RegExp][] = [
  ['uploads', /^\/v2\/(.+)\/blobs\/uploads\/?$/],
  ['upload', /^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/],
  ['blob', /^\/v2\/(.+)\/blobs\/([^/]+)$/],
  ['manifest', /^\/v2\/(.+)\/manifests\/([^/]+)$/],
  ['tags', /^\/v2\/(.+)\/tags\/list$/],
  ['referrers', /^\/v2\/(.+)\/referrers\/([^/]+)$/],
]

/** Throws `RegistryError` for a path that is not one of the API's. */
export function parseRegistryTarget(url: string): RegistryTarget {
  if (url.length > urlLengthMax) throw new RegistryError(414, 'NAME_INVALID', 'the URL is too long')
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  if (path === '/v2/' || path === '/v2') return { resource: { kind: 'base' }, query }
  if (path === '/v2/token') return { resource: { kind: 'token' }, query }
  for (const [kind, form] of forms) {
    const match = form.exec(path)
    if (match) return { resource: makeResource(kind, match[1]!, decode(match[2] ?? '')), query }
  }
  throw new RegistryError(404, 'UNSUPPORTED', 'no such endpoint')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new RegistryError(400, 'NAME_INVALID', 'the path is not well formed')
  }
}

function makeResource(kind: Resource['kind'], repository: string, rest: string): Resource {
  if (!isRepositoryName(repository)) {
    throw new RegistryError(400, 'NAME_INVALID', 'not a repository name')
  }
  switch (kind) {
    case 'uploads':
    case 'tags':
      return { kind, repository }
    case 'upload':
      return { kind, repository, uploadId: rest }
    case 'manifest':
      return { kind, repository, reference: rest }
    case 'blob':
    case 'referrers':
      return { kind, repository, digest: requireDigest(rest) }
    case 'base':
    case 'token':
      return { kind }
  }
}

export function requireDigest(text: string | null): Digest {
  if (text === null || !isDigest(text)) {
    throw new RegistryError(400, 'DIGEST_INVALID', 'a digest sha256:… or sha512:… is needed')
  }
  return text
}

/**
 * `Content-Range: <first>-<last>` of a chunk (distribution-spec, "Pushing a blob in chunks"),
 * inclusive; `undefined` when there is none.
 */
export function parseChunkRange(
  request: IncomingMessage,
): { start: number; length: number } | undefined {
  const text = request.headers['content-range']
  if (text === undefined) return undefined
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(text)
  const start = Number(match?.[1])
  const last = Number(match?.[2])
  if (!match || last < start) {
    throw new RegistryError(416, 'BLOB_UPLOAD_INVALID', 'Content-Range must be <first>-<last>')
  }
  const length = last - start + 1
  const announced = request.headers['content-length']
  if (announced !== undefined && Number(announced) !== length) {
    throw new RegistryError(400, 'SIZE_INVALID', 'Content-Range and Content-Length do not agree')
  }
  return { start, length }
}

/**
 * The one range of a GET (RFC 9110 §14). Answers `undefined` for the whole, also when the header is
 * not understood. Throws 416.
 */
export function parseByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const isSuffix = match[1] === ''
  const start = isSuffix ? Math.max(0, size - Number(match[2])) : Number(match[1])
  const end = isSuffix || match[2] === '' ? size : Math.min(size, Number(match[2]) + 1)
  if (!isSuffix && match[2] !== '' && Number(match[2]) < start) return undefined
  if (start >= size || end <= start) {
    throw new RegistryError(416, 'SIZE_INVALID', 'there are no such bytes', {
      headers: { 'content-range': `bytes */${size}` },
    })
  }
  return { start, end }
}

/** A page size: at least 0, at most `max`; `max` when none is asked for. */
export function parsePageSize(text: string | null, max: number): number {
  if (text === null) return max
  if (!/^\d{1,9}$/.test(text)) throw new RegistryError(400, 'UNSUPPORTED', 'n is not a number')
  return Math.min(max, Number(text))
}

/**
 * `?mount=<digest>&from=<repository>` of a POST (end-11); `undefined` when nothing is to be
 * mounted.
 */
export function parseMount(query: URLSearchParams): { digest: Digest; from: string } | undefined {
  const mount = query.get('mount')
  const from = query.get('from')
  if (mount === null || from === null || !isRepositoryName(from)) return undefined
  return { digest: requireDigest(mount), from }
}
