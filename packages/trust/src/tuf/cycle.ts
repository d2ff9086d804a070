/**
 * One update cycle: the requests of the specification's workflow and no others, in its order, with
 * every limit set before a byte is read. Where bytes come from and where they stay are ports.
 */
import { isTrustError, trustError } from './codes.ts'
import { matchDelegations } from './delegations.ts'
import type { FileMeta, Metadata, TargetFile, TargetsSigned, TufLimits } from './metadata.ts'
import type { TrustedSet } from './trusted-set.ts'
import type { DelegatedRing } from './version-marks.ts'

/**
 * Fetches one metadata file by its percent-encoded name, as in `3.root.json`. `undefined`: the
 * repository says that it does not exist (HTTP 404). Anything else that is not the file is thrown.
 * More than `bytesMax` bytes must not be read; a port that returns more is refused all the same.
 */
export type FetchMetadata = (name: string, bytesMax: number) => Promise<Uint8Array | undefined>

/** What earlier cycles left. Names are role names, not encoded. */
export interface MetadataCache {
  read(role: string): Promise<Uint8Array | undefined>
  /** Keeps bytes that are trusted now. */
  keep(role: string, bytes: Uint8Array): Promise<void>
  /** Timestamp and snapshot are void: their keys were rotated. */
  dropOnlineRoles(): Promise<void>
}

export interface CyclePorts {
  readonly fetchMetadata: FetchMetadata
  readonly cache: MetadataCache
  readonly limits: TufLimits
}

/** The file name of a role: the one encoding of its name that is safe in URLs and in folders. */
export function roleFileName(role: string): string {
  const escaped = encodeURIComponent(role).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${escaped}.json`
}

/** Runs 5.3 to 5.6 for the top-level roles. Throws `TrustError`s, and what the ports throw. */
export async function refreshTrustedSet(set: TrustedSet, ports: CyclePorts): Promise<void> {
  await refreshRoots(set, ports)
  set.finishRoot()
  await refreshTimestamp(set, ports)
  await refreshSnapshot(set, ports)
  await loadRole(set, ports, 'targets', set.targetsRing())
}

/**
 * Fetches every newer root there is (5.3.2 to 5.3.9). Does not ask whether the newest has expired.
 */
export async function refreshRoots(
  set: TrustedSet,
  { fetchMetadata, cache, limits }: CyclePorts,
): Promise<void> {
  for (let i = 0; i < limits.rootsPerCycleMax; i++) {
    const name = `${set.root.signed.version + 1}.root.json`
    const bytes = await fetchBounded(fetchMetadata, name, limits.rootBytesMax)
    if (!bytes) break
    const { droppedOnlineRoles } = await set.updateRoot(bytes)
    await cache.keep('root', bytes)
    if (droppedOnlineRoles) await cache.dropOnlineRoles()
  }
}

/** Refreshes the timestamp (5.4). */
async function refreshTimestamp(set: TrustedSet, { fetchMetadata, cache, limits }: CyclePorts) {
  const stored = await cache.read('timestamp')
  if (stored) await loadStored(() => set.loadTimestamp(stored), 'timestamp')
  const bytes = await fetchExisting(fetchMetadata, 'timestamp.json', limits.timestampBytesMax)
  if (await set.updateTimestamp(bytes)) await cache.keep('timestamp', bytes)
}

/** Refreshes the snapshot (5.5). */
async function refreshSnapshot(set: TrustedSet, { fetchMetadata, cache, limits }: CyclePorts) {
  const stored = await cache.read('snapshot')
  if (stored && (await loadStored(() => set.loadSnapshot(stored), 'snapshot'))) return
  const meta = set.namedSnapshot()
  const bytes = await fetchExisting(
    fetchMetadata,
    versionedName(set, 'snapshot', meta),
    bytesMaxOf(meta, limits, limits.snapshotBytesMax),
  )
  await set.updateSnapshot(bytes)
  await cache.keep('snapshot', bytes)
}

/**
 * Stored metadata that no longer has its threshold was voided by a newer root and is passed over,
 * as if it had been dropped. Any other fault means that the store was altered.
 */
async function loadStored<T>(load: () => Promise<T>, role: string): Promise<T | undefined> {
  try {
    return await load()
  } catch (cause) {
    if (isTrustError(cause, 'signature_threshold')) return undefined
    if (!isTrustError(cause)) throw cause
    throw trustError('state_unreadable', `the stored ${role} is not what was stored`, { cause })
  }
}

/** Loads one role (5.6): from the cache when that is what the snapshot names, otherwise fetched. */
export async function loadRole(
  set: TrustedSet,
  { fetchMetadata, cache, limits }: CyclePorts,
  role: string,
  ring: DelegatedRing,
): Promise<Metadata<TargetsSigned>> {
  const meta = await set.namedRoleOf(role, ring)
  const known = set.roles.get(role)?.bytes ?? (await cache.read(role))
  if (known) {
    try {
      return await set.updateRole(role, ring, known)
    } catch (error) {
      // A copy that is not what the snapshot and the delegator demand now is fetched anew.
      if (!isTrustError(error)) throw error
    }
  }
  const bytes = await fetchExisting(
    fetchMetadata,
    versionedName(set, role, meta),
    bytesMaxOf(meta, limits, limits.targetsBytesMax),
  )
  const trusted = await set.updateRole(role, ring, bytes)
  await cache.keep(role, bytes)
  return trusted
}

export interface FoundTarget {
  readonly path: string
  /** The role that lists it. */
  readonly role: string
  readonly target: TargetFile
}

/**
 * Searches the tree of delegations for `path` (5.6.7), depth first in order of appearance, each
 * role once, `targets` and at most `delegationsPerLookupMax` others. Gives `undefined` when no role
 * that may list the path does.
 */
export async function findTarget(
  set: TrustedSet,
  ports: CyclePorts,
  path: string,
): Promise<FoundTarget | undefined> {
  const toVisit: { name: string; ring: DelegatedRing }[] = [
    { name: 'targets', ring: set.targetsRing() },
  ]
  const visited = new Set<string>()
  while (visited.size <= ports.limits.delegationsPerLookupMax) {
    const next = toVisit.pop()
    if (!next) return undefined
    if (visited.has(next.name)) continue
    const { signed } = await loadRole(set, ports, next.name, next.ring)
    visited.add(next.name)
    if (Object.hasOwn(signed.targets, path)) {
      return { path, role: next.name, target: signed.targets[path]! }
    }
    const children = await matchDelegations(signed.delegations, path)
    if (children.some((child) => child.terminating)) toVisit.length = 0
    for (const { name, ring } of children.toReversed()) {
      toVisit.push({ name, ring: { ...ring, delegator: next.name } })
    }
  }
  return undefined
}

function bytesMaxOf({ length }: FileMeta, limits: TufLimits, unstatedMax: number): number {
  return length === undefined ? unstatedMax : Math.min(length, limits.statedBytesMax)
}

function versionedName(set: TrustedSet, role: string, { version }: FileMeta): string {
  const name = roleFileName(role)
  return set.root.signed.consistent_snapshot ? `${version}.${name}` : name
}

async function fetchBounded(
  fetchMetadata: FetchMetadata,
  name: string,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const bytes = await fetchMetadata(name, bytesMax)
  if (bytes && bytes.length > bytesMax) {
    throw trustError('endless_data', `${name} is longer than ${bytesMax} bytes`)
  }
  return bytes
}

async function fetchExisting(fetchMetadata: FetchMetadata, name: string, bytesMax: number) {
  const bytes = await fetchBounded(fetchMetadata, name, bytesMax)
  if (!bytes) throw trustError('metadata_missing', `the repository does not have ${name}`)
  return bytes
}
