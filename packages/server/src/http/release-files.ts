/**
 * Sends plain files of releases to the clients of other systems, whole or in ranges; no request
 * writes a row.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '@seaworthy/std/refusal'
import type { RegistryStore } from '@seaworthy/oci/store'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import { writeBody } from './registry/blobs.ts'
import { RegistryError } from './registry/errors.ts'
import { parseByteRange } from './registry/requests.ts'
import type { ReleaseFile } from '../app/app.ts'

/**
 * Answers GET and HEAD with 200, 206, 304, 412 or 416. The entity tag is the SHA-1, as in hawkBit.
 * Throws `release_content_missing`.
 */
export async function sendReleaseFile(
  store: RegistryStore,
  req: IncomingMessage,
  res: ServerResponse,
  file: ReleaseFile,
): Promise<void> {
  const etag = `"${file.sha1}"`
  const names = (header: string | undefined) =>
    header?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? []
  const required = names(req.headers['if-match'])
  if (required.length > 0 && !required.includes(etag) && !required.includes('*')) {
    res.writeHead(412, { etag, 'content-length': '0' }).end()
    return
  }
  const shared = {
    'accept-ranges': 'bytes',
    'cache-control': 'private, max-age=31536000, immutable',
    'content-disposition': `attachment; filename="${file.name}"`,
    'content-type': 'application/octet-stream',
    etag,
  }
  if (names(req.headers['if-none-match']).includes(etag)) {
    res.writeHead(304, shared).end()
    return
  }
  const blob = await store.openBlob(file.product, file.digest)
  if (blob === undefined) {
    throw new Refusal<ReleaseRefusal>('release_content_missing', `${file.name} is gone`)
  }
  try {
    const condition = req.headers['if-range']
    let range
    try {
      range =
        condition === undefined || condition === etag
          ? parseByteRange(req.headers.range, blob.size)
          : undefined
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      res.writeHead(416, { 'content-range': `bytes */${blob.size}`, 'content-length': '0' }).end()
      return
    }
    const length = range === undefined ? blob.size : range.end - range.start
    res.writeHead(range === undefined ? 200 : 206, {
      ...shared,
      'content-length': String(length),
      ...(range && { 'content-range': `bytes ${range.start}-${range.end - 1}/${blob.size}` }),
    })
    if (req.method !== 'HEAD') await writeBody(res, blob.readShared(range))
    res.end()
  } finally {
    await blob.close()
  }
}
