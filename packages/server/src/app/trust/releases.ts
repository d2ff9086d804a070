/** Registered releases, and what channels say about them. */
import type { ReleaseView } from '@seaworthy/api/releases'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import type { Digest } from '@seaworthy/oci/digests'
import { parseDigest } from '@seaworthy/oci/digests'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { WriteTx } from '../../db/connection.ts'
import type { FileHashesRow } from '../../db/release-files.ts'
import { insertFileHashes } from '../../db/release-files.ts'
import type { ReleaseRow } from '../../db/releases.ts'
import {
  getRelease,
  insertRelease,
  listReleaseDigests,
  listReleases as listReleaseRows,
} from '../../db/releases.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireWholeProduct } from '../access/index.ts'
import type { App, ReadRelease, TrustState } from '../app.ts'
import { describeContent, measureReleaseFiles } from '../content/index.ts'
import { requireKnownProduct } from './products.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage } from '../paging.ts'

type Deps = Pick<App, 'contentChecks' | 'db' | 'store' | 'trust'>

/** What `createRelease` stores: all that had to be read for it. */
export interface CheckedRelease {
  readonly content: ReadRelease
  readonly files: readonly FileHashesRow[]
}

/**
 * Reads the whole of a release that is to be registered, before any transaction, because that takes
 * as long as the release is large. Throws `product_not_found`, `out_of_scope`, and what
 * `describeContent` and `measureReleaseFiles` throw.
 */
export async function verifyNewRelease(
  app: Deps,
  actor: Actor,
  wanted: { product: string; version: string; digest: string },
  leaving: AbortSignal | undefined,
): Promise<CheckedRelease> {
  requireWholeProduct(actor, wanted.product)
  requireKnownProduct(actor, await app.trust.freshState(), wanted.product)
  const digest = parseSha256(wanted.digest)
  const content = await describeContent(app, { ...wanted, digest }, leaving)
  const files = await measureReleaseFiles(app, wanted.product, content, leaving)
  return { content, files }
}

function parseSha256(text: string): Digest {
  const digest = parseDigest(text)
  if (digest.startsWith('sha256:')) return digest
  throw new Refusal<ReleaseFault>('release_malformed', 'a release has a sha256 digest')
}

/**
 * Registers a release; the same digest under the same version again changes nothing. Throws
 * `product_not_found`, `out_of_scope`, `release_exists`.
 */
export async function createRelease(
  app: Pick<App, 'trust'>,
  tx: WriteTx,
  actor: Current,
  wanted: { product: string; version: string; digest: string },
  { content, files }: CheckedRelease,
  now: Date,
): Promise<{ row: ReleaseRow; isNew: boolean }> {
  const { product, version } = wanted
  requireWholeProduct(actor, product)
  requireKnownProduct(actor, await app.trust.freshState(), product)
  const digest = parseSha256(wanted.digest)
  const row: ReleaseRow = {
    product,
    version,
    kind: content.claims.kind,
    digest,
    length: content.claims.length,
    totalBytes: content.totalBytes,
    platforms: content.platforms,
    createdAt: now,
    createdBy: actor.id,
  }
  for (const file of files) await insertFileHashes(tx, file, now)
  if (await insertRelease(tx, row)) return { row, isNew: true }
  const known = await getRelease(tx, product, version)
  if (known?.digest === digest) return { row: known, isNew: false }
  throw new Refusal<ReleaseRefusal>(
    'release_exists',
    `${product} has another release ${version} already`,
  )
}

/** Lists the releases of a product, newest first. Throws `product_not_found`, `out_of_scope`. */
export async function listReleases(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  product: string,
  query: PageQuery,
): Promise<Page<ReleaseRow>> {
  requireKnownProduct(actor, await app.trust.freshState(), product)
  return readPage(
    query,
    (limit) => listReleaseRows(app.db.reader, { product, after: query.after ?? null, limit }),
    (row) => row.version,
  )
}

/** Throws `product_not_found`, `out_of_scope`, `release_not_found`. */
export async function findRelease(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  product: string,
  version: string,
): Promise<ReleaseRow> {
  requireKnownProduct(actor, await app.trust.freshState(), product)
  const row = await getRelease(app.db.reader, product, version)
  if (row !== undefined) return row
  throw new Refusal<ReleaseRefusal>('release_not_found', `${product} has no release ${version}`)
}

export function viewRelease(row: ReleaseRow, state: TrustState | undefined): ReleaseView {
  const channels: ReleaseView['channels'] = []
  for (const releases of state?.releases.values() ?? []) {
    for (const release of releases) {
      const isSame =
        release.product === row.product &&
        release.version === row.version &&
        `sha256:${release.sha256}` === row.digest
      if (isSame) channels.push({ channel: release.channel, counter: release.counter })
    }
  }
  return {
    product: row.product,
    version: row.version,
    kind: row.kind,
    digest: row.digest,
    length: row.length,
    totalBytes: row.totalBytes,
    platforms: row.platforms.map((platform) => ({ ...platform })),
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
    channels,
  }
}

/** What garbage collection must keep: every registered release and every signed target. */
export async function listNeededDigests(app: Pick<App, 'db' | 'trust'>): Promise<Set<Digest>> {
  const needed = new Set<Digest>()
  for (const { digest } of await listReleaseDigests(app.db.reader)) needed.add(parseDigest(digest))
  for (const releases of (await app.trust.freshState())?.releases.values() ?? []) {
    for (const { sha256 } of releases) needed.add(`sha256:${sha256}`)
  }
  return needed
}
