/**
 * The parts of an export that other tools read as they are: the TUF repository and the audit log as
 * files, as the server serves them. An import reads the tables alone, which hold the same bytes.
 */
import { join } from 'node:path'
import type { Digest } from '@seaworthy/oci/digests'
import type { RegistryStore } from '@seaworthy/oci/store'
import { utf8Encode } from '@seaworthy/std/bytes'
import { invariant } from '@seaworthy/std/refusal'
import {
  countAtLevel,
  countTileLevels,
  formatTilePath,
  tileAt,
  tileWidth,
} from '@seaworthy/trust/tlog'
import { listReleases, parseMetadata, roleKindOf } from '@seaworthy/trust/tuf'
import type { ReadTx } from '../../db/connection.ts'
import { readLogState } from '../../db/audit-log.ts'
import { getMetadata, listMetadataVersions } from '../../db/metadata.ts'
import { readLogTile } from '../access/index.ts'
import { writePieces } from './files.ts'
import { refuse } from './refusals.ts'

/** The index of a release that the newest version of a channel lists. */
export interface SignedTarget {
  readonly product: string
  readonly path: string
  readonly digest: Digest
  readonly hashes: readonly string[]
}

export async function exportMetadata(tx: ReadTx, folder: string): Promise<SignedTarget[]> {
  const versions = await listMetadataVersions(tx)
  const newest = new Map(versions.map(({ role, version }) => [role, version]))
  const targets: SignedTarget[] = []
  for (const { role, version } of versions) {
    const bytes = await getMetadata(tx, role, version)
    invariant(bytes !== undefined, 'a snapshot does not change')
    await writePieces(join(folder, 'tuf', `${version}.${role}.json`), [bytes])
    if (newest.get(role) !== version) continue
    if (role === 'timestamp') await writePieces(join(folder, 'tuf', 'timestamp.json'), [bytes])
    if (roleKindOf(role)?.kind !== 'channel') continue
    for (const target of await listTargets(bytes)) targets.push(target)
  }
  return targets
}

async function listTargets(bytes: Uint8Array): Promise<SignedTarget[]> {
  const { signed } = await parseMetadata('targets', bytes, 'conforming')
  return listReleases(signed).releases.map(({ product, path, sha256, sha512 }) => ({
    ...{ product, path, digest: `sha256:${sha256}` as const },
    hashes: [sha256, sha512].filter((hash) => hash !== undefined),
  }))
}

/** Throws the refusal `export_content_missing`. */
export async function exportTargets(
  store: RegistryStore,
  folder: string,
  targets: readonly SignedTarget[],
): Promise<void> {
  for (const { product, path, digest, hashes } of targets) {
    const stored = await store.getManifest(product, digest)
    if (stored === undefined) {
      return refuse(
        'export_content_missing',
        `the content of the signed release ${path} is gone: push it again`,
      )
    }
    const at = path.lastIndexOf('/') + 1
    for (const hash of hashes) {
      const name = `${path.slice(0, at)}${hash}.${path.slice(at)}`
      await writePieces(join(folder, 'tuf', 'targets', name), [stored.bytes])
    }
  }
}

export async function exportLog(tx: ReadTx, folder: string): Promise<void> {
  const state = await readLogState(tx)
  if (state === undefined) return
  const { size, checkpoint } = state
  await writePieces(join(folder, 'log', 'checkpoint'), [utf8Encode(checkpoint)])
  const levels = [...Array(countTileLevels(size)).keys(), 'entries'] as const
  for (const level of levels) {
    for (let index = 0; index * tileWidth < countAtLevel(level, size); index++) {
      const tile = tileAt(level, index, size)
      invariant(tile !== undefined, 'the tile is within the log')
      const path = formatTilePath(tile)
      const bytes = await readLogTile(tx, path)
      invariant(bytes !== undefined, 'the log has the tiles of its size')
      await writePieces(join(folder, 'log', path), [bytes])
    }
  }
}
