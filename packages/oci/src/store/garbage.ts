/**
 * Finds which stored content is needed, and removes the rest. A release that anyone signed is never
 * removed.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { isForeign, namedContent } from '../manifests.ts'
import type { RegistryStore, StoreRefusal } from './index.ts'
import { parseStoredManifest } from './index.ts'

export interface CollectOptions {
  /**
   * The image indexes of all signed releases, in whatever repository they are. Asked before marking
   * and once more after it.
   */
  roots: () => Promise<Iterable<Digest>>
  clock: Clock
  /** The grace time: what was used more recently stays. It is longer than any push takes. */
  graceMs: number
}

export interface CollectResult {
  manifestCount: number
  linkCount: number
  contentCount: number
  contentBytes: number
  uploadCount: number
}

/** What a manifest names; a repository may have very many, so nothing else of them is kept. */
interface Edges {
  readonly subject: Digest | undefined
  readonly isIndex: boolean
  readonly named: readonly Digest[]
}

/** The manifests of a repository; it cannot be known what a damaged one names. */
type Manifests = Map<Digest, Edges | 'damaged'>
/** The manifests by repository. */
type Graph = Map<string, Manifests>

/**
 * The manifest that the store lists; `undefined` when it has gone meanwhile. Throws the refusal
 * `root_unreadable` when it is still listed and cannot be found: nobody knows what it names, or is
 * attached to.
 */
async function peekListed(store: RegistryStore, repository: string, digest: Digest) {
  const stored = await store.peekManifest(repository, digest)
  if (stored !== undefined || !(await store.listManifests(repository)).includes(digest)) {
    return stored
  }
  const again = await store.peekManifest(repository, digest)
  if (again !== undefined) return again
  throw new Refusal<StoreRefusal>(
    'root_unreadable',
    `the store lists manifest ${digest} in ${repository} and does not find it, so nobody knows what it needs: push it again`,
  )
}

/**
 * What the tags of a repository point to. Throws the refusal `root_unreadable` for a tag that is
 * listed, also at a second look, and points to nothing.
 */
async function readTags(store: RegistryStore, repository: string): Promise<Digest[]> {
  const tagged: Digest[] = []
  const unread = new Set<string>()
  for (const tag of await store.listTags(repository)) {
    const digest = await store.resolveTag(repository, tag)
    if (digest === undefined) unread.add(tag)
    else tagged.push(digest)
  }
  if (unread.size === 0) return tagged
  for (const tag of await store.listTags(repository)) {
    if (!unread.has(tag)) continue
    const digest = await store.resolveTag(repository, tag)
    if (digest === undefined) {
      throw new Refusal<StoreRefusal>(
        'root_unreadable',
        `the tag ${tag} of ${repository} cannot be read, so nobody knows what it needs: set it again, or delete it`,
      )
    }
    tagged.push(digest)
  }
  return tagged
}

async function readManifests(store: RegistryStore, repository: string): Promise<Manifests> {
  const manifests: Manifests = new Map()
  for (const digest of await store.listManifests(repository)) {
    try {
      const stored = await peekListed(store, repository, digest)
      if (!stored) continue
      const manifest = parseStoredManifest(stored)
      manifests.set(digest, {
        subject: manifest.subject?.digest,
        isIndex: manifest.kind === 'index',
        named: namedContent(manifest).map((child) => child.digest),
      })
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'content_damaged') throw error
      manifests.set(digest, 'damaged')
    }
  }
  return manifests
}

async function readGraph(store: RegistryStore): Promise<Graph> {
  const graph: Graph = new Map()
  for (const repository of await store.listRepositories()) {
    graph.set(repository, await readManifests(store, repository))
  }
  return graph
}

/**
 * Marks downwards (index → manifests) and from subjects to their referrers, within one repository.
 * Throws the refusal `content_damaged` when a manifest on the way is damaged, since nobody knows
 * what it needs.
 */
function markFrom(manifests: Manifests, starts: Iterable<Digest>): Set<Digest> {
  const referrers = new Map<Digest, Digest[]>()
  for (const [digest, manifest] of manifests) {
    if (manifest === 'damaged' || !manifest.subject) continue
    const known = referrers.get(manifest.subject)
    if (known) known.push(digest)
    else referrers.set(manifest.subject, [digest])
  }
  const marked = new Set<Digest>()
  const waiting = [...starts]
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    const manifest = manifests.get(digest)
    if (!manifest || marked.has(digest)) continue
    if (manifest === 'damaged') {
      throw new Refusal<StoreRefusal>(
        'content_damaged',
        `manifest ${digest} is damaged, so nobody knows what it needs: push it again`,
      )
    }
    marked.add(digest)
    for (const referrer of referrers.get(digest) ?? []) waiting.push(referrer)
    if (manifest.isIndex) for (const child of manifest.named) waiting.push(child)
  }
  return marked
}

/**
 * Throws when a manifest that a signed release needs is not among those of the store: a list that
 * leaves something out must not cost the release its content.
 */
function requireListed(manifests: Manifests, roots: Iterable<Digest>): void {
  for (const digest of markFrom(manifests, roots)) {
    const manifest = manifests.get(digest)
    if (manifest === undefined || manifest === 'damaged' || !manifest.isIndex) continue
    const lost = manifest.named.find((child) => !manifests.has(child))
    if (lost === undefined) continue
    throw new Refusal<StoreRefusal>(
      'root_unreadable',
      `the store does not list manifest ${lost}, which the index ${digest} of a signed release needs: nothing that it needs was removed`,
    )
  }
}

/**
 * Throws the refusal `content_damaged` when a damaged manifest is attached to one that is needed.
 * Its own bytes no longer say so; the store, which noted it when it was pushed, does.
 */
async function requireWholeReferrers(
  store: RegistryStore,
  repository: string,
  manifests: Manifests,
  needed: Iterable<Digest>,
): Promise<void> {
  if (![...manifests.values()].includes('damaged')) return
  for (const digest of needed) await store.listReferrers(repository, digest)
}

async function markNeeded(
  store: RegistryStore,
  graph: Graph,
  roots: Iterable<Digest>,
): Promise<Map<string, Set<Digest>>> {
  const missing = new Set(roots)
  const starts = [...missing]
  const needed = new Map<string, Set<Digest>>()
  for (const [repository, manifests] of graph) {
    const tagged = await readTags(store, repository)
    const present = starts.filter((digest) => manifests.has(digest))
    for (const digest of present) missing.delete(digest)
    requireListed(manifests, present)
    const marked = markFrom(manifests, [...tagged, ...present])
    await requireWholeReferrers(store, repository, manifests, marked)
    needed.set(repository, marked)
  }
  const [first] = missing
  if (first !== undefined) {
    throw new Refusal<StoreRefusal>(
      'root_unreadable',
      `the signed release ${first} is not in the store, so nobody knows what it needs: nothing was removed`,
    )
  }
  return needed
}

/**
 * Removes what neither a tag nor a signed release needs, directly or through indexes and referrers,
 * and what nobody used within the grace time; blobs go only when no manifest of their repository
 * names them. Safe while others push, and after being killed at any moment. Throws
 * `Refusal<StoreRefusal>`: `root_unreadable` or `content_damaged`, having removed nothing that is
 * needed, when it cannot see what is.
 */
export async function collectGarbage(
  store: RegistryStore,
  options: CollectOptions,
): Promise<CollectResult> {
  const unusedSince = new Date(options.clock.now().getTime() - options.graceMs)
  const before = await readGraph(store)
  await markNeeded(store, before, await options.roots())
  const needed = await markNeeded(store, before, await options.roots())
  const manifestCount = await store.sweepManifests({
    unusedSince,
    isNeeded: (repository, digest) =>
      needed.get(repository)?.has(digest) !== false || !before.get(repository)?.has(digest),
  })

  const named = new Map<string, Set<Digest>>()
  const content = new Set<Digest>()
  const after = await readGraph(store)
  await markNeeded(store, after, await options.roots())
  for (const [repository, manifests] of after) {
    const blobs = new Set<Digest>()
    for (const [digest, manifest] of manifests) {
      content.add(digest)
      if (manifest === 'damaged') continue
      for (const child of manifest.named) {
        blobs.add(child)
        content.add(child)
      }
    }
    named.set(repository, blobs)
  }
  const linkCount = await store.sweepBlobs({
    unusedSince,
    isNeeded: (repository, digest) => named.get(repository)?.has(digest) !== false,
  })
  const removed = await store.sweepContent({
    unusedSince,
    isNeeded: (digest) => content.has(digest),
  })
  const uploadCount = await store.sweepUploads({ unusedSince })
  return {
    manifestCount,
    linkCount,
    contentCount: removed.count,
    contentBytes: removed.bytes,
    uploadCount,
  }
}

/**
 * Whether a signed release needs the manifest or blob, so that a person must not delete it either.
 * Throws the same refusals as `collectGarbage`.
 */
export async function isNeededByRelease(
  store: RegistryStore,
  repository: string,
  digest: Digest,
  roots: Iterable<Digest>,
): Promise<boolean> {
  const manifests = await readManifests(store, repository)
  const marked = markFrom(manifests, roots)
  if (marked.has(digest)) return true
  return [...marked].some((known) => {
    const manifest = manifests.get(known)!
    return manifest !== 'damaged' && manifest.named.includes(digest)
  })
}

/**
 * Throws the refusal `manifest_unknown` or `manifest_child_unknown` unless all that a release needs
 * is in the repository, in the sizes announced. Counts as use of everything, so that a garbage
 * collection that is under way leaves it alone. It must be called before a release is signed.
 */
export async function requireClosure(
  store: RegistryStore,
  repository: string,
  digest: Digest,
  /** Aborted when nobody waits for the result any more; the call then throws the reason. */
  leaving?: AbortSignal,
): Promise<void> {
  const seen = new Set<Digest>()
  const waiting: Digest[] = [digest]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    leaving?.throwIfAborted()
    const stored = await store.getManifest(repository, next)
    if (!stored) {
      throw new Refusal<StoreRefusal>('manifest_unknown', `the repository has no manifest ${next}`)
    }
    const manifest = parseStoredManifest(stored)
    for (const child of namedContent(manifest)) {
      if (manifest.kind === 'index') {
        waiting.push(child.digest)
        continue
      }
      const blob = await store.statBlob(repository, child.digest)
      if (blob === undefined && isForeign(manifest, child)) continue
      if (blob?.size !== child.size) {
        throw new Refusal<StoreRefusal>(
          'manifest_child_unknown',
          `the repository has no blob ${child.digest} of that size`,
        )
      }
    }
  }
}
