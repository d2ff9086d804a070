/** Registered releases, and what channels say about them. */
import type { ReleaseView } from '@seaworthy/api/releases'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { Digest } from '@seaworthy/oci/digests'
import { parseDigest } from '@seaworthy/oci/digests'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../db/connection.ts'
import type { ReleaseRow } from '../db/releases.ts'
import { getRelease, insertRelease, listReleaseDigests } from '../db/releases.ts'
import type { Actor } from './actors.ts'
import { requireProduct } from './actors.ts'
import type { App } from './app.ts'
import { describeContent } from './content.ts'
import { listProducts } from './products.ts'
import type { ServerRefusal } from './refusals.ts'
import type { TrustState } from './trust-plane.ts'

/** Throws `product_not_found`, `out_of_scope`. */
export function requireKnownProduct(
  actor: Actor,
  state: TrustState | undefined,
  product: string,
): void {
  requireProduct(actor, product)
  if (listProducts(state).includes(product)) return
  throw new Refusal<ServerRefusal>('product_not_found', `there is no product ${product}`)
}

/** The same digest under the same version again changes nothing. Throws `release_exists`, `release_content_missing`. */
export async function createRelease(
  app: App,
  tx: WriteTx,
  actor: Actor,
  wanted: { product: string; version: string; digest: string },
  now: Date,
): Promise<ReleaseRow> {
  const { product, version } = wanted
  requireKnownProduct(actor, await app.trust.freshState(), product)
  const digest = parseDigest(wanted.digest)
  if (!digest.startsWith('sha256:')) {
    throw new Refusal<ReleaseRefusal>('release_malformed', 'a release has a sha256 digest')
  }
  const content = await describeContent(app.store, { product, version, digest })
  const row: ReleaseRow = {
    product,
    version,
    kind: content.kind,
    digest,
    length: content.length,
    totalBytes: content.totalBytes,
    platforms: content.platforms,
    createdAt: now,
    createdBy: actor.id,
  }
  if (await insertRelease(tx, row)) return row
  const known = await getRelease(tx, product, version)
  if (known?.digest === digest) return known
  throw new Refusal<ReleaseRefusal>(
    'release_exists',
    `${product} has another release ${version} already`,
  )
}

/** Throws `release_not_found`. */
export async function findRelease(
  tx: ReadTx,
  product: string,
  version: string,
): Promise<ReleaseRow> {
  const row = await getRelease(tx, product, version)
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
export async function listNeededDigests(app: App): Promise<Set<Digest>> {
  const needed = new Set<Digest>()
  for (const { digest } of await listReleaseDigests(app.db.reader)) needed.add(parseDigest(digest))
  for (const releases of (await app.trust.freshState())?.releases.values() ?? []) {
    for (const { sha256 } of releases) needed.add(`sha256:${sha256}`)
  }
  return needed
}
