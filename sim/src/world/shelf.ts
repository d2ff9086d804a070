/** What can be fetched without saying who one is: metadata, targets and content, as a server, a mirror and a thief hold it. */
import type { HttpRequest } from '@seaworthy/std/http'
import type { Reply } from './network.ts'
import type { BuiltRelease } from './releases.ts'

export interface Shelf {
  /** By file name, as in `3.root.json`. */
  readonly metadata: Map<string, Uint8Array<ArrayBuffer>>
  /** By path below `/tuf/targets/`. */
  readonly targets: Map<string, Uint8Array<ArrayBuffer>>
  /** By digest. */
  readonly content: Map<string, Uint8Array<ArrayBuffer>>
}

/** A copy that further publications do not reach: what a mirror has, or a thief. */
export function copyShelf(shelf: Shelf): Shelf {
  return {
    metadata: new Map(shelf.metadata),
    targets: new Map(shelf.targets),
    content: new Map(shelf.content),
  }
}

export function addToShelf(shelf: Shelf, release: BuiltRelease, channel: string): void {
  const { product, version, sha256, index } = release
  shelf.targets.set(`${product}/${channel}/${sha256}.${version}`, index)
  for (const [digest, bytes] of release.content) shelf.content.set(digest, bytes)
}

/** Answers `/tuf/` and `/v2/` with ranges; `undefined` for any other path. */
export function answerFromShelf(
  shelf: Shelf,
  request: HttpRequest,
  path: string,
): Reply | undefined {
  const target = /^\/tuf\/targets\/(.+)$/.exec(path)?.[1]
  if (target !== undefined) return found(shelf.targets.get(decodeURIComponent(target)), request)
  const metadata = /^\/tuf\/([^/]+)$/.exec(path)?.[1]
  if (metadata !== undefined) {
    return found(shelf.metadata.get(decodeURIComponent(metadata)), request)
  }
  const content = /^\/v2\/[a-z0-9-]+\/(?:blobs|manifests)\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1]
  if (content !== undefined) return found(shelf.content.get(content), request)
  return undefined
}

export const notFound: Reply = { status: 404, body: new Uint8Array() }

function found(bytes: Uint8Array | undefined, request: HttpRequest): Reply {
  if (bytes === undefined) return notFound
  const from = /^bytes=(\d+)-$/.exec(request.headers?.['range'] ?? '')?.[1]
  if (from === undefined) return { status: 200, body: bytes }
  const start = Number(from)
  if (start >= bytes.length) return { status: 416, body: new Uint8Array() }
  return {
    status: 206,
    headers: { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` },
    body: bytes.slice(start),
  }
}
