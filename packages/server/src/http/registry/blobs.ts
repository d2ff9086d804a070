/**
 * Blobs and their uploads (distribution-spec end-2, end-4 to end-6, end-10, end-11, end-13,
 * end-14).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Digest } from '@seaworthy/oci/digests'
import { digestAlgorithm } from '@seaworthy/oci/digests'
import { isNeededByRelease } from '@seaworthy/oci/store/garbage'
import { Refusal } from '@seaworthy/std/refusal'
import { hasBody, readPieces } from '../bodies.ts'
import { bodyLimits } from '../limits.ts'
import { challenge, pullOf } from './challenges.ts'
import { RegistryError, requireChange } from './errors.ts'
import type { OpenUpload, RegistryPorts } from './ports.ts'
import { parseByteRange, parseChunkRange, parseMount, requireDigest } from './requests.ts'

export interface RegistryCall<Actor> {
  ports: RegistryPorts<Actor>
  /** Who began the request. */
  actor: Actor
  /**
   * The actor, if it may still do this: a change calls it after the last byte of the body, which
   * may come long after the head, and records the actor that it returns.
   */
  stillMay(): Promise<Actor>
  request: IncomingMessage
  response: ServerResponse
  repository: string
  query: URLSearchParams
}

export async function sendBlob<Actor>(call: RegistryCall<Actor>, digest: Digest): Promise<void> {
  const { ports, request, response, repository } = call
  const blob = await ports.store.openBlob(repository, digest)
  if (!blob) throw new RegistryError(404, 'BLOB_UNKNOWN', 'the repository has no such blob')
  try {
    const shared = {
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=31536000, immutable',
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      etag: `"${digest}"`,
    }
    if (request.headers['if-none-match'] === `"${digest}"`) {
      response.writeHead(304, shared).end()
      return
    }
    const condition = request.headers['if-range']
    const range =
      condition === undefined || condition === `"${digest}"`
        ? parseByteRange(request.headers.range, blob.size)
        : undefined
    const length = range ? range.end - range.start : blob.size
    response.writeHead(range ? 206 : 200, {
      ...shared,
      'content-length': length,
      ...(range ? { 'content-range': `bytes ${range.start}-${range.end - 1}/${blob.size}` } : {}),
    })
    if (request.method !== 'HEAD') await writeBody(response, blob.readShared(range))
    response.end()
  } finally {
    await blob.close()
  }
}

/**
 * Writes as fast as the client reads, and stops when it goes away. Each piece is on its way before
 * the next is asked for, so pieces may share memory.
 */
export async function writeBody(
  response: ServerResponse,
  source: AsyncIterable<Uint8Array>,
): Promise<void> {
  let wake = () => {}
  const onClose = () => wake()
  response.once('close', onClose)
  try {
    for await (const piece of source) {
      if (response.destroyed) return
      await new Promise<void>((resolve) => {
        wake = resolve
        response.write(piece, () => resolve())
      })
    }
  } finally {
    response.off('close', onClose)
  }
}

export async function deleteBlob<Actor>(call: RegistryCall<Actor>, digest: Digest): Promise<void> {
  const { ports, repository, response } = call
  const { store } = ports
  if (await isNeededByRelease(store, repository, digest, await ports.roots())) {
    throw new RegistryError(403, 'DENIED', 'this blob cannot be deleted: a signed release needs it')
  }
  const actor = await call.stillMay()
  await requireChange(ports, actor)
  if (!(await store.deleteBlob(repository, digest))) {
    throw new RegistryError(404, 'BLOB_UNKNOWN', 'the repository has no such blob')
  }
  await ports.space.remove(repository, digest)
  await ports.onEvent({ kind: 'blob_deleted', actor, repository, digest })
  response.writeHead(202, { 'content-length': 0 }).end()
}

/** `POST …/blobs/uploads/`: a mount, a whole blob, or the beginning of an upload. */
export async function startUpload<Actor>(call: RegistryCall<Actor>): Promise<void> {
  const { ports, request, repository, query } = call
  const { store } = ports
  const mount = parseMount(query)
  if (mount !== undefined) {
    const { digest, from } = mount
    const source = pullOf(from)
    const access = await ports.authorize(request, source)
    // The token does not cover the source: its holder asks again, for a token for both.
    if (access.kind === 'unauthorized') {
      throw challenge(ports, request, [{ repository, action: 'push' }, source])
    }
    if (access.kind === 'allowed') {
      const blob = await store.statBlob(from, digest)
      if (blob !== undefined) await ports.space.add(repository, blob)
      if (await store.mountBlob(repository, digest, from)) return sendCreated(call, digest)
    }
    // A client that may not read the source uploads the blob like any other.
  }
  const wanted = query.get('digest')
  const digest = wanted === null ? undefined : requireDigest(wanted)
  const uploadId = await store.createUpload(repository)
  try {
    await ports.space.begin(uploadOf(call, uploadId))
    if (digest === undefined) return sendProgress(call, 202, uploadId, 0)
    await append(call, uploadId, 0, digest)
    await call.stillMay()
    await commit(call, uploadId, digest)
  } catch (error) {
    await store.cancelUpload(repository, uploadId)
    await ports.space.drop(uploadId)
    throw error
  }
  sendCreated(call, digest)
}

/** `PATCH`: the next chunk, or all that a stream brings. */
export async function appendChunk<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
): Promise<void> {
  const size = await receive(call, uploadId, undefined)
  sendProgress(call, 202, uploadId, size)
}

/** `PUT`: an optional last chunk, and the digest that the whole blob must have. */
export async function finishUpload<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
): Promise<void> {
  const digest = requireDigest(call.query.get('digest'))
  await receive(call, uploadId, digest)
  await call.stillMay()
  await commit(call, uploadId, digest)
  sendCreated(call, digest)
}

/** The store removes an upload whose bytes do not have the digest. */
async function commit<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
  digest: Digest,
): Promise<void> {
  const { ports, repository } = call
  try {
    const blob = await ports.store.commitUpload(repository, uploadId, digest)
    await ports.space.keep(uploadOf(call, uploadId), blob)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'digest_mismatch') {
      await ports.space.drop(uploadId)
    }
    throw error
  }
}

export async function sendUploadStatus<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
): Promise<void> {
  const size = await call.ports.store.uploadSize(call.repository, uploadId)
  sendProgress(call, 204, uploadId, size)
}

export async function cancelUpload<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
): Promise<void> {
  const { ports, repository, response } = call
  await ports.store.uploadSize(repository, uploadId)
  await ports.store.cancelUpload(repository, uploadId)
  await ports.space.drop(uploadId)
  response.writeHead(204).end()
}

async function receive<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
  digest: Digest | undefined,
): Promise<number> {
  const { ports, request, repository } = call
  const size = await ports.store.uploadSize(repository, uploadId)
  if (!hasBody(request)) return size
  const range = parseChunkRange(request)
  const elsewhere = (at: number) =>
    new RegistryError(
      416,
      'BLOB_UPLOAD_INVALID',
      `the upload has ${at} bytes, and this request goes on at byte ${range?.start ?? size}: go on at byte ${at}`,
      { headers: progressHeaders(repository, uploadId, at) },
    )
  if (range && range.start !== size) throw elsewhere(size)
  try {
    const received = await append(call, uploadId, size, digest)
    if (range && received !== size + range.length) {
      throw new RegistryError(
        400,
        'SIZE_INVALID',
        `Content-Range promises ${range.length} bytes, and ${received - size} came`,
      )
    }
    return received
  } catch (error) {
    if (error instanceof Refusal && error.code === 'upload_offset') {
      throw elsewhere(await ports.store.uploadSize(repository, uploadId))
    }
    throw error
  }
}

const uploadOf = <Actor>(
  { repository, actor }: RegistryCall<Actor>,
  id: string,
): OpenUpload<Actor> => ({ id, repository, actor })

/** How much is set aside at once for a body of unknown length. */
const asideBytes = 16 * 1024 * 1024

/**
 * Appends the body. Its bytes are set aside before they are read: all of them at once where the
 * request says how many will come.
 */
async function append<Actor>(
  call: RegistryCall<Actor>,
  uploadId: string,
  offset: number,
  digest: Digest | undefined,
): Promise<number> {
  const { ports, request, repository } = call
  const upload = uploadOf(call, uploadId)
  const announced = announcedLength(request)
  let aside = await ports.space.setAside(upload, {
    needed: offset + (announced ?? 1),
    wanted: offset + (announced ?? asideBytes),
  })
  const body = readPieces(request, { ...bodyLimits.upload, bytesMax: ports.uploadBytesMax }, ports)
  const source = async function* () {
    let end = offset
    for await (const piece of body) {
      end += piece.length
      if (end > aside) {
        aside = await ports.space.setAside(upload, { needed: end, wanted: end + asideBytes })
      }
      yield piece
    }
  }
  try {
    const size = await ports.store.appendUpload(repository, uploadId, {
      offset,
      source: source(),
      sizeMax: ports.uploadBytesMax,
      ...(digest === undefined ? {} : { algorithm: digestAlgorithm(digest) }),
    })
    if (size < aside) await ports.space.giveBackRest(upload, size)
    return size
  } catch (error) {
    // The bytes that arrived before the fault may have been kept.
    const kept = await ports.store.uploadSize(repository, uploadId).catch(() => offset)
    if (kept < aside) await ports.space.giveBackRest(upload, kept)
    throw error
  }
}

function announcedLength({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length']
  return length === undefined ? undefined : Number(length)
}

function progressHeaders(
  repository: string,
  uploadId: string,
  size: number,
): Record<string, string> {
  return {
    location: `/v2/${repository}/blobs/uploads/${uploadId}`,
    range: `0-${Math.max(0, size - 1)}`,
    'docker-upload-uuid': uploadId,
  }
}

function sendProgress<Actor>(
  { response, repository }: RegistryCall<Actor>,
  status: number,
  uploadId: string,
  size: number,
): void {
  const length = status === 204 ? {} : { 'content-length': 0 }
  response.writeHead(status, { ...progressHeaders(repository, uploadId, size), ...length }).end()
}

function sendCreated<Actor>({ response, repository }: RegistryCall<Actor>, digest: Digest): void {
  response
    .writeHead(201, {
      location: `/v2/${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
      'content-length': 0,
    })
    .end()
}
