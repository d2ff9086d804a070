/**
 * A plain client for any conforming repository, as the command line offers it: the folder of
 * metadata is both trust anchor (`root.json`) and cache. It has none of the device's protections of
 * that folder; what it promises is the specification's workflow, the exact bytes, the exact
 * requests.
 */
import { trustError } from './codes.ts'
import { findTarget, refreshTrustedSet, roleFileName } from './cycle.ts'
import type { CyclePorts, FetchMetadata, MetadataCache } from './cycle.ts'
import { defaultTufLimits } from './metadata.ts'
import type { Profile, TufLimits } from './metadata.ts'
import type { PlainTarget } from './plain-target.ts'
import { placeTarget } from './plain-target.ts'
import { TrustedSet } from './trusted-set.ts'

/**
 * Large repositories state the length of their metadata; a computer, unlike a device, has room for
 * it.
 */
const limits: TufLimits = { ...defaultTufLimits, statedBytesMax: 128_000_000 }

/** The metadata folder: plain file names, percent-encoded where a role's name needs it. */
export interface MetadataFolder {
  read(name: string): Promise<Uint8Array | undefined>
  /** Replaces the file as a whole. */
  write(name: string, bytes: Uint8Array): Promise<void>
  /** Removes it if it is there. */
  remove(name: string): Promise<void>
}

export interface PlainClientOptions {
  readonly profile: Profile
  readonly now: Date
}

/**
 * Trusts `root` as the anchor (`init`) once it is known to be a root that its own keys have signed.
 */
export async function initPlainClient(
  root: Uint8Array,
  options: PlainClientOptions,
  folder: MetadataFolder,
): Promise<void> {
  await startPlainSet(root, options)
  await folder.write('root.json', root)
}

function startPlainSet(root: Uint8Array, { profile, now }: PlainClientOptions) {
  return TrustedSet.fromRoot(root, { profile, startAt: () => now, limits })
}

/**
 * One cycle (5.1 to 5.6) over the folder. Returns a lookup of targets for `download`. Throws
 * `TrustError`s, and what the ports throw; verified files stay in the folder all the same.
 */
export async function refreshPlainClient(
  options: PlainClientOptions,
  ports: { readonly folder: MetadataFolder; readonly fetchMetadata: FetchMetadata },
): Promise<{ findTarget(path: string): Promise<PlainTarget> }> {
  const { folder } = ports
  const root = await folder.read('root.json')
  if (!root) throw trustError('state_unreadable', 'no trusted root: run init first')
  const cache: MetadataCache = {
    read: (role) => folder.read(roleFileName(role)),
    keep: (role, bytes) => folder.write(roleFileName(role), bytes),
    dropOnlineRoles: async () => {
      await folder.remove('timestamp.json')
      await folder.remove('snapshot.json')
    },
  }
  const cycle: CyclePorts = { fetchMetadata: ports.fetchMetadata, cache, limits }
  const set = await startPlainSet(root, options)
  await refreshTrustedSet(set, cycle)
  const isHashed = set.root.signed.consistent_snapshot === true
  return {
    findTarget: async (path) => {
      const found = await findTarget(set, cycle, path)
      if (!found) throw trustError('target_unknown', 'no role that may lists this path')
      return { path, target: found.target, ...placeTarget(path, found.target, isHashed) }
    },
  }
}
