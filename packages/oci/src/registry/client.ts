/**
 * A client for registries of the distribution specification 1.1. Everything that comes is bounded
 * and verified against the digest that was asked for; blobs are streamed, and resumed where a
 * connection broke. Redirects are followed for reading only, without credentials.
 */
import type { HttpRequest, HttpResponse, Transport } from '@seaworthy/std/http'
import { isRedirect, TransportError } from '@seaworthy/std/http'
import { Refusal } from '@seaworthy/std/refusal'
import type { ContentRefusal, ContentSource, ContentTarget } from '../content.ts'
import type { Digest, ExpectedContent } from '../digests.ts'
import { digestAlgorithm, digestOf, isDigest, verifyBytes, verifyStream } from '../digests.ts'
import type { Descriptor } from '../manifests.ts'
import { manifestSizeMax, mediaTypes, parseManifest } from '../manifests.ts'
import { isRepositoryName, isTag, referrersTag } from '../names.ts'
import {
  discard,
  nextPage,
  parseAnswer,
  parseLocation,
  readBounded,
  refuse,
  requireStatus,
} from './answers.ts'
import type { RegistryCredentials } from './tokens.ts'
import { createTokenKeeper } from './tokens.ts'

export interface RegistryClientOptions {
  transport: Transport
  /** An origin without a path: `https://host:port`. */
  origin: string
  credentials?: RegistryCredentials
  /**
   * How often a blob that breaks off is resumed without having received a byte in between; 3 when
   * left out.
   */
  resumesMax?: number
}

export interface FetchedManifest {
  bytes: Uint8Array
  mediaType: string
  digest: Digest
}

export interface RegistryClient {
  readonly origin: string
  /**
   * The manifest by digest or tag; the bytes are verified against a digest. Throws the refusal
   * `not_found`.
   */
  getManifest(repository: string, reference: string): Promise<FetchedManifest>
  /** The digest that a reference means, or `undefined` when there is none. */
  headManifest(repository: string, reference: string): Promise<Digest | undefined>
  putManifest(
    repository: string,
    reference: string,
    content: { bytes: Uint8Array; mediaType: string },
  ): Promise<void>
  deleteManifest(repository: string, reference: string): Promise<void>
  headBlob(repository: string, digest: Digest): Promise<{ size: number } | undefined>
  /**
   * The verified blob. Throws `TrustError<ContentFault>` when it is not the expected one; nothing
   * of it may be used before the loop has ended.
   */
  getBlob(repository: string, expected: ExpectedContent): AsyncIterable<Uint8Array>
  /**
   * Bytes of a blob from `start` on, as they come, unverified; at most as many as the length says.
   * Meant for callers that resume themselves.
   */
  getBlobFrom(
    repository: string,
    expected: ExpectedContent,
    start: number,
  ): Promise<AsyncIterable<Uint8Array>>
  /**
   * Does nothing when the blob is there already; mounts it from `mountFrom` where the registry can.
   */
  putBlob(
    repository: string,
    expected: ExpectedContent,
    open: () => AsyncIterable<Uint8Array>,
    options?: { mountFrom?: string },
  ): Promise<void>
  listTags(repository: string): Promise<string[]>
  /** Uses the referrers API, or the fallback tag of registries without it. */
  listReferrers(repository: string, digest: Digest, artifactType?: string): Promise<Descriptor[]>
}

const accept = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
].join(', ')
const redirectsMax = 4
const pagesMax = 1000
const resumesMaxDefault = 3

/**
 * Makes a client of one registry. It follows redirects and reads lists within bounds, and sends
 * credentials only to the registry's own origin and to token services there.
 */
export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const origin = new URL(options.origin).origin
  const keeper = createTokenKeeper({ ...options, origin })

  /** One request with authorization, made once more after a 401 unless its body is a stream. */
  async function send(
    repository: string,
    actions: 'pull' | 'pull,push' | 'pull,push,delete',
    request: HttpRequest,
  ): Promise<HttpResponse> {
    if (!isRepositoryName(repository)) return refuse('not_found', 'not a repository name')
    const scope = `repository:${repository}:${actions}`
    const isRepeatable = request.body === undefined || request.body instanceof Uint8Array
    for (let attempt = isRepeatable ? 0 : 1; ; attempt++) {
      const authorization = await keeper.authorize(scope)
      const headers = authorization === undefined ? {} : { authorization }
      const response = await options.transport({
        ...request,
        headers: { ...request.headers, ...headers },
      })
      if (response.status !== 401) return response
      await discard(response)
      if (attempt > 0 || !(await keeper.answer(scope, response))) {
        return refuse('unauthorized', 'the registry does not know who asks')
      }
    }
  }

  /** Reads: follows redirects, to other hosts without credentials and never from https to http. */
  async function fetch(
    repository: string,
    path: string,
    { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<HttpResponse> {
    let url = new URL(`/v2/${repository}/${path}`, origin)
    let response = await send(repository, 'pull', { method, url: url.href, headers })
    for (let count = 0; isRedirect(response.status); count++) {
      await discard(response)
      const next = parseLocation(response, url)
      if (count >= redirectsMax || (url.protocol === 'https:' && next.protocol !== 'https:')) {
        return refuse('redirect_refused', 'the registry redirects in a way that is not followed')
      }
      url = next
      const request = { method, url: url.href, headers }
      response =
        url.origin === origin
          ? await send(repository, 'pull', request)
          : await options.transport(request)
    }
    return response
  }

  const client: RegistryClient = {
    origin,
    async getManifest(repository, reference) {
      checkReference(reference)
      const response = await fetch(repository, `manifests/${reference}`, { headers: { accept } })
      await requireStatus(response, [200])
      const bytes = await readBounded(response, manifestSizeMax)
      const mediaType = (response.headers['content-type'] ?? '').split(';')[0]!.trim()
      if (isDigest(reference)) {
        verifyBytes(bytes, { digest: reference, size: bytes.length })
        return { bytes, mediaType, digest: reference }
      }
      const named = response.headers['docker-content-digest']
      if (named !== undefined && isDigest(named)) {
        verifyBytes(bytes, { digest: named, size: bytes.length })
        return { bytes, mediaType, digest: named }
      }
      return { bytes, mediaType, digest: digestOf(bytes) }
    },
    async headManifest(repository, reference) {
      checkReference(reference)
      const response = await fetch(repository, `manifests/${reference}`, {
        method: 'HEAD',
        headers: { accept },
      })
      await discard(response)
      if (response.status === 404) return undefined
      await requireStatus(response, [200])
      const digest = isDigest(reference) ? reference : response.headers['docker-content-digest']
      if (digest !== undefined && isDigest(digest)) return digest
      return (await client.getManifest(repository, reference)).digest
    },
    async putManifest(repository, reference, { bytes, mediaType }) {
      checkReference(reference)
      const response = await send(repository, 'pull,push', {
        method: 'PUT',
        url: `${origin}/v2/${repository}/manifests/${reference}`,
        headers: { 'content-type': mediaType },
        body: bytes,
      })
      await discard(response)
      await requireStatus(response, [201])
    },
    async deleteManifest(repository, reference) {
      checkReference(reference)
      const response = await send(repository, 'pull,push,delete', {
        method: 'DELETE',
        url: `${origin}/v2/${repository}/manifests/${reference}`,
      })
      await discard(response)
      await requireStatus(response, [202])
    },
    async headBlob(repository, digest) {
      const response = await fetch(repository, `blobs/${digest}`, { method: 'HEAD' })
      await discard(response)
      if (response.status === 404) return undefined
      await requireStatus(response, [200])
      const size = Number(response.headers['content-length'])
      if (!Number.isSafeInteger(size) || size < 0) return refuse('malformed_answer', 'no length')
      return { size }
    },
    getBlob: (repository, expected) =>
      verifyStream(readResuming(client, repository, expected, options.resumesMax), expected),
    async getBlobFrom(repository, expected, start) {
      const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {}
      const response = await fetch(repository, `blobs/${expected.digest}`, { headers })
      await requireStatus(response, start > 0 ? [200, 206] : [200])
      let skip = start
      if (response.status === 206) {
        const range = /^bytes (\d{1,16})-\d{1,16}\/(?:\d{1,16}|\*)$/.exec(
          response.headers['content-range'] ?? '',
        )
        if (Number(range?.[1]) !== start) {
          await discard(response)
          return refuse('malformed_answer', 'the registry sent another range')
        }
        skip = 0
      }
      return skipBytes(response.body, skip, expected.size - start)
    },
    async putBlob(repository, expected, open, { mountFrom } = {}) {
      const present = await client.headBlob(repository, expected.digest)
      if (present?.size === expected.size) return
      const mount =
        mountFrom !== undefined && isRepositoryName(mountFrom)
          ? `?mount=${encodeURIComponent(expected.digest)}&from=${encodeURIComponent(mountFrom)}`
          : ''
      const url = new URL(`/v2/${repository}/blobs/uploads/${mount}`, origin)
      const started = await send(repository, 'pull,push', {
        method: 'POST',
        url: url.href,
        headers: { 'content-length': '0' },
      })
      await discard(started)
      if (started.status === 201 && mount !== '') return
      await requireStatus(started, [202])
      const location = parseLocation(started, url)
      if (location.origin !== origin) {
        return refuse('redirect_refused', 'the registry wants the upload elsewhere')
      }
      location.searchParams.set('digest', expected.digest)
      const done = await send(repository, 'pull,push', {
        method: 'PUT',
        url: location.href,
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(expected.size),
        },
        body: open(),
      })
      await discard(done)
      await requireStatus(done, [201])
    },
    async listTags(repository) {
      const tags: string[] = []
      let path: string | undefined = 'tags/list?n=1000'
      for (let page = 0; path !== undefined && page < pagesMax; page++) {
        const response: HttpResponse = await fetch(repository, path)
        await requireStatus(response, [200])
        const body = parseAnswer(await readBounded(response, manifestSizeMax))
        const listed = body['tags'] ?? []
        if (!Array.isArray(listed)) return refuse('malformed_answer', 'no list of tags')
        for (const tag of listed) {
          if (typeof tag !== 'string' || !isTag(tag)) return refuse('malformed_answer', 'not a tag')
          tags.push(tag)
        }
        path = nextPage(response, repository)
      }
      return tags
    },
    async listReferrers(repository, digest, artifactType) {
      const filter =
        artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
      const found: Descriptor[] = []
      let path: string | undefined = `referrers/${digest}${filter}`
      for (let page = 0; path !== undefined && page < pagesMax; page++) {
        let response: HttpResponse = await fetch(repository, path, { headers: { accept } })
        if (response.status === 404 && page === 0) {
          await discard(response)
          const tag = `manifests/${referrersTag(digest)}`
          response = await fetch(repository, tag, { headers: { accept } })
          if (response.status === 404) {
            await discard(response)
            return []
          }
        }
        await requireStatus(response, [200])
        const index = parseManifest(await readBounded(response, manifestSizeMax), mediaTypes.index)
        if (index.kind !== 'index') return refuse('malformed_answer', 'no list of referrers')
        for (const referrer of index.manifests) found.push(referrer)
        path = nextPage(response, repository)
      }
      return found.filter((d) => artifactType === undefined || d.artifactType === artifactType)
    },
  }
  return client
}

/** Goes on where the connection broke, for as long as each connection brings something. */
async function* readResuming(
  client: RegistryClient,
  repository: string,
  expected: ExpectedContent,
  resumesMax = resumesMaxDefault,
): AsyncGenerator<Uint8Array> {
  let position = 0
  let fruitless = 0
  for (;;) {
    const before = position
    try {
      for await (const piece of await client.getBlobFrom(repository, expected, position)) {
        position += piece.length
        yield piece
      }
      return
    } catch (error) {
      if (!(error instanceof TransportError) || error.code === 'pin_mismatch') throw error
      if (error.code === 'aborted' || error.code === 'tls') throw error
      // The connection broke after the last byte.
      if (position >= expected.size) return
      fruitless = position === before ? fruitless + 1 : 0
      if (fruitless >= resumesMax) throw error
    }
  }
}

/**
 * Drops the first `skip` bytes, and ends one byte after `lengthMax`, so that the verifier notices
 * too much without reading all of it.
 */
async function* skipBytes(
  body: AsyncIterable<Uint8Array>,
  skip: number,
  lengthMax: number,
): AsyncGenerator<Uint8Array> {
  let position = 0
  for await (const piece of body) {
    const from = Math.max(0, skip - position)
    position += piece.length
    if (from < piece.length) yield from === 0 ? piece : piece.subarray(from)
    if (position - skip > lengthMax) return
  }
}

function checkReference(reference: string): void {
  if (!isDigest(reference) && !isTag(reference)) refuse('not_found', 'neither a digest nor a tag')
}

function asMissing(error: unknown, digest: Digest): unknown {
  const isMissing = error instanceof Refusal && error.code === 'not_found'
  return isMissing
    ? new Refusal<ContentRefusal>('content_missing', `${digest} is not there`, { cause: error })
    : error
}

/** One repository of a registry as source and target of `copyContent`. */
export function registryContent(
  client: RegistryClient,
  repository: string,
): ContentSource & ContentTarget {
  return {
    async readManifest(digest) {
      try {
        return await client.getManifest(repository, digest)
      } catch (error) {
        throw asMissing(error, digest)
      }
    },
    async *readBlob(expected) {
      try {
        yield* client.getBlob(repository, expected)
      } catch (error) {
        throw asMissing(error, expected.digest)
      }
    },
    async hasBlob({ digest, size }) {
      return (await client.headBlob(repository, digest))?.size === size
    },
    putBlob: (expected, open) => client.putBlob(repository, expected, open),
    async putManifest({ bytes, mediaType, digest, tag }) {
      if (tag === undefined || digestAlgorithm(digest) !== 'sha256') {
        await client.putManifest(repository, digest, { bytes, mediaType })
      }
      if (tag !== undefined) await client.putManifest(repository, tag, { bytes, mediaType })
    },
  }
}
