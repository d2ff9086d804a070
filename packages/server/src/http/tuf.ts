/** `/tuf/`: the repository, from verified memory; what does not verify is not served. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '@seaworthy/std/refusal'
import { channelRole } from '@seaworthy/trust/tuf'
import type { App, TrustState } from '../app/app.ts'
import { anyone } from '../app/worker/index.ts'
import type { ServerRefusal } from '../app/refusals.ts'
import { sha256Hex } from '../app/trust/index.ts'
import { HttpError } from './problems.ts'
import { sendBytes } from './request.ts'
import type { RawHandler } from './endpoint.ts'

const immutable = 'public, max-age=31536000, immutable'
const short = 'public, max-age=5, must-revalidate'

interface Served {
  readonly bytes: Uint8Array
  readonly cacheControl: string
  readonly contentType: string
}

export function createTufHandler(app: App): RawHandler {
  return {
    prefix: '/tuf/',
    methods: ['GET', 'HEAD'],
    async answer(req, res, path) {
      const served = await find(app, path.slice('/tuf/'.length))
      if (served === undefined)
        throw new HttpError('route_not_found', 'the repository has no such file')
      sendCached(req, res, served)
    },
  }
}

export function sendCached(req: IncomingMessage, res: ServerResponse, served: Served): void {
  const etag = `"${sha256Hex(served.bytes)}"`
  const headers = { etag, 'cache-control': served.cacheControl }
  const asked = (req.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim())
  if (asked.includes(etag)) {
    res.writeHead(304, headers)
    res.end()
    return
  }
  sendBytes(res, 200, { ...headers, 'content-type': served.contentType }, served.bytes)
}

/**
 * Finds a file of the repository. The timestamp is always the newest that is committed, whichever
 * worker published it, and every worker finds what it names: a client that is served by several of
 * them sees one repository.
 */
async function find(app: App, name: string): Promise<Served | undefined> {
  const known = app.trust.state()
  const found =
    known === undefined || name === 'timestamp.json' ? undefined : await findIn(app, known, name)
  if (found !== undefined) return found
  const fresh = await freshState(app)
  if (fresh !== undefined) return findIn(app, fresh, name)
  if (!app.health.hasProblem('metadata')) return undefined
  throw new Refusal<ServerRefusal>(
    'trust_unavailable',
    'the stored metadata does not verify, so it is not served',
  )
}

/** Signed metadata can be served from memory while the database is away. */
async function freshState(app: App): Promise<TrustState | undefined> {
  try {
    return await app.trust.freshState()
  } catch (error) {
    app.callerLog.warn(anyone, 'metadata.not-refreshed', { error })
    return app.trust.state()
  }
}

async function findIn(app: App, state: TrustState, name: string): Promise<Served | undefined> {
  const target =
    /^targets\/([a-z0-9-]+)\/([a-z0-9-]+)\/([0-9a-f]{64}|[0-9a-f]{128})\.([A-Za-z0-9._+-]+)$/.exec(
      name,
    )
  if (target !== null) {
    const [, product, channel, hash, version] = target
    return findTarget(app, state, {
      role: channelRole(product!, channel!),
      version: version!,
      hash: hash!,
    })
  }
  if (name === 'timestamp.json') return metadata(state.timestamp.bytes, short)
  const versioned = /^([1-9]\d{0,9})\.([a-z][a-z0-9._-]{0,127})\.json$/.exec(name)
  if (versioned === null) return undefined
  return findVersion(app, state, versioned[2]!, Number(versioned[1]))
}

async function findVersion(
  app: App,
  state: TrustState,
  role: string,
  version: number,
): Promise<Served | undefined> {
  if (role === 'root') {
    const root = state.roots.find(({ signed }) => signed.version === version)
    return root && metadata(root.bytes, immutable)
  }
  if (role === 'timestamp') return undefined
  const current = role === 'snapshot' ? state.snapshot : state.roles.get(role)
  if (current === undefined) return undefined
  if (current.signed.version === version) return metadata(current.bytes, immutable)
  if (version > current.signed.version) return undefined
  const older = await app.trust.olderVersion(role, version)
  return older && metadata(older, immutable)
}

async function findTarget(
  app: App,
  state: TrustState,
  target: { role: string; version: string; hash: string },
): Promise<Served | undefined> {
  const release = state.releases
    .get(target.role)
    ?.find(
      ({ version, sha256, sha512 }) =>
        version === target.version && (sha256 === target.hash || sha512 === target.hash),
    )
  if (release === undefined) return undefined
  const stored = await app.store.getManifest(release.product, `sha256:${release.sha256}`)
  if (stored === undefined) {
    app.callerLog.error(anyone, 'release.content-missing', { path: release.path })
    return undefined
  }
  return { bytes: stored.bytes, cacheControl: immutable, contentType: 'application/octet-stream' }
}

function metadata(bytes: Uint8Array, cacheControl: string): Served {
  return { bytes, cacheControl, contentType: 'application/json' }
}
