/**
 * One bucket of an S3-compatible server: signed requests, repeated where that helps, and errors
 * that say what to do. Keys are relative to the prefix. It relies on two promises of S3: a read
 * sees every write acknowledged before it, and conditional writes are decided by the server.
 */
import { hash } from 'node:crypto'
import { equalBytes, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpResponse, Transport } from '@seaworthy/std/http'
import { readBody, TransportError } from '@seaworthy/std/http'
import type { Random } from '@seaworthy/std/random'
import { retry } from '@seaworthy/std/retry'
import type { Clock, Sleep } from '@seaworthy/std/time'
import { ObjectStoreError, readFault } from './errors.ts'
import type { S3Location } from './location.ts'
import { addressBucket } from './location.ts'
import type { S3Credentials } from './sign.ts'
import { encodeS3Path, encodeS3Query, signRequest } from './sign.ts'
import { xmlElements, xmlEncode, xmlText } from './xml.ts'

export interface S3Ports {
  transport: Transport
  clock: Clock
  sleep: Sleep
  random: Random
}

/** The condition of a write: there is no object yet, or it is still the one of that ETag. */
export type Condition = 'absent' | { etag: string }

export interface ObjectFacts {
  key: string
  etag: string
  size: number
  changedAt: Date
}

export interface S3Client {
  /** A whole small object; `undefined` when there is none. Throws `BodyTooLongError`. */
  read(key: string, bytesMax: number): Promise<{ bytes: Uint8Array; etag: string } | undefined>
  /**
   * The answer to a ranged read, 200 or 206, or `undefined` when the object is gone or another than
   * `etag`.
   */
  open(
    key: string,
    etag: string,
    range: { start: number; end: number },
  ): Promise<AsyncIterable<Uint8Array> | undefined>
  head(key: string): Promise<{ etag: string; size: number } | undefined>
  /** The new ETag, or `undefined` when the condition does not hold. */
  write(key: string, bytes: Uint8Array, condition?: Condition): Promise<string | undefined>
  /** Whether it was removed; `false`: there was none, or the condition does not hold. */
  remove(key: string, condition?: { etag: string }): Promise<boolean>
  /** All objects below the prefix, page by page, in the order of their keys' bytes. */
  list(prefix: string, options?: { after?: string }): AsyncGenerator<ObjectFacts>
  /** The next steps of keys below the prefix, each ending with `/`. */
  listFolders(prefix: string): Promise<string[]>
  startParts(key: string): Promise<string>
  writePart(key: string, partsId: string, number: number, bytes: Uint8Array): Promise<string>
  finishParts(key: string, partsId: string, etags: readonly string[]): Promise<void>
  abortParts(key: string, partsId: string): Promise<void>
  listParts(prefix: string): Promise<{ key: string; partsId: string; startedAt: Date }[]>
}

interface Ask {
  method: string
  key?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  body?: Uint8Array
  /** Statuses that are an answer and not an error. */
  expected: readonly number[]
}

const attemptsMax = 6
const answerBytesMax = 4 * 1024 * 1024
const emptyBody = new Uint8Array()

export function createS3Client(
  location: S3Location,
  credentials: S3Credentials,
  ports: S3Ports,
): S3Client {
  const { origin, path } = addressBucket(location)
  const host = new URL(origin).host
  const { prefix } = location

  async function send(asked: Ask): Promise<HttpResponse> {
    const body = asked.body ?? emptyBody
    const target = {
      path:
        `${encodeS3Path(asked.key === undefined ? path : `${path}/${prefix}${asked.key}`)}` || '/',
      query: encodeS3Query(asked.query ?? {}),
    }
    const headers = signRequest(
      {
        method: asked.method,
        host,
        ...target,
        headers: asked.headers ?? {},
        bodySha256: hash('sha256', body, 'hex'),
      },
      credentials,
      { region: location.region, at: ports.clock.now() },
    )
    const response = await ports.transport({
      method: asked.method,
      url: `${origin}${target.path}${target.query === '' ? '' : `?${target.query}`}`,
      headers,
      ...(asked.method === 'PUT' || asked.method === 'POST' ? { body } : {}),
    })
    if (asked.expected.includes(response.status)) return response
    const text = asked.method === 'HEAD' ? '' : await readText(response)
    throw readFault(response, text, { location, now: ports.clock.now() })
  }

  /**
   * Runs one request. `repeated`: an earlier attempt may have been carried out although its answer
   * did not come.
   */
  async function ask<T>(
    asked: Ask,
    read: (response: HttpResponse, repeated: boolean) => Promise<T>,
  ): Promise<T> {
    try {
      return await retry(async (attempt) => read(await send(asked), attempt > 1), {
        attemptsMax,
        firstMs: 100,
        maxMs: 5000,
        random: ports.random,
        sleep: ports.sleep,
        isRetryable: (error) =>
          error instanceof TransportError
            ? error.code === 'unreachable' || error.code === 'timed_out'
            : error instanceof ObjectStoreError && error.isPassing,
      })
    } catch (error) {
      if (!(error instanceof TransportError)) throw error
      throw new ObjectStoreError('unreachable', `the object store at ${origin}: ${error.message}`, {
        cause: error,
      })
    }
  }

  /** The answers to one question for names, page by page. */
  async function* listPages(question: Readonly<Record<string, string>>): AsyncGenerator<string> {
    let token: string | undefined
    do {
      const next = token === undefined ? {} : { 'continuation-token': token }
      const query = { 'list-type': '2', ...question, ...next }
      const xml = await ask({ method: 'GET', query, expected: [200] }, readText)
      yield xml
      token = nextPage(xml, token)
    } while (token !== undefined)
  }

  const client: S3Client = {
    read: (key, bytesMax) =>
      ask({ method: 'GET', key, expected: [200, 404] }, async (response) => {
        if (response.status === 404) return requireMissingKey(response, location, ports)
        return { bytes: await readBody(response, bytesMax), etag: readEtag(response) }
      }),
    open: (key, etag, { start, end }) =>
      ask(
        {
          method: 'GET',
          key,
          headers: { 'if-match': etag, range: `bytes=${start}-${end - 1}` },
          expected: [206, 404, 412, 416],
        },
        async (response) => {
          if (response.status === 206) return response.body
          await readText(response)
          return undefined
        },
      ),
    head: (key) =>
      ask({ method: 'HEAD', key, expected: [200, 404] }, async (response) => {
        await readText(response)
        if (response.status === 404) return undefined
        return { etag: readEtag(response), size: Number(response.headers['content-length']) }
      }),
    write: (key, bytes, condition) =>
      ask(
        {
          method: 'PUT',
          key,
          body: bytes,
          headers: conditionHeaders(condition),
          expected: condition === undefined ? [200] : [200, 404, 412],
        },
        async (response, repeated) => {
          if (response.status === 404) return requireMissingKey(response, location, ports)
          await readText(response)
          if (response.status === 200) return readEtag(response)
          const present = repeated ? await client.read(key, bytes.length) : undefined
          return present !== undefined && equalBytes(present.bytes, bytes)
            ? present.etag
            : undefined
        },
      ),
    remove: (key, condition) =>
      ask(
        {
          method: 'DELETE',
          key,
          headers: conditionHeaders(condition),
          expected: [200, 204, 404, 412],
        },
        async (response, repeated) => {
          await readText(response)
          return response.status < 300 || (repeated && response.status === 404)
        },
      ),
    async *list(below, { after } = {}) {
      const start = after === undefined ? {} : { 'start-after': `${prefix}${below}${after}` }
      for await (const xml of listPages({ prefix: `${prefix}${below}`, ...start })) {
        for (const entry of xmlElements(xml, 'Contents')) {
          const key = xmlText(entry, 'Key')
          if (!key?.startsWith(`${prefix}${below}`)) continue
          yield {
            key: key.slice(prefix.length),
            etag: xmlText(entry, 'ETag') ?? '',
            size: Number(xmlText(entry, 'Size')),
            changedAt: new Date(xmlText(entry, 'LastModified') ?? Number.NaN),
          }
        }
      }
    },
    async listFolders(below) {
      const found: string[] = []
      for await (const xml of listPages({ delimiter: '/', prefix: `${prefix}${below}` })) {
        for (const entry of xmlElements(xml, 'CommonPrefixes')) {
          const key = xmlText(entry, 'Prefix')
          if (key?.startsWith(`${prefix}${below}`))
            found.push(key.slice(prefix.length + below.length))
        }
      }
      return found
    },
    startParts: (key) =>
      ask({ method: 'POST', key, query: { uploads: '' }, expected: [200] }, async (response) =>
        requireText(await readText(response), 'UploadId'),
      ),
    writePart: (key, partsId, number, bytes) =>
      ask(
        {
          method: 'PUT',
          key,
          query: { partNumber: String(number), uploadId: partsId },
          body: bytes,
          expected: [200],
        },
        async (response) => {
          await readText(response)
          return readEtag(response)
        },
      ),
    async finishParts(key, partsId, etags) {
      const parts = etags.map(
        (etag, i) =>
          `<Part><PartNumber>${i + 1}</PartNumber><ETag>${xmlEncode(etag)}</ETag></Part>`,
      )
      const body = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`
      await ask(
        {
          method: 'POST',
          key,
          query: { uploadId: partsId },
          body: utf8Encode(body),
          expected: [200, 404],
        },
        async (response, repeated) => {
          const text = await readText(response)
          // An error may come after the head of the answer was sent; and the lost answer may have
          // been a success.
          if (response.status === 200 && xmlText(text, 'ETag') !== undefined) return
          if (repeated && (await client.head(key)) !== undefined) return
          throw readFault(response, text, { location, now: ports.clock.now() })
        },
      )
    },
    abortParts: (key, partsId) =>
      ask(
        { method: 'DELETE', key, query: { uploadId: partsId }, expected: [200, 204, 404] },
        async (response) => void (await readText(response)),
      ),
    async listParts(below) {
      const found: { key: string; partsId: string; startedAt: Date }[] = []
      let marker: PartsMarker | undefined
      do {
        const xml: string = await ask(
          {
            method: 'GET',
            query: {
              uploads: '',
              prefix: `${prefix}${below}`,
              ...(marker === undefined ? {} : marker),
            },
            expected: [200],
          },
          readText,
        )
        for (const entry of xmlElements(xml, 'Upload')) {
          const key = xmlText(entry, 'Key')
          const partsId = xmlText(entry, 'UploadId')
          if (!key?.startsWith(`${prefix}${below}`) || partsId === undefined) continue
          const startedAt = new Date(xmlText(entry, 'Initiated') ?? Number.NaN)
          found.push({ key: key.slice(prefix.length), partsId, startedAt })
        }
        marker = nextPartsPage(xml, marker)
      } while (marker !== undefined)
      return found
    },
  }
  return client
}

function conditionHeaders(condition: Condition | undefined): Record<string, string> {
  if (condition === undefined) return {}
  return condition === 'absent' ? { 'if-none-match': '*' } : { 'if-match': condition.etag }
}

async function readText(response: HttpResponse): Promise<string> {
  return utf8Decode(await readBody(response, answerBytesMax))
}

function readEtag(response: HttpResponse): string {
  const etag = response.headers['etag']
  if (etag !== undefined && etag.length <= 200) return etag
  throw new ObjectStoreError('unsupported', 'the object store answered without an ETag')
}

/**
 * The token of the page after this one. Throws for an answer that is no whole page of a list: what
 * a list leaves out looks as if it were gone, and garbage collection would remove what belongs to
 * it.
 */
function nextPage(xml: string, token: string | undefined): string | undefined {
  const next = xmlText(xml, 'NextContinuationToken')
  const isPage = xmlElements(xml, 'ListBucketResult').length === 1
  const hasMore = xmlText(xml, 'IsTruncated') === 'true'
  if (isPage && (hasMore ? next !== undefined && next !== token : next === undefined)) return next
  throw new ObjectStoreError(
    'failed',
    'the object store answered a list that is cut short, or whose next page cannot be asked for',
  )
}

/** Where the next page of a list of uploads in parts begins. */
type PartsMarker = { 'key-marker': string; 'upload-id-marker': string }

/** The same of a list of uploads in parts: one that is left out would be kept and paid for ever. */
function nextPartsPage(xml: string, marker: PartsMarker | undefined): PartsMarker | undefined {
  const isPage = xmlElements(xml, 'ListMultipartUploadsResult').length === 1
  const isLast = xmlText(xml, 'IsTruncated') !== 'true'
  if (isPage && isLast) return undefined
  const next = {
    'key-marker': xmlText(xml, 'NextKeyMarker') ?? '',
    'upload-id-marker': xmlText(xml, 'NextUploadIdMarker') ?? '',
  }
  const isSame =
    next['key-marker'] === (marker?.['key-marker'] ?? '') &&
    next['upload-id-marker'] === (marker?.['upload-id-marker'] ?? '')
  if (isPage && !isSame) return next
  throw new ObjectStoreError(
    'failed',
    'the object store answered a list of uploads that is cut short, or whose next page cannot be asked for',
  )
}

function requireText(xml: string, name: string): string {
  const text = xmlText(xml, name)
  if (text !== undefined) return text
  throw new ObjectStoreError('unsupported', `the object store answered without ${name}`)
}

/**
 * A missing object is an answer; a missing bucket, or an account that some servers say is missing,
 * is not.
 */
async function requireMissingKey(
  response: HttpResponse,
  location: S3Location,
  ports: S3Ports,
): Promise<undefined> {
  const text = await readText(response)
  const code = xmlText(text, 'Code')
  if (code !== undefined && code !== 'NoSuchKey') {
    throw readFault(response, text, { location, now: ports.clock.now() })
  }
}
