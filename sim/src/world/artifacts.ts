/**
 * Artifacts that anybody can fetch without credentials: metadata, targets and content, as a server,
 * a mirror and a thief hold them.
 */
import type { HttpRequest } from '@seaworthy/std/http'
import type { WireReply } from './network.ts'
import type { WorldRelease } from './releases.ts'

export interface ArtifactStore {
  /** Metadata by file name, as in `3.root.json`. */
  readonly metadata: Map<string, Uint8Array<ArrayBuffer>>
  /** Targets by path below `/tuf/targets/`. */
  readonly targets: Map<string, Uint8Array<ArrayBuffer>>
  /** Content by digest. */
  readonly content: Map<string, Uint8Array<ArrayBuffer>>
}

/** A copy that further publications do not reach: the one of a mirror, or of a thief. */
export function copyArtifacts(artifacts: ArtifactStore): ArtifactStore {
  return {
    metadata: new Map(artifacts.metadata),
    targets: new Map(artifacts.targets),
    content: new Map(artifacts.content),
  }
}

export function addToArtifacts(
  artifacts: ArtifactStore,
  release: WorldRelease,
  channel: string,
): void {
  const { product, version, sha256, index } = release
  artifacts.targets.set(`${product}/${channel}/${sha256}.${version}`, index)
  for (const [digest, bytes] of release.content) artifacts.content.set(digest, bytes)
}

/** Answers `/tuf/` and `/v2/` with ranges; `undefined` for any other path. */
export function answerFromArtifacts(
  artifacts: ArtifactStore,
  request: HttpRequest,
  path: string,
): WireReply | undefined {
  const target = /^\/tuf\/targets\/(.+)$/.exec(path)?.[1]
  if (target !== undefined) return found(artifacts.targets.get(decodeURIComponent(target)), request)
  const metadata = /^\/tuf\/([^/]+)$/.exec(path)?.[1]
  if (metadata !== undefined) {
    return found(artifacts.metadata.get(decodeURIComponent(metadata)), request)
  }
  const content = /^\/v2\/[a-z0-9-]+\/(?:blobs|manifests)\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1]
  if (content !== undefined) return found(artifacts.content.get(content), request)
  return undefined
}

export const notFound: WireReply = { status: 404, body: new Uint8Array() }

function found(bytes: Uint8Array | undefined, request: HttpRequest): WireReply {
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
